"""The three sources of claims, each with a file that is wrong and a record that is not there."""

import json
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Code, ComityError, Malformed, Misconfigured, NotFound, Unreachable
from comity.ports import Fetched
from comity.runtime.http import TableFetcher
from issuer import sources
from issuer.sources import CallbackSource, of_description
from tests.services.issuer.deployed import NOW, PERSON

URL = "https://registrar.example/claims"
HEADER = "record_reference,type,family_name,birthdate,age_over_18,age_over_19,age_over_21,address_verified,portrait"


def answer(status: int, body: Any) -> Fetched:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fetched(url=URL, status=status, content_type="application/json", body=data, headers={}, fetched_at=NOW)


def fetcher(**answers: Fetched | ComityError) -> TableFetcher:
    return TableFetcher(dict(zip((URL,), answers.values(), strict=False)))


async def test_embedded_people(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"1": {"person": PERSON}}))
    source = of_description({"people": "p.json"}, folder=tmp_path, fetcher=fetcher())
    assert await source.claims("person", "1") == PERSON
    for slug, reference in (("person", "2"), ("health-card", "1")):
        with pytest.raises(NotFound):
            await source.claims(slug, reference)


async def test_a_csv_file_becomes_typed_claims(tmp_path: Path) -> None:
    rows = [HEADER, "1,person,Gagné,1990-01-01,true,TRUE,false,maybe,", "2,cat,x,,,,,,"]
    (tmp_path / "p.csv").write_text("\ufeff" + "\n".join(rows), "utf-8")
    source = of_description({"csv": "p.csv"}, folder=tmp_path, fetcher=fetcher())
    assert await source.claims("person", "1") == {
        "family_name": "Gagné",
        "birthdate": "1990-01-01",
        "age_over_18": True,
        "age_over_19": True,
        "age_over_21": False,
        "address_verified": "maybe",
    }
    for slug, reference in (("person", "2"), ("cat", "2")):
        with pytest.raises(NotFound):
            await source.claims(slug, reference)


async def test_lists_in_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("record_reference,type,conditions\n1,drivers-licence,a; b\n")
    source = of_description({"csv": "p.csv"}, folder=tmp_path, fetcher=fetcher())
    assert await source.claims("drivers-licence", "1") == {"conditions": ["a", "b"]}


def test_a_cell_that_is_no_number_stays_text_and_breaks_nothing() -> None:
    assert sources._cell("integer", "-5") == -5
    for cell in ("9" * 5000, "--5", "-", "", "٣"):
        assert sources._cell("integer", cell) == cell


async def test_the_authoritys_own_system_is_asked_by_post(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("geheim\n")
    table = fetcher(one=answer(200, {"claims": PERSON}))
    source = of_description({"url": URL, "token_file": "token"}, folder=tmp_path, fetcher=table)
    assert await source.claims("person", "1") == PERSON
    (request,) = table.requests
    assert (request.method, request.headers["authorization"]) == ("POST", "Bearer geheim")
    assert json.loads(request.body or b"") == {"type": "person", "record_reference": "1"}
    plain = fetcher(one=answer(200, {"claims": PERSON}))
    await of_description({"url": URL}, folder=tmp_path, fetcher=plain).claims("person", "1")
    assert "authorization" not in plain.requests[0].headers


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        (answer(404, {}), NotFound, Code.NOT_FOUND),
        (answer(500, {}), Unreachable, Code.UNREACHABLE),
        (answer(200, {"claims": []}), Malformed, Code.CLAIMS_INVALID),
        (answer(200, b"["), Malformed, Code.MALFORMED_JSON),
        (Unreachable(Code.UNREACHABLE), Unreachable, Code.UNREACHABLE),
    ],
)
async def test_an_answer_without_claims(given: Any, kind: type[ComityError], code: Code) -> None:
    with pytest.raises(kind) as raised:
        await CallbackSource(URL, fetcher(one=given)).claims("person", "1")
    assert raised.value.code is code


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({}, {"people": "p"}),
        ({"p": b"["}, {"people": "p"}),
        ({"p": b'{"1": 2}'}, {"people": "p"}),
        ({}, {"csv": "p"}),
        ({"p": b"\xff"}, {"csv": "p"}),
        ({"p": b"a,b\n1,2\n"}, {"csv": "p"}),
        ({"p": b'record_reference,type\n"1"x,2\n'}, {"csv": "p"}),
        ({"p": b"record_reference,type\n1,person,more\n"}, {"csv": "p"}),
        ({}, {"url": URL, "token_file": "p"}),
        ({}, {"url": URL, "people": "p"}),
        ({}, {}),
        ({}, {"people": 1}),
        ({}, "people"),
    ],
)
def test_a_source_that_cannot_work_stops_the_start(tmp_path: Path, files: dict[str, bytes], source: Any) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(Misconfigured):
        of_description(source, folder=tmp_path, fetcher=fetcher())
