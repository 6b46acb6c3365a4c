"""Webhooks: told if and only if it happened, signed, sent again, given up, and never twice at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, MetaData

from comity.errors import Code, ComityError, Malformed, Unreachable
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime.clock import FixedClock
from comity.runtime.database import open_database
from comity.runtime.http import GuardedFetcher
from comity.runtime.webhooks import signature
from comity.runtime.webhooks.delivery import ATTEMPTS, KEPT_SECONDS, Webhooks, pause_after
from comity.runtime.webhooks.outbox import LEASE_SECONDS, Event, outbox
from comity.runtime.webhooks.state import State
from tests.unit.runtime.loopback import AT, CLOCK, serving

METADATA = MetaData()
OUTBOX = outbox(METADATA)
URL = "https://records.example/hook"
GUIDE = Path(__file__).resolve().parents[3] / "docs/guides/webhooks.md"


class Receiver(Fetcher):
    """Keeps what it is sent, and answers as it is told."""

    def __init__(self, *answers: int | ComityError) -> None:
        self.answers = list(answers)
        self.heard: list[FetchRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.heard.append(request)
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, ComityError):
            raise answer
        return Fetched(url=request.url, status=answer, content_type="", body=b"", headers={}, fetched_at=AT)


@pytest.fixture
async def webhooks(database_url: str) -> AsyncIterator[Webhooks]:
    database = open_database(database_url)
    await database.write(METADATA.create_all)
    yield Webhooks(outbox=OUTBOX, database=database, clock=FixedClock(AT), fetcher=Receiver(), key=bytes(32))
    await database.close()


def happened(name: str, *, kind: str = "credential.revoked", scope: str = "ca-on/services") -> Any:
    at = int(AT.timestamp())
    event = Event(id=name, type=kind, scope=scope, at=at, body=f'{{"id":"{name}"}}')
    return lambda connection: OUTBOX.tell(connection, event)


def heard(webhooks: Webhooks) -> list[str]:
    assert isinstance(webhooks.fetcher, Receiver)
    return [each.headers["webhook-id"] for each in webhooks.fetcher.heard]


def later(webhooks: Webhooks, seconds: float, *answers: int | ComityError) -> Webhooks:
    clock = FixedClock(webhooks.clock.now() + timedelta(seconds=seconds))
    return replace(webhooks, clock=clock, fetcher=Receiver(*answers))


async def test_who_is_told_what(webhooks: Webhooks) -> None:
    for name, scope, types in (
        ("all", "*", ()),
        ("ontario", "ca-on/services", ("credential.revoked", "offer.collected")),
        ("other type", "*", ("offer.collected",)),
        ("other place", "ca-bc/services", ()),
    ):
        await webhooks.add(f"https://{name.replace(' ', '-')}.example/", scope=scope, types=types)
    assert await webhooks.database.write(happened("one")) == 2
    assert await webhooks.deliver_due() == 2
    assert isinstance(webhooks.fetcher, Receiver)
    assert {each.url for each in webhooks.fetcher.heard} == {"https://all.example/", "https://ontario.example/"}
    assert await webhooks.deliver_due() == 0  # heard is heard
    assert await webhooks.database.write(happened("two", kind="credential.revoke")) == 1  # a part of a name is none


@pytest.mark.parametrize("other", ["credential-revoked", "credentialXrevoked", "credential/_revoked", "%", "_"])
async def test_a_name_stands_for_itself_and_for_no_other(webhooks: Webhooks, other: str) -> None:
    await webhooks.add("https://other.example/", scope="*", types=(other,))
    assert await webhooks.database.write(happened("one", kind="credential_revoked")) == 0
    assert await webhooks.database.write(happened("two", kind=other)) == 1


async def test_what_is_undone_was_never_told(webhooks: Webhooks) -> None:
    await webhooks.add(URL, scope="*", types=())

    def half(connection: Connection) -> None:
        happened("one")(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await webhooks.database.write(half)
    assert await webhooks.deliver_due() == 0
    await webhooks.database.write(happened("two"))
    assert await webhooks.deliver_due() == 1
    assert heard(webhooks) == ["two"]


def guides_example() -> Callable[..., bool]:
    namespace: dict[str, Any] = {}
    exec(GUIDE.read_text("utf-8").partition("```python\n")[2].partition("```")[0], namespace)
    found: Callable[..., bool] = namespace["is_genuine"]
    return found


async def test_the_guides_example_takes_what_is_sent_and_nothing_else(webhooks: Webhooks) -> None:
    is_genuine = guides_example()
    endpoint, secret = await webhooks.add(URL, scope="*", types=())
    assert secret.encode() not in endpoint.sealed_secret
    await webhooks.database.write(happened("one"))
    await webhooks.deliver_due()
    assert isinstance(webhooks.fetcher, Receiver)
    (sent,) = webhooks.fetcher.heard
    now, headers, body = int(AT.timestamp()), dict(sent.headers), sent.body
    assert (sent.method, headers["content-type"]) == ("POST", "application/json")
    assert is_genuine(secret, headers, body, now)
    assert not is_genuine(signature.new_secret(), headers, body, now)
    assert not is_genuine(secret, headers, b'{"id":"two"}', now)
    assert not is_genuine(secret, headers | {"webhook-id": "two"}, body, now)
    assert not is_genuine(secret, headers | {"webhook-timestamp": str(now + 1)}, body, now)
    assert not is_genuine(secret, headers, body, now + 301)


async def test_it_arrives_over_http_and_no_redirect_is_followed(webhooks: Webhooks) -> None:
    answers = [b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"]

    async def behave(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop() if answers else b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async with serving(behave) as server, GuardedFetcher(CLOCK, allow_loopback_http=True) as fetcher:
        endpoint, secret = await webhooks.add(server.url("/hook"), scope="*", types=())
        await webhooks.database.write(happened("one"))
        assert await replace(webhooks, fetcher=fetcher).deliver_due() == 0
        later_on = FixedClock(AT + timedelta(seconds=pause_after(1)))
        assert await replace(webhooks, fetcher=fetcher, clock=later_on).deliver_due() == 1
    assert len(server.heads) == 2
    head, _, body = server.heads[1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook HTTP/1.1\r\n")
    headers = dict(line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:])
    signed = next(line for line in head.decode().split("\r\n") if line.lower().startswith("webhook-signature"))
    headers["webhook-signature"] = signed.partition(": ")[2]  # base64 knows upper and lower case
    assert guides_example()(secret, headers, body, int(later_on.now().timestamp()))
    (line,) = await webhooks.log(endpoint.id, state=None, limit=1)
    assert [outcome for _, outcome in line.log] == ["redirect_refused", "202"]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_é", "A" * 44])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(Malformed):
        signature.headers(secret, event_id="one", at=1, body=b"")


def test_a_known_signature() -> None:
    """Recomputed by hand: openssl dgst -sha256 -mac HMAC over `one.1.{}` with 32 zero bytes."""
    secret = "whsec_" + "A" * 43 + "="
    headers = signature.headers(secret, event_id="one", at=1, body=b"{}")
    wanted = "v1,CQTS/EcIKjjwJHLSLKGDcNbeulzcwD8WP2qqLH/qMdg="
    assert headers == {"webhook-id": "one", "webhook-timestamp": "1", "webhook-signature": wanted}


@pytest.mark.parametrize("answer", [500, 302, 404, Unreachable(Code.UNREACHABLE, ""), Malformed(Code.TOO_LARGE, "")])
@pytest.mark.good_twin("Q11")
async def test_what_is_not_heard_is_sent_again_under_the_same_id(webhooks: Webhooks, answer: int | ComityError) -> None:
    endpoint, _ = await webhooks.add(URL, scope="*", types=())
    await webhooks.database.write(happened("one"))
    assert await later(webhooks, 0, answer).deliver_due() == 0
    assert await later(webhooks, pause_after(1) - 1).deliver_due() == 0
    again = later(webhooks, pause_after(1))
    assert await again.deliver_due() == 1
    assert heard(again) == ["one"]
    (line,) = await webhooks.log(endpoint.id, state=State.DELIVERED, limit=9)
    said = str(answer) if isinstance(answer, int) else answer.code.value
    assert [outcome for _, outcome in line.log] == [said, "204"]
    assert await webhooks.log(endpoint.id, state=State.GIVEN_UP, limit=9) == ()


@pytest.mark.attack("Q11")
async def test_after_ten_sendings_it_is_given_up_until_somebody_says_so(webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.add(URL, scope="*", types=())
    await webhooks.database.write(happened("one"))
    passed = 0
    for attempt in range(1, ATTEMPTS + 1):
        now = later(webhooks, passed, 503)
        await now.deliver_due()
        assert heard(now) == ["one"]
        passed += pause_after(attempt)
    assert 30 * 3600 < passed - pause_after(ATTEMPTS) < 34 * 3600
    (line,) = await webhooks.log(endpoint.id, state=State.GIVEN_UP, limit=9)
    assert (line.attempts, len(line.log)) == (ATTEMPTS, ATTEMPTS)
    assert await later(webhooks, passed + 10**6).deliver_due() == 0
    assert await webhooks.retry("another") == 0
    assert await webhooks.retry(endpoint.id) == 1
    assert await webhooks.deliver_due() == 1


async def test_gone_is_given_up_at_once(webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.add(URL, scope="*", types=())
    await webhooks.database.write(happened("one"))
    await later(webhooks, 0, 410).deliver_due()
    assert len(await webhooks.log(endpoint.id, state=State.GIVEN_UP, limit=9)) == 1


async def test_of_two_senders_one_sends(webhooks: Webhooks) -> None:
    await webhooks.add(URL, scope="*", types=())
    for name in ("one", "two", "three"):
        await webhooks.database.write(happened(name))
    both = await asyncio.gather(webhooks.deliver_due(), webhooks.deliver_due())
    assert sum(both) == 3
    assert sorted(heard(webhooks)) == ["one", "three", "two"]


async def test_a_sender_that_died_or_slept_is_replaced_and_says_nothing_more(webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.add(URL, scope="*", types=())
    await webhooks.database.write(happened("one"))
    assert isinstance(webhooks.fetcher, Receiver)
    webhooks.fetcher.gate.clear()
    slow = asyncio.create_task(webhooks.deliver_due())
    while not webhooks.fetcher.heard:
        await asyncio.sleep(0)
    assert await later(webhooks, LEASE_SECONDS - 1).deliver_due() == 0
    second = later(webhooks, LEASE_SECONDS, 500)
    await second.deliver_due()
    assert heard(second) == ["one"]
    webhooks.fetcher.gate.set()
    await slow
    (line,) = await webhooks.log(endpoint.id, state=None, limit=9)
    assert (line.state, line.attempts, [outcome for _, outcome in line.log]) == (State.WAITING, 2, ["500"])


async def test_one_that_fails_keeps_nobody_waiting(webhooks: Webhooks) -> None:
    bad, _ = await webhooks.add("https://bad.example/", scope="*", types=())
    good, _ = await webhooks.add("https://good.example/", scope="*", types=())

    class Partly(Receiver):
        async def fetch(self, request: FetchRequest) -> Fetched:
            self.answers = [500 if "bad" in request.url else 200]
            return await super().fetch(request)

    receiver = Partly()
    for name in ("one", "two", "three"):
        await webhooks.database.write(happened(name))
    assert await replace(webhooks, fetcher=receiver).deliver_due() == 3
    assert [each.url for each in receiver.heard].count("https://bad.example/") == 1
    assert await webhooks.log(good.id, state=State.WAITING, limit=9) == ()
    assert len(await webhooks.log(bad.id, state=State.WAITING, limit=9)) == 3


async def test_no_address_inside_is_told(webhooks: Webhooks) -> None:
    """R01: the guarded fetcher is the only door."""
    async with GuardedFetcher(webhooks.clock) as guarded:
        for url in ("https://10.0.0.1/", "https://localhost/", "http://records.example/"):
            endpoint, _ = await webhooks.add(url, scope="*", types=())
            await webhooks.database.write(happened(url[:40]))
            assert await replace(webhooks, fetcher=guarded).deliver_due() == 0
            (line,) = await webhooks.log(endpoint.id, state=None, limit=1)
            assert line.log[0][1] in {"address_not_public", "url_not_allowed"}
            await webhooks.remove(endpoint.id)


async def test_what_is_removed_or_old_is_gone(webhooks: Webhooks) -> None:
    kept, _ = await webhooks.add(URL, scope="*", types=("kept",))
    gone, _ = await webhooks.add(URL, scope="*", types=("gone",))
    await webhooks.database.write(happened("one", kind="gone"))
    await webhooks.database.write(happened("two", kind="kept"))
    assert await webhooks.remove(gone.id)
    assert not await webhooks.remove(gone.id)
    assert await webhooks.deliver_due() == 1
    assert heard(webhooks) == ["two"]
    assert await later(webhooks, KEPT_SECONDS).erase() == 0
    await webhooks.database.write(happened("three", kind="kept"))
    assert await later(webhooks, KEPT_SECONDS + 1).erase() == 1
    assert [each.event_id for each in await webhooks.log(kept.id, state=None, limit=9)] == ["three"]


async def test_another_key_opens_no_secret(webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.add(URL, scope="*", types=())
    await webhooks.database.write(happened("one"))
    wrong = replace(webhooks, key=b"1" * 32)
    assert await wrong.deliver_due() == 0
    assert heard(webhooks) == []
    (line,) = await webhooks.log(endpoint.id, state=None, limit=9)
    assert line.log[0][1] == "record_tampered"
