"""A clerk issues to one person: the form, the review, the offer, and what may go wrong on the way."""

import re
from datetime import timedelta

import httpx
import pytest

from comity import base64url, strict_json
from comity.credential import CredentialType
from issuer import signing_in
from issuer.console.issuing import entries_of
from tests.services.issuer.clerks import ORIGIN, PASSWORD, AtDesk, employ, hidden, sign_in, words
from tests.services.issuer.deployed import ON, Deployed, Place, running
from tests.services.issuer.signing_in import Wallet
from tests.unit.issuer.test_photos import taken

LICENCE = CredentialType(slug="drivers-licence", version=1)
FORM = "/issue/drivers-licence/1"
CLAIMS = {
    "licence_number": "DEMO-77",
    "class": "G2",
    "issued_on": "2026-11-23",
    "expires_on": "2031-11-22",
    "given_names": "Élise",
    "family_name": "Gagné-O’Brien",
    "birthdate": "2008-03-14",
    "locality": "Ottawa",
    "region": "ON",
    "postal_code": "K1A 0B1",
}


def typed(claims: dict[str, str], chosen: CredentialType = LICENCE, **more: str) -> dict[str, str]:
    """Return claims as fields of the form."""
    names = {entry.field.name: entry.name for entry in entries_of(chosen)}
    return {names[name]: value for name, value in claims.items()} | more


@pytest.fixture
async def desk(issuer: Deployed) -> AtDesk:
    await employ(issuer)
    return await sign_in(issuer, "clerk")


async def offer_of(desk: AtDesk, issuer: Deployed, **more: str) -> tuple[httpx.Response, str]:
    """Walk the pages to an offer; returns its page and its id."""
    review = await desk.post(FORM, typed(CLAIMS, record="F-1") | {"c3-1": "yes"})
    assert review.status_code == 200
    page = await desk.send(f"{FORM}/offer", hidden(review.text) | {"when": "now"} | more)
    assert page.status_code == 200, words(page)
    return page, str(page.url).rpartition("/")[2]


async def test_a_clerk_issues_and_sees_it_collected(desk: AtDesk, issuer: Deployed) -> None:
    page, offer_id = await offer_of(desk, issuer)
    code = re.findall(r'code-big">(\d{6})<', page.text)
    link = re.findall(r'id="link">([^<]+)<', page.text)
    assert len(code) == len(link) == 1
    assert code[0] not in link[0]
    shown = (await issuer.client.get(f"/api/v1/offers/{offer_id}", headers=issuer.as_role("clerk"))).json()
    token = await issuer.token(shown, tx_code=code[0])
    assert "Being collected" in words(await desk.get(f"/offers/{offer_id}"))
    assert (await issuer.receive(shown, token=token)).status_code == 200
    done = await desk.get(f"/offers/{offer_id}")
    assert 'data-when="delivered">' in done.text
    assert code[0] not in done.text
    assert "F-1" in words(await desk.get(f"/offers/{offer_id}/record"))


async def test_the_events_of_an_offer_tell_when_it_is_settled(desk: AtDesk, issuer: Deployed) -> None:
    _, offer_id = await offer_of(desk, issuer)
    await desk.post(f"/offers/{offer_id}", {})
    answer = await desk.get(f"/offers/{offer_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert strict_json.parse_object(answer.text.removeprefix("data: ")) == {"state": "cancelled", "final": True}


async def test_half_a_form_is_kept_for_later_in_this_session_only(desk: AtDesk, issuer: Deployed) -> None:
    home = await desk.post(FORM, typed({"family_name": "Gagné"}, record="F-9") | {"keep": "yes"})
    assert home.url.path == "/en/"
    assert "You began a form Driver’s licence" in words(home)
    assert "Gagné" not in home.text
    form = await desk.get(f"{FORM}?draft=yes")
    assert 'value="Gagné"' in form.text
    early = await desk.get(f"{FORM}/review")  # half a form is never reviewed
    assert early.url.query == b"draft=yes"
    colleague = await sign_in(issuer, "supervisor")
    assert "You began a form" not in words(await colleague.get("/"))
    assert 'value="Gagné"' not in (await colleague.get(f"{FORM}?draft=yes")).text
    await offer_of(desk, issuer)
    assert "You began a form" not in words(await desk.get("/")), "what was offered is no longer begun"


async def test_a_photo_at_the_desk_goes_into_the_credential_and_its_file_nowhere(
    desk: AtDesk, issuer: Deployed
) -> None:
    fields = hidden((await desk.get(FORM)).text) | typed(CLAIMS, record="F-1")
    url = f"/en{FORM}"
    broken = await desk.client.post(url, data=fields, files={"photo_file": ("me.jpg", b"no picture")}, headers=ORIGIN)
    assert broken.status_code == 422
    assert "not a readable PNG, JPEG or WebP" in words(broken)
    files = {"photo_file": ("me.jpg", taken())}
    review = await desk.client.post(url, data=fields, files=files, headers=ORIGIN, follow_redirects=True)
    assert review.url.path.endswith("/review")
    (shown,) = re.findall(r'<img src="(data:image/jpeg;base64,[^"]+)"', review.text)
    sent = hidden(review.text) | {"when": "now"}
    assert sent["photo"] == shown
    page = await desk.send(f"{FORM}/offer", sent)
    again = await desk.send(f"{FORM}/offer", sent)
    assert again.url == page.url, "the photo does not make it another offer"
    offer_id = str(page.url).rpartition("/")[2]
    offer = (await issuer.client.get(f"/api/v1/offers/{offer_id}", headers=issuer.as_role("clerk"))).json()
    (code,) = re.findall(r'code-big">(\d{6})<', page.text)
    received = await issuer.receive(offer, token=await issuer.token(offer, tx_code=code))
    assert received.status_code == 200
    disclosed = [base64url.decode(each) for each in received.json()["credentials"][0]["credential"].split("~")[1:-1]]
    assert [each for each in disclosed if b'"portrait"' in each and shown.encode() in each]


async def test_the_review_shows_what_will_be_signed_in_the_clerks_language(desk: AtDesk) -> None:
    desk.language = "fr"
    review = await desk.post(FORM, typed(CLAIMS, record="F-1") | {"c3-1": "yes"})
    said = words(review)
    for words_of_it in ("G2 (conducteur novice)", "Doit porter des verres correcteurs", "Ontario", "14 mars 2008"):
        assert words_of_it in said
    assert re.search(r"18 ans ou plus Oui", said)
    assert re.search(r"19 ans ou plus Non", said)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"family_name": ""}, "Fill this in"),
        ({"birthdate": "14 March"}, "not a date"),
        ({"birthdate": ""}, "Fill this in"),
        ({"licence_number": "<script>"}, "not written as expected"),
        ({"postal_code": "12345"}, "not written as expected"),
        ({"class": "Z"}, "Choose one"),
        ({"class": ""}, "Choose one"),
        ({"locality": "x" * 101}, "too long"),
        ({"expires_on": "2020-01-01"}, "would end before"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    desk: AtDesk, issuer: Deployed, change: dict[str, str], says: str
) -> None:
    answer = await desk.post(FORM, typed(CLAIMS | change, record="F-1"))
    assert answer.status_code == 422
    assert says in words(answer)
    assert 'value="Élise"' in answer.text
    assert await issuer.records(record_reference="F-1") == []


async def test_form_and_review_begin_with_whom_they_are_about(desk: AtDesk) -> None:
    for page in (await desk.get(FORM), await desk.post(FORM, typed(CLAIMS))):
        said = words(page)
        labels = ("Family name", "Given names", "Date of birth", "Licence number")
        assert sorted(labels, key=said.index) == list(labels)


async def test_the_same_form_sent_twice_gives_one_offer(desk: AtDesk, issuer: Deployed) -> None:
    review = await desk.post(FORM, typed(CLAIMS, record="F-1"))
    fields = hidden(review.text) | {"when": "now"}
    first, second = [await desk.send(f"{FORM}/offer", fields, follow=False) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert words(await desk.get("/")).count("F-1") == 1
    again = await desk.post(FORM, typed(CLAIMS, record="F-1"))  # a new form is a new wish
    third = await desk.send(f"{FORM}/offer", hidden(again.text) | {"when": "now"}, follow=False)
    assert third.headers["location"] != first.headers["location"]


async def test_a_session_that_ends_while_somebody_types_loses_nothing(desk: AtDesk, issuer: Deployed) -> None:
    page = await desk.get(FORM)
    issuer.clock.advance(timedelta(seconds=signing_in.IDLE_SECONDS + 1))
    fields = hidden(page.text) | typed(CLAIMS, record="F-1") | {"c3-1": "yes"}
    locked = await desk.send(FORM, fields)
    assert locked.status_code == 401
    asked = await desk.send("/sign-in", hidden(locked.text))
    assert "What you typed is kept" in words(asked)
    wrong = await desk.send("/sign-in", hidden(asked.text) | {"name": "clerk", "password": "not the password"})
    assert wrong.status_code == 422
    resumed = await desk.send("/sign-in", hidden(wrong.text) | {"name": "clerk", "password": PASSWORD})
    assert "Go on where you were" in words(resumed)
    review = await desk.send(FORM, hidden(resumed.text))
    assert review.status_code == 200
    assert "K1A 0B1" in words(review)
    assert "corrective lenses" in words(review)


async def test_back_and_change_keep_what_was_typed(desk: AtDesk, issuer: Deployed) -> None:
    review = await desk.post(FORM, typed(CLAIMS, record="F-1"))
    assert review.url.path == f"/en{FORM}/review"
    form = await desk.get(f"{FORM}?draft=yes")
    assert 'value="Gagné-O’Brien"' in form.text
    fresh = await desk.get(FORM)  # the next person's form is empty, and says that one was begun
    assert "Gagné" not in fresh.text
    assert "Go on with it" in words(fresh)
    made = await desk.send(f"{FORM}/offer", hidden(review.text) | {"when": "now"}, follow=False)
    gone_back = await desk.get(f"{FORM}/offer")
    assert gone_back.url.path == f"/en{FORM}/review"
    again = await desk.send(f"{FORM}/offer", hidden(gone_back.text) | {"when": "now"}, follow=False)
    assert again.headers["location"] == made.headers["location"]
    assert "Go on with it" not in words(await desk.get(FORM))
    stored = (issuer.settings.data_folder / "issuer.sqlite3").read_bytes()
    wal = issuer.settings.data_folder / "issuer.sqlite3-wal"
    assert "Gagné".encode() not in stored + (wal.read_bytes() if wal.exists() else b"")
    colleague = await sign_in(issuer, "supervisor")
    assert "Gagné" not in (await colleague.get(f"{FORM}/review")).text


HOSTILE = {
    "html": ("<img src=x onerror=alert(1)>", "<img src=x"),
    "right_to_left": ("Ann\u202eetilE", "\u202e"),
    "zero_width": ("An\u200bna", "\u200b"),
    "template": ("{{7*7}}", "49"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
async def test_names_are_shown_as_text_and_deceive_nobody(desk: AtDesk, name: str) -> None:
    given, must_not_stand = HOSTILE[name]
    review = await desk.post(FORM, typed(CLAIMS | {"given_names": given}, record="F-1"))
    assert review.status_code == 200
    main = review.text.partition("<main")[2]
    shown = "".join(re.findall(r"<dd>.*?</dd>", main, re.DOTALL))
    assert must_not_stand not in shown


async def test_a_field_of_a_megabyte_is_refused_in_words(desk: AtDesk) -> None:
    answer = await desk.post(FORM, typed(CLAIMS | {"locality": "x" * 1_100_000}))
    assert answer.status_code == 413
    assert "text/html" in answer.headers["content-type"]


async def test_only_who_may_issue_sees_link_and_code(desk: AtDesk, issuer: Deployed) -> None:
    _, offer_id = await offer_of(desk, issuer)
    auditor = await sign_in(issuer, "auditor")
    seen = await auditor.get(f"/offers/{offer_id}")
    assert seen.status_code == 200
    assert "openid-credential-offer" not in seen.text
    assert "code-big" not in seen.text


async def test_a_button_of_another_session_cancels_nothing(desk: AtDesk, issuer: Deployed) -> None:
    _, offer_id = await offer_of(desk, issuer)
    other = await sign_in(issuer, "supervisor")
    theirs = hidden((await other.get(f"/offers/{offer_id}")).text)
    await desk.send(f"/offers/{offer_id}", theirs)
    assert "Waiting to be collected" in words(await desk.get(f"/offers/{offer_id}"))
    assert "openid-credential-offer" in (await desk.get(f"/offers/{offer_id}")).text
    await desk.post(f"/offers/{offer_id}", {})
    assert "openid-credential-offer" not in (await desk.get(f"/offers/{offer_id}")).text


async def test_an_offer_for_later_holds_for_days_and_always_asks_for_a_code(desk: AtDesk, issuer: Deployed) -> None:
    page, offer_id = await offer_of(desk, issuer, when="later")
    code = re.findall(r'code-big">(\d{6})<', page.text)[0]
    shown = (await issuer.client.get(f"/api/v1/offers/{offer_id}", headers=issuer.as_role("clerk"))).json()
    issuer.clock.advance(timedelta(seconds=issuer.settings.long_offer_seconds - 10))
    refused = await issuer.redeem(shown)
    assert refused.status_code == 400
    assert (await issuer.redeem(shown, tx_code=code)).status_code == 200


async def test_an_offer_at_the_counter_ends_after_ten_minutes(desk: AtDesk, issuer: Deployed) -> None:
    _, offer_id = await offer_of(desk, issuer)
    issuer.clock.advance(timedelta(seconds=issuer.settings.offer_seconds + 1))
    page = await desk.get(f"/offers/{offer_id}")
    assert 'data-when="expired">' in page.text
    assert "openid-credential-offer" not in page.text
    slip = await desk.get(f"/offers/{offer_id}/slip")
    assert "code-big" not in slip.text


async def test_the_slip_speaks_both_languages_and_is_written_down(desk: AtDesk, issuer: Deployed) -> None:
    _, offer_id = await offer_of(desk, issuer)
    slip = await desk.get(f"/offers/{offer_id}/slip")
    for said in ("Driver’s licence", "Permis de conduire", "Your transaction code", "Votre code de transaction"):
        assert said in words(slip)
    assert 'lang="fr-CA"' in slip.text.partition("<main")[2]
    events = await issuer.client.get(f"/api/v1/audit?authority={ON}", headers=issuer.as_role("auditor"))
    assert "slip_opened" in {each["action"] for each in events.json()["events"]}


async def test_a_wallet_is_opened_at_the_counter_where_there_is_one(place: Place) -> None:
    async with running(place, wallet_url="http://localhost:8102") as issuer:
        await employ(issuer)
        desk = await sign_in(issuer, "clerk")
        page, _ = await offer_of(desk, issuer)
        (link,) = re.findall(r'href="(http://localhost:8102/en/[^"]+)"', page.text)
        assert "/open?credential_offer_uri=" in link


@pytest.mark.parametrize(("seconds", "said"), [(0, "agreed to, not collected yet"), (61, "not collected in time")])
async def test_who_agreed_and_did_not_collect_breaks_no_page(issuer: Deployed, seconds: int, said: str) -> None:
    """Anybody who signs in may stop there; the desk's first page lists what they agreed to."""
    await Wallet(issuer).code()
    issuer.clock.advance(timedelta(seconds=seconds))
    await employ(issuer)
    desk = await sign_in(issuer, "supervisor")
    home = await desk.get("/")
    assert said in words(home)
    audit = await issuer.client.get(f"/api/v1/audit?authority={ON}", headers=issuer.as_role("auditor"))
    (offer_id,) = {each["subject"] for each in audit.json()["events"] if each["action"] == "authorized"}
    assert (await desk.get(f"/offers/{offer_id}")).status_code == 200


async def test_the_form_is_filled_in_from_the_authoritys_own_file(desk: AtDesk) -> None:
    filled = await desk.post("/issue/person/1", {"record": "file-7", "fetch": "yes"})
    assert filled.status_code == 200
    assert 'value="Maya"' in filled.text
    assert 'value="2008-03-14"' in filled.text
    unknown = await desk.post("/issue/person/1", {"record": "file-0", "fetch": "yes"})
    assert "no such file" in words(unknown)


async def test_a_form_made_from_a_schema_offers_every_type(desk: AtDesk) -> None:
    for kind in ("person/1", "drivers-licence/1"):
        page = await desk.get(f"/issue/{kind}")
        assert "age_over" not in page.text
        assert page.text.count('type="file"') == 1, "a photo is uploaded, not typed"
    assert (await desk.get("/issue/cat/1")).status_code == 404
