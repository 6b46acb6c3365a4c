"""What is scanned is never green, whatever it is."""

import html
import io
import re

import pytest
from PIL import Image

from comity.credential import Format, Status
from comity.demo.pocket import tampered
from comity.web import parts, qr
from tests.services.verifier.deployed import Deployed
from tests.services.verifier.federation import CANARY, LICENCE, PERSON
from tests.services.verifier.till import Till, paired, words
from tests.unit.web.test_pdf import LOCK, letter


@pytest.fixture
async def till(verifier: Deployed) -> Till:
    return await paired(verifier)


async def scanned(till: Till, text: str, policy: str = "drivers-licence-valid") -> str:
    """Scan a text and return the words of the verdict."""
    answer = await till.post("/counter/scan", {"policy": policy, "text": text})
    assert answer.status_code == 303, words(answer.text)
    return await till.read(str(answer.headers["location"])[3:])


@pytest.mark.parametrize("kind", [Format.DC_SD_JWT, Format.VC_JWT])
async def test_a_genuine_document_is_amber_with_the_name_to_compare(
    till: Till, verifier: Deployed, kind: Format
) -> None:
    page = await scanned(till, verifier.held(LICENCE, kind=kind).encoded)
    for seen in ("Check the person", "photo identity document", CANARY, "G2", "held_without_proof"):
        assert seen in page
    assert "Accepted" not in page
    assert "DEMO-1234" not in page, "only what was asked, and the name"


async def test_a_presentation_made_for_somebody_else_is_no_more_than_a_document(till: Till, verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    page = await scanned(till, verifier.present(asked, verifier.held(LICENCE), ("class", "expires_on")))
    assert "Check the person" in page


async def test_what_fails_is_red(till: Till, verifier: Deployed) -> None:
    held = verifier.held(LICENCE)
    authority, index = verifier.federation.on, 4242  # nobody else's
    authority.bits.set(index, Status.REVOKED.value)
    verifier.network.documents[authority.list_uri()] = authority.token_list().encode()
    revoked = verifier.held(LICENCE, index=index)
    cases = {
        tampered(held.encoded, "class", "A"): "Rejected",
        verifier.held(LICENCE, authority=verifier.federation.stranger).encoded: "No Canadian jurisdiction",
        verifier.held(LICENCE, expires_on="2026-01-01").encoded: "Rejected",
        revoked.encoded: "The authority has revoked this document.",
    }
    for text, seen in cases.items():
        page = await scanned(till, text)
        assert seen in page
        assert CANARY not in page


async def test_a_document_of_another_kind_answers_nothing(till: Till, verifier: Deployed) -> None:
    page = await scanned(till, verifier.held(PERSON).encoded)
    assert "This document does not answer the question." in page
    assert "Rejected" in page


async def test_a_document_that_does_not_say_it_is_amber(till: Till, verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    page = await scanned(till, verifier.present(asked, verifier.held(LICENCE), ("class",)))
    assert "Not confirmed" in page
    assert "does not answer the question" in page


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("WIFI:S:cafe;;", "An everyday code"),
        ("openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Fo", "offer"),
        ("https://shop.example/x", "To get an answer"),
        ("eyJhbGciOiJFUzI1NiJ9.e30.x", "To get an answer"),
        ("<script>alert(1)</script>", "To get an answer"),
    ],
)
async def test_other_codes_are_named_and_judged_by_nobody(till: Till, verifier: Deployed, text: str, seen: str) -> None:
    answer = await till.post("/counter/scan", {"policy": "drivers-licence-valid", "text": text})
    assert answer.status_code == 422
    assert seen in words(answer.text)
    assert "<script>alert" not in answer.text
    assert verifier.network.asked == []


async def test_a_picture_is_read_too(till: Till, verifier: Deployed) -> None:
    encoded = verifier.held(LICENCE, kind=Format.VC_JWT).encoded
    for picture, status in ((qr.png(encoded), 303), (qr.png("x") * 2, 422), (b"GIF89a", 422), (b"", 422)):
        answer = await till.post(
            "/counter/scan", {"policy": "drivers-licence-valid", "text": ""}, files={"image": ("code.png", picture)}
        )
        assert answer.status_code == status, words(answer.text)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_pdf_that_was_mailed_is_read_too(till: Till, verifier: Deployed, language: str) -> None:
    encoded = verifier.held(LICENCE, kind=Format.VC_JWT).encoded
    says = {
        "en": ("locked with a password", "no readable QR code on the first 3 pages", "more than one QR code"),
        "fr": ("protégé par un mot de passe", "Aucun code QR lisible", "plus d’un code QR"),
    }[language]
    till.language = language
    for file, seen in ((letter(None, encoded), ""), *zip((LOCK, letter(None), letter("a", "b")), says, strict=True)):
        answer = await till.post(
            "/counter/scan",
            {"policy": "drivers-licence-valid", "text": "left of before"},
            files={"image": ("mail.pdf", file)},
        )
        assert answer.status_code == (422 if seen else 303), words(answer.text)
        assert seen in words(answer.text)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_code_in_parts_is_gathered_scan_by_scan(till: Till, verifier: Deployed, language: str) -> None:
    till.language = language
    read = {"en": "{} of {} parts read", "fr": "Parties lues : {} sur {}"}[language]
    *most, last = parts.cut(verifier.held(LICENCE).encoded)
    count, gathered = len(most) + 1, ""
    for number, part in enumerate([most[0], *reversed(most)], 1):
        answer = await till.post(
            "/counter/scan", {"policy": "drivers-licence-valid", "text": part, "gathered": gathered}
        )
        assert answer.status_code == 200
        assert read.format(min(number, len(most)), count) in words(answer.text)
        gathered = html.unescape(re.search(r'name="gathered" value="([^"]*)"', answer.text)[1])  # type: ignore[index]
        assert re.search(r'id="f-text" name="text"[^>]* value=""', answer.text), "the field is ready for the next part"
    answer = await till.post("/counter/scan", {"policy": "drivers-licence-valid", "text": last, "gathered": gathered})
    assert answer.status_code == 303
    assert CANARY in await till.read(str(answer.headers["location"])[3:])


async def test_the_parts_of_a_revoked_document_are_red(till: Till, verifier: Deployed) -> None:
    authority, index = verifier.federation.on, 4243  # nobody else's
    authority.bits.set(index, Status.REVOKED.value)
    verifier.network.documents[authority.list_uri()] = authority.token_list().encode()
    revoked = verifier.held(LICENCE, index=index).encoded
    assert "The authority has revoked this document." in await scanned(till, " ".join(parts.cut(revoked)))


async def test_parts_that_make_no_code_are_refused_and_forgotten(till: Till, verifier: Deployed) -> None:
    first, *rest = parts.cut(verifier.held(LICENCE).encoded)
    other, *_ = parts.cut(verifier.held(PERSON).encoded)
    policy = {"policy": "drivers-licence-valid"}
    wrong = await till.post("/counter/scan", {**policy, "text": " ".join([first[:-1] + "~", *rest])})
    assert wrong.status_code == 422
    assert "These parts do not make one code" in words(wrong.text)
    assert 'name="gathered" value=""' in wrong.text
    anew = await till.post("/counter/scan", {**policy, "text": other, "gathered": " ".join([first, *rest[1:]])})
    assert anew.status_code == 200
    assert f'name="gathered" value="{other}"' in anew.text, "a part of another code begins anew"
    whole = await till.post("/counter/scan", {**policy, "text": " ".join(parts.cut("no-credential"))})
    assert whole.status_code == 422
    assert 'name="gathered" value=""' in whole.text


async def test_a_picture_of_all_parts_is_read_at_once(till: Till, verifier: Deployed) -> None:
    drawn = [
        Image.open(io.BytesIO(qr.png(each, pixels_per_module=4))) for each in parts.cut(verifier.held(LICENCE).encoded)
    ]
    sheet = Image.new("L", (sum(each.width for each in drawn), max(each.height for each in drawn)), 255)
    for number, each in enumerate(drawn):
        sheet.paste(each, (sum(before.width for before in drawn[:number]), 0))
    picture = io.BytesIO()
    sheet.save(picture, "PNG")
    sent = {"policy": "drivers-licence-valid", "text": ""}
    answer = await till.post("/counter/scan", sent, files={"image": ("sheet.png", picture.getvalue())})
    assert answer.status_code == 303, words(answer.text)


async def test_frames_are_read_for_counters_only(till: Till, verifier: Deployed) -> None:
    sent = {"files": {"image": ("frame.jpg", qr.png("hello"))}}
    read = await till.post("/counter/scan/frame", {}, drawn_at="/counter/scan", **sent)
    assert read.json() == {"text": "hello"}
    other = await Till(verifier).post("/counter/scan/frame", {}, drawn_at="/counter/sign-in", **sent)
    assert other.status_code == 401


async def test_what_takes_two_credentials_is_not_offered(till: Till, verifier: Deployed) -> None:
    answer = await till.post("/counter/scan", {"policy": "server-and-person", "text": verifier.held(LICENCE).encoded})
    assert answer.status_code == 422


async def test_without_a_registry_there_is_no_verdict(till: Till, verifier: Deployed) -> None:
    """Unknown is never yes: the statements of the registry have ended."""
    held = verifier.held(LICENCE, expires_on="2030-01-01")
    verifier.clock.advance(verifier.deployment.registry.snapshot().expires_at - verifier.clock.now())
    assert "Not confirmed" in await scanned(till, held.encoded)
