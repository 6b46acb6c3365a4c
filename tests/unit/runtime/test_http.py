"""The guarded fetcher against real servers that behave badly."""

import asyncio
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from comity.errors import Code, Malformed, Unreachable
from comity.ports import Fetched, FetchRequest
from comity.runtime import address_guard, http
from comity.runtime.clock import FixedClock
from comity.runtime.http import GuardedFetcher, TableFetcher
from comity.runtime.urls import AllowedUrl

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLOCK = FixedClock(AT)
Writer = asyncio.StreamWriter
Behaviour = Callable[[bytes, Writer], Awaitable[None]]


class Server:
    """A loopback server that keeps what it is asked and answers as it is told."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/") -> str:
        return f"http://localhost:{self.port}{path}"

    async def connected(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                self.heads.append(head + await reader.readexactly(length))
                await self.behave(self.heads[-1], writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(behave)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


def answering(status: str = "200 OK", body: bytes = b"hello", **headers: str) -> Behaviour:
    lines = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value) + "\r\n"

    async def behave(_head: bytes, writer: Writer) -> None:
        writer.write(head.encode() + body)

    return behave


@pytest.fixture
async def fetcher() -> AsyncIterator[GuardedFetcher]:
    async with GuardedFetcher(CLOCK, allow_loopback_http=True, total_seconds=0.6) as made:
        yield made


async def test_an_answer_arrives_as_it_was_served(fetcher: GuardedFetcher) -> None:
    async with serving(answering(ETag='"1"')) as server:
        fetched = await fetcher.fetch(FetchRequest(url=server.url("/a?b=c"), accept=("text/plain", "text/html")))
    assert (fetched.status, fetched.content_type, fetched.body) == (200, "text/plain", b"hello")
    assert fetched.headers["etag"] == '"1"'
    assert fetched.fetched_at == AT
    assert fetched.url.endswith("/a?b=c")


async def test_requests_say_nothing_about_us(fetcher: GuardedFetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    async with serving(answering(Set_Cookie="who=you; Path=/")) as server:
        for _ in range(2):
            await fetcher.fetch(FetchRequest(url=server.url("/x"), accept=("text/plain",), etag='"7"'))
        first, second = server.heads
    names = {line.partition(b":")[0].lower() for line in first.split(b"\r\n")[1:] if line}
    assert names == {b"host", b"accept", b"accept-encoding", b"user-agent", b"connection", b"if-none-match"}
    assert first == second, "cookies are not kept"
    assert b"accept-encoding: identity\r\n" in first.lower()
    assert f"host: localhost:{server.port}\r\n".encode() in first.lower()
    assert server.connections == 1, "the connection is reused"


async def test_a_post_carries_its_body_and_headers(fetcher: GuardedFetcher) -> None:
    async with serving(answering("400 Bad Request", b"{}")) as server:
        fetched = await fetcher.fetch(
            FetchRequest(url=server.url(), method="POST", body=b"a=b", headers={"authorization": "Bearer x"})
        )
        (seen,) = server.heads
    assert fetched.status == 400
    assert seen.startswith(b"POST / HTTP/1.1\r\n")
    assert seen.endswith(b"\r\n\r\na=b")
    assert b"authorization: Bearer x\r\n" in seen


async def test_not_modified_is_an_answer(fetcher: GuardedFetcher) -> None:
    async with serving(answering("304 Not Modified", b"", Content_Type="", Content_Length="")) as server:
        fetched = await fetcher.fetch(FetchRequest(url=server.url(), accept=("text/plain",), etag='"1"'))
        assert (fetched.status, fetched.body) == (304, b"")
        assert b'if-none-match: "1"\r\n' in server.heads[0]


async def test_a_wrong_content_type_is_refused_only_on_success(fetcher: GuardedFetcher) -> None:
    accept = ("application/json",)
    async with serving(answering()) as server:
        with pytest.raises(Malformed) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), accept=accept))
        assert refused.value.code is Code.CONTENT_TYPE_WRONG
    async with serving(answering("500 Oops", Content_Type="text/html")) as server:
        assert (await fetcher.fetch(FetchRequest(url=server.url(), accept=accept))).status == 500
    async with serving(answering(Content_Type="Application/JSON ; charset=x")) as server:
        assert (await fetcher.fetch(FetchRequest(url=server.url(), accept=accept))).content_type == "application/json"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused(fetcher: GuardedFetcher, encoding: str) -> None:
    async with serving(answering(Content_Encoding=encoding)) as server:
        with pytest.raises(Malformed):
            await fetcher.fetch(FetchRequest(url=server.url()))


@pytest.mark.parametrize("declared", ["5", ""])
async def test_a_body_one_byte_too_large_is_refused(fetcher: GuardedFetcher, declared: str) -> None:
    async def closing(head: bytes, writer: Writer) -> None:
        await answering(Content_Length=declared, Connection="" if declared else "close")(head, writer)
        if not declared:
            writer.close()

    async with serving(closing) as server:
        assert (await fetcher.fetch(FetchRequest(url=server.url(), max_bytes=5))).body == b"hello"
        with pytest.raises(Malformed) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), max_bytes=4))
    assert refused.value.code is Code.TOO_LARGE


async def test_a_huge_declared_length_is_refused_before_reading(fetcher: GuardedFetcher) -> None:
    async with serving(answering(Content_Length="100000000000")) as server:
        started = time.monotonic()
        with pytest.raises(Malformed):
            await fetcher.fetch(FetchRequest(url=server.url()))
    assert time.monotonic() - started < 0.3


async def test_an_endless_body_stops_at_the_limit(fetcher: GuardedFetcher) -> None:
    sent = 0

    async def endless(_head: bytes, writer: Writer) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            sent += 65536
            await writer.drain()

    async with serving(endless) as server:
        with pytest.raises(Malformed):
            await fetcher.fetch(FetchRequest(url=server.url(), max_bytes=100_000))
    assert sent < 20 << 20


async def drip_body(_head: bytes, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.05)


async def drip_head(_head: bytes, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silence(_head: bytes, writer: Writer) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("behave", [drip_body, drip_head, silence])
async def test_a_slow_server_is_given_up_in_time(fetcher: GuardedFetcher, behave: Behaviour) -> None:
    async with serving(behave) as server:
        started = time.monotonic()
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url()))
    assert refused.value.code is Code.UNREACHABLE
    assert 0.5 < time.monotonic() - started < 1.5


async def cut(_head: bytes, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
    writer.close()


async def hang_up(_head: bytes, writer: Writer) -> None:
    writer.close()


async def nonsense(_head: bytes, writer: Writer) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")


async def endless_head(_head: bytes, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: " + b"y" * 60000 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize("behave", [cut, hang_up, nonsense, endless_head, answering(Content_Length="5, 6")])
async def test_broken_answers_are_no_answers(fetcher: GuardedFetcher, behave: Behaviour) -> None:
    async with serving(behave) as server:
        with pytest.raises(Unreachable):
            await fetcher.fetch(FetchRequest(url=server.url()))


async def test_nobody_listening_is_unreachable(fetcher: GuardedFetcher) -> None:
    async with serving(silence) as server:
        pass
    with pytest.raises(Unreachable) as refused:
        await fetcher.fetch(FetchRequest(url=server.url("/secret-path")))
    assert "secret-path" not in refused.value.detail


async def test_a_header_that_cannot_be_sent_is_refused_by_type(fetcher: GuardedFetcher) -> None:
    async with serving(answering()) as server:
        with pytest.raises(Unreachable):
            await fetcher.fetch(FetchRequest(url=server.url(), headers={"x": "a\r\nb: c"}))
        assert not server.heads


# --- redirects


def redirecting(*locations: str) -> Behaviour:
    """Answer the first request with the first location, and so on; then with hello."""
    left = list(locations)

    async def behave(head: bytes, writer: Writer) -> None:
        if left:
            await answering("302 Found", b"", Location=left.pop(0))(head, writer)
        else:
            await answering()(head, writer)

    return behave


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_refused_by_default(fetcher: GuardedFetcher, status: int) -> None:
    async with serving(answering(f"{status} x", b"", Location="/b")) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url()))
        assert refused.value.code is Code.REDIRECT_REFUSED
        assert len(server.heads) == 1


async def test_a_limited_number_is_followed_without_credentials(fetcher: GuardedFetcher) -> None:
    async with serving(redirecting("/b", "c?d=e")) as server:
        request = FetchRequest(
            url=server.url("/a"), max_redirects=2, headers={"authorization": "x"}, accept=("text/plain",)
        )
        fetched = await fetcher.fetch(request)
        assert fetched.url == server.url("/c?d=e")
        assert fetched.body == b"hello"
        assert [head.split()[1] for head in server.heads] == [b"/a", b"/b", b"/c?d=e"]
        assert [b"authorization" in head for head in server.heads] == [True, False, False]
        assert all(b"accept: text/plain" in head for head in server.heads)
    async with serving(redirecting("/b", "/c")) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), max_redirects=1))
        assert refused.value.code is Code.REDIRECT_REFUSED


async def test_a_loop_ends(fetcher: GuardedFetcher) -> None:
    async with serving(answering("302 Found", b"", Location="/")) as server:
        with pytest.raises(Unreachable):
            await fetcher.fetch(FetchRequest(url=server.url(), max_redirects=5))
        assert len(server.heads) == 6


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://10.0.0.1/", Code.URL_NOT_ALLOWED),
        ("https://10.0.0.1/", Code.ADDRESS_NOT_PUBLIC),
        ("https://169.254.169.254/latest/", Code.ADDRESS_NOT_PUBLIC),
        ("http://public.example/", Code.URL_NOT_ALLOWED),
        ("https://[::ffff:127.0.0.1]/", Code.ADDRESS_NOT_PUBLIC),
        ("file:///etc/passwd", Code.URL_NOT_ALLOWED),
        ("//user@localhost/", Code.URL_NOT_ALLOWED),
        ("http://[", Code.URL_NOT_ALLOWED),
        ("", Code.REDIRECT_REFUSED),
    ],
)
async def test_every_hop_is_checked_again(fetcher: GuardedFetcher, location: str, code: Code) -> None:
    async with serving(answering("302 Found", b"", Location=location)) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), max_redirects=3))
        assert refused.value.code is code
        assert len(server.heads) == 1


async def test_a_post_is_never_redirected(fetcher: GuardedFetcher) -> None:
    async with serving(redirecting("/b")) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), method="POST", body=b"x", max_redirects=3))
    assert refused.value.code is Code.REDIRECT_REFUSED


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
async def test_an_internationalised_name_is_one_name(tmp_path: Path) -> None:
    theirs, ours = certificate_for("xn--qubec-csa.example", tmp_path)
    resolver = Resolver(["127.0.0.1"])
    async with serving(answering(), theirs) as server, GuardedFetcher(CLOCK, resolve=resolver, tls=ours) as guarded:
        fetched = await guarded.fetch(FetchRequest(url=f"https://xn--qubec-csa.example:{server.port}/"))
    assert fetched.status == 200


async def test_an_address_that_two_parsers_read_differently_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def misread(url: str, *, allow_loopback_http: bool) -> AllowedUrl:
        return AllowedUrl(text=url, scheme="https", host="other.example", port=443)

    monkeypatch.setattr(http, "require_allowed", misread)
    async with GuardedFetcher(CLOCK) as guarded:
        with pytest.raises(Unreachable) as refused:
            await guarded.fetch(FetchRequest(url="https://a.example/"))
    assert refused.value.code is Code.URL_NOT_ALLOWED


@pytest.mark.usefixtures("loopback_counts_as_public")
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


async def test_a_cancelled_request_does_not_mix_answers() -> None:
    async def echo(head: bytes, writer: Writer) -> None:
        path = head.split()[1]
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(path) + path)

    async with serving(echo) as server, GuardedFetcher(CLOCK, allow_loopback_http=True, total_seconds=30) as fetcher:

        async def ask(number: int) -> tuple[int, bytes]:
            return number, (await fetcher.fetch(FetchRequest(url=server.url(f"/{number}")))).body

        tasks = [asyncio.create_task(ask(number)) for number in range(60)]
        for task in tasks[::3]:
            await asyncio.sleep(0.001)
            task.cancel()
        done = [
            each for each in await asyncio.gather(*tasks, return_exceptions=True) if not isinstance(each, BaseException)
        ]
    assert len(done) >= 40
    assert all(body == f"/{number}".encode() for number, body in done)


# --- the table


def known(url: str, **members: object) -> Fetched:
    given = {"status": 200, "content_type": "text/plain", "body": b"x", "headers": {}, "fetched_at": AT} | members
    return Fetched(url=url, **given)  # type: ignore[arg-type]


async def test_a_table_answers_what_it_knows() -> None:
    url = "https://a.example/"
    table = TableFetcher({url: known(url, headers={"etag": '"1"'})})
    assert (await table.fetch(FetchRequest(url=url))).body == b"x"
    assert (await table.fetch(FetchRequest(url=url, etag='"0"', accept=("text/plain",)))).status == 200
    again = await table.fetch(FetchRequest(url=url, etag='"1"', accept=("text/plain",)))
    assert (again.status, again.body) == (304, b"")
    assert len(table.requests) == 3
    with pytest.raises(Malformed):
        await table.fetch(FetchRequest(url=url, accept=("application/json",)))
    with pytest.raises(Malformed):
        await table.fetch(FetchRequest(url=url, max_bytes=0))
    with pytest.raises(Unreachable):
        await table.fetch(FetchRequest(url="https://b.example/"))


async def test_a_table_raises_the_errors_listed() -> None:
    down = Unreachable(Code.UNREACHABLE, "down")
    with pytest.raises(Unreachable) as raised:
        await TableFetcher({"https://a.example/": down}).fetch(FetchRequest(url="https://a.example/"))
    assert raised.value is down
