"""The demonstration's own authority: one name, made once, and what phones insist on."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as pkix
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from comity.demo.certificate import HOST_DAYS, HostCertificate, certificate, host_name
from comity.errors import Misconfigured
from comity.runtime.clock import FixedClock
from comity.runtime.keystore import FileKeyStore

NAME = "laptop.local"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def made(folder: Path, at: datetime = NOW) -> HostCertificate:
    return certificate(folder, NAME, FixedClock(at))


def parts(found: HostCertificate) -> tuple[pkix.Certificate, pkix.Certificate]:
    """Return authority and host as another implementation reads them."""
    return tuple(pkix.load_pem_x509_certificate(each.read_bytes()) for each in (found.authority_file, found.chain_file))  # type: ignore[return-value]


def test_another_implementation_accepts_the_chain_for_this_name_only(tmp_path: Path) -> None:
    authority, host = parts(made(tmp_path))
    builder = PolicyBuilder().store(Store([authority])).time(NOW)
    assert builder.build_server_verifier(pkix.DNSName(NAME)).verify(host, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(pkix.DNSName("other.local")).verify(host, [])
    constraints = authority.extensions.get_extension_for_class(pkix.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [pkix.DNSName(NAME)]
    assert host.not_valid_after_utc - host.not_valid_before_utc < timedelta(days=398)


def test_the_authority_is_made_once(tmp_path: Path) -> None:
    first = made(tmp_path)
    again = made(tmp_path, NOW + timedelta(days=30))
    assert again.fingerprint == first.fingerprint
    assert parts(again)[1].not_valid_after_utc == NOW + timedelta(days=30 + HOST_DAYS)
    late = made(tmp_path, NOW + timedelta(days=300))
    assert late.fingerprint != first.fingerprint, "it would end before the certificate of the host"


def test_its_keys_are_its_owners_alone(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert found.key_file.stat().st_mode & 0o077 == 0
    assert set(FileKeyStore(tmp_path / NAME).names()) == {"authority", "host"}
    assert b"PRIVATE" not in found.authority_file.read_bytes() + found.chain_file.read_bytes()
    assert isinstance(found.server_side(), ssl.SSLContext)


def test_the_fingerprint_is_the_one_that_phones_show(tmp_path: Path) -> None:
    import hashlib

    found = made(tmp_path)
    digest = hashlib.sha256(parts(found)[0].public_bytes(Encoding.DER)).hexdigest().upper()
    assert found.fingerprint.replace(":", "") == digest


@pytest.mark.parametrize("text", ["Laptop.local", " laptop.local. ", "a-b.example"])
def test_names(text: str) -> None:
    assert host_name(text) == text.strip().lower().rstrip(".")


@pytest.mark.parametrize(
    "text", ["", "demo", "192.168.0.7", "::1", "localhost", "a.localhost", "a b", "-a.local", "a..b", "é.local"]
)
def test_no_names(text: str) -> None:
    with pytest.raises(Misconfigured):
        host_name(text)
