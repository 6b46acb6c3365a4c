"""The fetcher of the tests: it answers from a table, by the rules of the real one."""

import pytest

from comity.errors import Code, Malformed, Unreachable
from comity.ports import Fetched, FetchRequest
from comity.runtime.http import TableFetcher
from tests.unit.runtime.loopback import AT

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
