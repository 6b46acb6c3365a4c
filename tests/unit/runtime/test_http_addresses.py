"""The guarded fetcher connects to the address that it checked, under the name that was asked for."""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from comity.errors import Code, Unreachable
from comity.ports import FetchRequest
from comity.runtime import address_guard, http
from comity.runtime.http import GuardedFetcher
from comity.runtime.urls import AllowedUrl
from tests.unit.runtime.loopback import CLOCK, Writer, answering, serving

# --- addresses


async def test_without_the_setting_loopback_is_refused_before_connecting() -> None:
    async with serving(answering()) as server, GuardedFetcher(CLOCK) as strict:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(Unreachable) as refused:
                await strict.fetch(FetchRequest(url=f"http://{host}:{server.port}/"))
            assert refused.value.code is Code.ADDRESS_NOT_PUBLIC
        assert server.connections == 0


class Resolver:
    """Answers with one set of addresses after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:7f00:1"])
@pytest.mark.clause("C4")
@pytest.mark.attack("R03")
async def test_a_public_name_that_leads_inside_is_refused(inside: str) -> None:
    async with serving(answering()) as server:
        for answer in ([inside], ["93.184.215.14", inside]):
            for allow in (False, True):
                async with GuardedFetcher(CLOCK, resolve=Resolver(answer), allow_loopback_http=allow) as guarded:
                    with pytest.raises(Unreachable) as refused:
                        await guarded.fetch(FetchRequest(url=f"https://a.example:{server.port}/"))
                    assert refused.value.code is Code.ADDRESS_NOT_PUBLIC
        assert server.connections == 0


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and the client's TLS context around a self-signed certificate for ``name``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = folder / f"{name}.pem"
    certificate.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate)
    ours = ssl.create_default_context(cadata=built.public_bytes(serialization.Encoding.PEM).decode())
    return theirs, ours


@pytest.fixture
def loopback_counts_as_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the guard take 127.0.0.1 (and only that) for a public address, so that a real server can stand there."""
    real = address_guard.is_public
    stand_in = ipaddress.ip_address("127.0.0.1")
    monkeypatch.setattr(address_guard, "is_public", lambda address: address == stand_in or real(address))


@pytest.mark.usefixtures("loopback_counts_as_public")
@pytest.mark.attack("R03")
@pytest.mark.good_twin("R03")
async def test_host_and_server_name_stay_while_the_checked_address_is_connected_to(tmp_path: Path) -> None:
    theirs, ours = certificate_for("a.example", tmp_path)
    names: list[str | None] = []
    theirs.sni_callback = lambda _socket, name, _context: names.append(name)
    # Rebinding: the second answer, which must never be asked for, leads inside.
    resolver = Resolver(["127.0.0.1"], ["10.0.0.1"])
    async with serving(answering(), theirs) as server, GuardedFetcher(CLOCK, resolve=resolver, tls=ours) as guarded:
        fetched = await guarded.fetch(FetchRequest(url=f"https://a.example:{server.port}/"))
        assert fetched.body == b"hello"
        assert f"host: a.example:{server.port}\r\n".encode() in server.heads[0].lower()
        await guarded.fetch(FetchRequest(url=f"https://a.example:{server.port}/again"))
        assert server.connections == 1
    assert names == ["a.example"]
    assert resolver.asked == 1


@pytest.mark.usefixtures("loopback_counts_as_public")
@pytest.mark.attack("R03")
@pytest.mark.good_twin("R03")
async def test_the_name_that_flips_to_an_inner_address_is_refused_at_the_next_connection(tmp_path: Path) -> None:
    theirs, ours = certificate_for("a.example", tmp_path)
    resolver = Resolver(["127.0.0.1"], ["10.0.0.1"])

    async def once(head: bytes, writer: Writer) -> None:
        await answering(Connection="close")(head, writer)
        writer.close()

    async with serving(once, theirs) as server, GuardedFetcher(CLOCK, resolve=resolver, tls=ours) as guarded:
        url = f"https://a.example:{server.port}/"
        assert (await guarded.fetch(FetchRequest(url=url))).status == 200
        with pytest.raises(Unreachable) as refused:
            await guarded.fetch(FetchRequest(url=url))
    assert refused.value.code is Code.ADDRESS_NOT_PUBLIC


@pytest.mark.usefixtures("loopback_counts_as_public")
@pytest.mark.good_twin("R19")
async def test_an_internationalised_name_is_one_name(tmp_path: Path) -> None:
    theirs, ours = certificate_for("xn--qubec-csa.example", tmp_path)
    resolver = Resolver(["127.0.0.1"])
    async with serving(answering(), theirs) as server, GuardedFetcher(CLOCK, resolve=resolver, tls=ours) as guarded:
        fetched = await guarded.fetch(FetchRequest(url=f"https://xn--qubec-csa.example:{server.port}/"))
    assert fetched.status == 200


@pytest.mark.attack("R02")
async def test_an_address_that_two_parsers_read_differently_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def misread(url: str, **_options: object) -> AllowedUrl:
        return AllowedUrl(text=url, scheme="https", host="other.example", port=443)

    monkeypatch.setattr(http, "require_allowed", misread)
    async with GuardedFetcher(CLOCK) as guarded:
        with pytest.raises(Unreachable) as refused:
            await guarded.fetch(FetchRequest(url="https://a.example/"))
    assert refused.value.code is Code.URL_NOT_ALLOWED


@pytest.mark.usefixtures("loopback_counts_as_public")
@pytest.mark.clause("C4")
async def test_the_certificate_must_be_trusted_and_for_the_name(tmp_path: Path) -> None:
    theirs, ours = certificate_for("b.example", tmp_path)
    async with serving(answering(), theirs) as server:
        for tls in (ours, None):
            async with GuardedFetcher(CLOCK, resolve=Resolver(["127.0.0.1"]), tls=tls) as guarded:
                with pytest.raises(Unreachable):
                    await guarded.fetch(FetchRequest(url=f"https://a.example:{server.port}/"))
        assert not server.heads


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with serving(answering()) as server:
        resolver = Resolver(["127.0.0.2", "127.0.0.1"])
        async with GuardedFetcher(CLOCK, resolve=resolver, allow_loopback_http=True, connect_seconds=0.3) as guarded:
            assert (await guarded.fetch(FetchRequest(url=server.url()))).body == b"hello"


async def test_no_address_is_tried_without_time_left() -> None:
    async with (
        serving(answering()) as server,
        GuardedFetcher(CLOCK, allow_loopback_http=True, connect_seconds=0) as guarded,
    ):
        with pytest.raises(Unreachable):
            await guarded.fetch(FetchRequest(url=server.url()))
        assert server.connections == 0


async def test_a_slow_resolver_is_given_up() -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return ["127.0.0.1"]

    async with GuardedFetcher(CLOCK, resolve=slow, allow_loopback_http=True, total_seconds=0.2) as guarded:
        with pytest.raises(Unreachable):
            await guarded.fetch(FetchRequest(url="http://localhost:1/"))
