"""The demonstration's own certificate authority: made once for a host name, able to vouch for that name only."""

import ipaddress
import re
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from comity import x509
from comity.errors import Code, Malformed, Misconfigured, NotFound
from comity.ports import Clock
from comity.runtime.files import replace_file
from comity.runtime.keystore import FileKeyStore
from comity.runtime.urls import is_loopback_host

AUTHORITY, HOST = "authority", "host"
AUTHORITY_DAYS, HOST_DAYS = 365, 90
"""Phones refuse certificates of hosts that are good for longer than some 398 days."""
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificate:
    """What serving https under a name takes.

    Attributes:
        host: the name.
        authority_file: the authority's certificate, PEM.
        chain_file: the host's certificate, PEM.
        key_file: its private key, PEM, readable by its owner only.
        fingerprint: SHA-256 of the authority's certificate, as people compare it.
    """

    host: str
    authority_file: Path
    chain_file: Path
    key_file: Path
    fingerprint: str

    def server_side(self) -> ssl.SSLContext:
        """Return what a server of this host presents."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain_file, self.key_file)
        return context


def host_name(text: str) -> str:
    """Return ``text`` as the name of a demonstration's host.

    Raises:
        Misconfigured: an address or a name without a dot (did:web has no place for either), or no host name at all.
    """
    name = text.strip().lower().rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        raise Misconfigured(Code.MISCONFIGURED, "give a name, such as my-laptop.local; did:web allows no addresses")
    if not _NAME.match(name) or "." not in name or is_loopback_host(name):
        raise Misconfigured(
            Code.MISCONFIGURED, "give a host name that phones on the network know, such as my-laptop.local"
        )
    return name


def certificate(folder: Path, host: str, clock: Clock) -> HostCertificate:
    """Return the certificate of ``host``; its authority is made at the first call and kept below ``folder``.

    Raises:
        Misconfigured: the files cannot be read or written.
    """
    home, now = folder / host, clock.now()
    keys = FileKeyStore(home)
    signer, server = keys.signer_or_create(AUTHORITY), keys.signer_or_create(HOST)
    anchor = _kept(keys, clock)
    if anchor is None:
        anchor = x509.issue_host_anchor(
            host,
            name=f"comity demonstration ({host})"[:64],
            signer=signer,
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=AUTHORITY_DAYS),
        )
        keys.save_chain(AUTHORITY, [x509.to_base64(anchor)])
    leaf = x509.issue_leaf(
        name=host[:64],
        uri_san=None,
        dns_san=host,
        public_jwk=server.public_jwk,
        anchor=anchor,
        anchor_signer=signer,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=HOST_DAYS),
        serves=True,
    )
    replace_file(home / "authority.crt", x509.to_pem(anchor), mode=0o644)
    replace_file(home / "host.crt", x509.to_pem(leaf), mode=0o644)
    digits = x509.sha256_hex(anchor).upper()
    return HostCertificate(
        host=host,
        authority_file=home / "authority.crt",
        chain_file=home / "host.crt",
        key_file=home / f"{HOST}.pem",
        fingerprint=":".join(digits[each : each + 2] for each in range(0, len(digits), 2)),
    )


def _kept(keys: FileKeyStore, clock: Clock) -> x509.Certificate | None:
    """Return the authority's certificate of an earlier start; None when there is none, or it ends before its leaf."""
    try:
        found = x509.from_base64(keys.chain(AUTHORITY)[0])
    except (NotFound, Malformed):
        return None
    return found if found.not_valid_after_utc > clock.now() + timedelta(days=HOST_DAYS) else None
