"""Many at once: a file is checked, run, stopped, run on, and never gives two offers for one row."""

import asyncio
import re
from datetime import timedelta

import pytest

from comity import strict_json
from comity.credential import CredentialType
from issuer import bulk, spreadsheet
from issuer.store import bulk as store
from issuer.store.bulk import RowState
from tests.services.issuer.clerks import AtDesk, employ, hidden, sign_in, words
from tests.services.issuer.deployed import ON, Deployed, Place, running
from tests.support.waiting import until

KIND = "person/1"
HEADER = "File number;Given names;Family name, or single name;Date of birth;Address verified"
GOOD = [f"F-{number};Élise;Gagné;1988-07-0{number};yes" for number in range(1, 4)]
BAD = ["F-8;Ann;;1990-01-01;no", "F-9;Ann;Lee;1 May;maybe"]


def sheet(*rows: str, header: str = HEADER) -> bytes:
    return ("\ufeff" + "\r\n".join([header, *rows]) + "\r\n").encode()


@pytest.fixture
async def desk(issuer: Deployed) -> AtDesk:
    await employ(issuer)
    return await sign_in(issuer, "clerk")


async def until_done(desk: AtDesk, path: str) -> str:
    async def is_done() -> bool:
        return "done" in words(await desk.get("/files"))

    await until(is_done, "the end of the file", every_seconds=0.05)
    return words(await desk.get(path))


async def test_a_file_is_checked_run_and_collected(desk: AtDesk, issuer: Deployed) -> None:
    checked = await desk.upload(KIND, sheet(*GOOD, *BAD))
    path = str(checked.url.path)[3:]
    said = words(checked)
    assert "3 rows are ready" in said
    assert "2 rows with errors" in said
    assert "Family name, or single name: Fill this in" in said
    assert "Date of birth: This is not a date" in said
    assert "Address verified: Write yes or no" in said
    assert "No offer has been made" in said
    assert words(await desk.get("/")).count("F-1") == 0
    await desk.post(path, {})
    done = await until_done(desk, path)
    assert "3 offers made" in done
    assert words(await desk.get("/")).count("F-2") == 1


async def test_a_page_that_asks_after_the_end_is_told_to_come_again(desk: AtDesk) -> None:
    """The file may be done between the page that shows it running and that page's first question."""
    path = (await desk.upload(KIND, sheet(*GOOD))).url.path.removeprefix("/en")
    await desk.post(path, {})
    await until_done(desk, path)
    told = strict_json.parse_object((await desk.get(f"{path}/events")).text.removeprefix("data: "))
    assert (told["final"], told["go"]) == (True, f"/en{path}")


async def test_links_and_codes_come_apart_and_open_the_same_offers(desk: AtDesk, issuer: Deployed) -> None:
    checked = await desk.upload(KIND, sheet(*GOOD))
    path = str(checked.url.path)[3:]
    await desk.post(path, {})
    await until_done(desk, path)
    links, codes = (await desk.get(f"{path}/links")).text, (await desk.get(f"{path}/codes")).text
    assert len(re.findall("openid-credential-offer://", links)) == 3
    pins = re.findall(r"F-\d,(\d{6})", codes)
    assert len(pins) == 3
    assert not any(pin in links for pin in pins)
    offer_id = re.findall(r'/offers/([^"/]+)"', (await desk.get(path)).text)[0]
    shown = (await issuer.client.get(f"/api/v1/offers/{offer_id}", headers=issuer.as_role("clerk"))).json()
    assert (await issuer.redeem(shown, tx_code=pins[0])).status_code == 200
    assert len(re.findall(r"F-\d,\d{6}", (await desk.get(f"{path}/codes")).text)) == 2
    assert "1 collected" in words(await desk.get(path))


async def test_only_the_failed_rows_come_back_with_their_reasons_and_can_be_given_again(desk: AtDesk) -> None:
    checked = await desk.upload(KIND, sheet(*GOOD, *BAD))
    path = str(checked.url.path)[3:]
    back = await desk.get(f"{path}/refused")
    assert back.headers["content-disposition"] == 'attachment; filename="refused.csv"'
    assert "F-1" not in back.text
    assert "F-8" in back.text
    assert "Fill this in" in back.text
    mended = back.text.replace("Ann,,", "Ann,Ng,").replace("1 May", "1991-05-01").replace("maybe", "no")
    again = await desk.upload(KIND, mended.encode())
    assert "2 rows are ready" in words(again)


async def test_the_same_file_and_the_same_row_never_give_two_offers(desk: AtDesk, issuer: Deployed) -> None:
    first = await desk.upload(KIND, sheet(*GOOD))
    second = await desk.upload(KIND, sheet(*GOOD))
    assert first.url == second.url
    path = str(first.url.path)[3:]
    start = hidden(first.text)
    await asyncio.gather(*(desk.send(path, start) for _ in range(3)))
    runner = bulk.Runner(issuer.deployment)
    await asyncio.gather(runner.run_started(), runner.run_started())
    await until_done(desk, path)
    longer = await desk.upload(KIND, sheet(*GOOD, "F-4;Ann;Lee;1990-01-01;no", "F-4;Ann;Lee;1990-01-01;no"))
    assert "1 row is ready" in words(longer)
    assert "4 rows issued before" in words(longer)
    await desk.post(str(longer.url.path)[3:], {})
    await runner.run_started()
    home = words(await desk.get("/"))
    assert [home.count(f"F-{number}") for number in range(1, 5)] == [1, 1, 1, 1]


async def test_a_stopped_process_goes_on_where_it_was(place: Place) -> None:
    rows = [f"F-{number};Ann;Lee;1990-01-01;no" for number in range(100, 130)]
    async with running(place) as issuer:
        await employ(issuer)
        job_id = await bulk.check(
            issuer.deployment,
            authority=ON,
            credential_type=CredentialType(slug="person", version=1),
            data=sheet(*rows),
            actor="clerk",
        )
        standing = await bulk.find(issuer.deployment, job_id, authority=ON)
        await bulk.start(issuer.deployment, standing.job, actor="clerk")
        issuer.app.state.bulk.wake()
        await asyncio.sleep(0.05)  # and is stopped somewhere in the middle, wherever that is
    async with running(place) as again:

        async def is_done() -> bool:
            return (await bulk.find(again.deployment, job_id, authority=ON)).job.state == "done"

        await until(is_done, "the end of the file", every_seconds=0.05)
        found = await again.deployment.database.read(lambda connection: store.rows(connection, job_id))
        assert {each.state for each in found} == {RowState.OFFERED}
        assert len({each.offer_id for each in found}) == len(rows)
        made = await again.client.get(f"/api/v1/audit?authority={ON}", headers=again.as_role("auditor"))
        assert sum(each["action"] == "offer_created" for each in made.json()["events"]) == len(rows)


async def test_what_stood_in_a_file_is_erased_in_time_and_the_file_may_come_again(
    desk: AtDesk, issuer: Deployed
) -> None:
    first = await desk.upload(KIND, sheet(*GOOD, *BAD))
    path = str(first.url.path)[3:]
    issuer.clock.advance(timedelta(seconds=issuer.settings.long_offer_seconds + 1))
    await bulk.erase_due(issuer.deployment)  # the timer may have been quicker
    desk = await sign_in(issuer, "clerk")
    assert "F-1" not in words(await desk.get(path))
    again = await desk.upload(KIND, sheet(*GOOD, *BAD))
    assert str(again.url.path)[3:] != path
    assert "3 rows are ready" in words(again)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Choose a file"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"a,b\n1,2\n", "cannot be read"),
        (sheet("F-1;Ann", header="File number;File number"), "cannot be read"),
        (sheet("F-1;Ann;Lee;1990-01-01;no;more"), "cannot be read"),
        (sheet(*[f"F-{number};Ann;Lee;1990-01-01;no" for number in range(1001)]), "too large"),
        (sheet("F-1;" + "x" * 401 + ";Lee;1990-01-01;no"), "too large"),
        (b'"open', "cannot be read"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_in_words(desk: AtDesk, data: bytes, says: str) -> None:
    answer = await desk.upload(KIND, data)
    assert answer.status_code == 422
    assert says in words(answer)
    good = await desk.upload(KIND, sheet(*GOOD))
    assert good.status_code == 200


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_sample_file_passes_its_own_check(desk: AtDesk, language: str) -> None:
    desk.language = language
    for kind in ("person/1", "drivers-licence/1"):
        sample = await desk.get(f"/files/sample/{kind}")
        checked = await desk.upload(kind, sample.content)
        assert {"en": "1 row is ready", "fr": "1 ligne prête"}[language] in words(checked), words(checked)


async def test_a_formula_in_a_cell_is_shown_to_a_spreadsheet_as_text(desk: AtDesk) -> None:
    checked = await desk.upload(KIND, sheet("=HYPERLINK(1);Ann;;1990-01-01;no", "@cmd;+1;-2;1990-01-01;x"))
    back = (await desk.get(f"{str(checked.url.path)[3:]}/refused")).text
    cells = [cell.strip('"') for line in back.lstrip("\ufeff").splitlines() for cell in line.split(",")]
    assert "'=HYPERLINK(1)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert spreadsheet.plain("'=1") == "=1"


async def test_the_log_is_filtered_paged_and_taken_away(desk: AtDesk, issuer: Deployed) -> None:
    for number in range(60):
        await issuer.offer(record_reference=f"r{number}")
    auditor = await sign_in(issuer, "auditor")
    first = await auditor.get("/log?action=offer_created")
    assert first.text.count(">Offer made</td>") == 50
    (more,) = re.findall(r'href="/en(/log\?[^"]*before=[^"]*)"', first.text)
    assert (await auditor.get(more.replace("&amp;", "&"))).text.count(">Offer made</td>") == 10
    assert "Nothing found" in words(await auditor.get("/log?actor=nobody"))
    assert "Nothing found" in words(await auditor.get("/log?since=2026-11-24"))
    assert "Offer made" in words(await auditor.get("/log?until=2026-11-23&since=x&before=y"))
    taken = await auditor.get("/log/export?actor=clerk one")
    assert taken.text.count("offer_created") == 60
    assert "log_exported" in (await auditor.get("/log/export")).text
