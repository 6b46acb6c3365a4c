"""Redirects: refused by default, few, without credentials, and every hop judged again."""

import pytest

from comity.errors import Code, Unreachable
from comity.ports import FetchRequest
from comity.runtime.http import GuardedFetcher
from tests.unit.runtime.loopback import Behaviour, Writer, answering, serving

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
@pytest.mark.attack("R04")
async def test_redirects_are_refused_by_default(fetcher: GuardedFetcher, status: int) -> None:
    async with serving(answering(f"{status} x", b"", Location="/b")) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url()))
        assert refused.value.code is Code.REDIRECT_REFUSED
        assert len(server.heads) == 1


@pytest.mark.good_twin("R04")
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


@pytest.mark.attack("R04")
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
@pytest.mark.clause("C4")
@pytest.mark.attack("R04")
async def test_every_hop_is_checked_again(fetcher: GuardedFetcher, location: str, code: Code) -> None:
    async with serving(answering("302 Found", b"", Location=location)) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), max_redirects=3))
        assert refused.value.code is code
        assert len(server.heads) == 1


@pytest.mark.attack("R04")
async def test_a_post_is_never_redirected(fetcher: GuardedFetcher) -> None:
    async with serving(redirecting("/b")) as server:
        with pytest.raises(Unreachable) as refused:
            await fetcher.fetch(FetchRequest(url=server.url(), method="POST", body=b"x", max_redirects=3))
    assert refused.value.code is Code.REDIRECT_REFUSED
