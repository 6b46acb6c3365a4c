"""The guarded fetcher against real servers that behave badly."""

import asyncio
import time

import pytest

from comity.errors import Code, Malformed, Unreachable
from comity.ports import FetchRequest
from comity.runtime.http import GuardedFetcher
from tests.unit.runtime.loopback import AT, CLOCK, Behaviour, Writer, answering, serving


@pytest.mark.good_twin("R06")
async def test_an_answer_arrives_as_it_was_served(fetcher: GuardedFetcher) -> None:
    async with serving(answering(ETag='"1"')) as server:
        fetched = await fetcher.fetch(FetchRequest(url=server.url("/a?b=c"), accept=("text/plain", "text/html")))
    assert (fetched.status, fetched.content_type, fetched.body) == (200, "text/plain", b"hello")
    assert fetched.headers["etag"] == '"1"'
    assert fetched.fetched_at == AT
    assert fetched.url.endswith("/a?b=c")


@pytest.mark.attack("X05")
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
    assert b"user-agent: comity\r\n" in first.lower(), "the same words from every wallet of every version"
    assert f"host: localhost:{server.port}\r\n".encode() in first.lower()
    assert server.connections == 1, "the connection is reused"


@pytest.mark.good_twin("X05")
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
@pytest.mark.attack("R06")
async def test_a_compressed_body_is_refused(fetcher: GuardedFetcher, encoding: str) -> None:
    async with serving(answering(Content_Encoding=encoding)) as server:
        with pytest.raises(Malformed):
            await fetcher.fetch(FetchRequest(url=server.url()))


@pytest.mark.parametrize("declared", ["5", ""])
@pytest.mark.attack("R06")
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


@pytest.mark.attack("R06")
async def test_a_huge_declared_length_is_refused_before_reading(fetcher: GuardedFetcher) -> None:
    async with serving(answering(Content_Length="100000000000")) as server:
        with pytest.raises(Malformed):  # and not Unreachable, when the fetcher's patience ends
            await fetcher.fetch(FetchRequest(url=server.url()))


@pytest.mark.clause("C4")
@pytest.mark.attack("R06")
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
@pytest.mark.attack("R06")
async def test_a_slow_server_is_given_up_in_time(hurried_fetcher: GuardedFetcher, behave: Behaviour) -> None:
    async with serving(behave) as server:
        started = time.monotonic()
        with pytest.raises(Unreachable) as refused:
            await hurried_fetcher.fetch(FetchRequest(url=server.url()))
    assert refused.value.code is Code.UNREACHABLE
    assert time.monotonic() - started > 0.3


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


@pytest.mark.attack("W16")
@pytest.mark.good_twin("W16")
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
