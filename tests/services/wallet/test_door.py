"""What is brought to the door as a file: photos as large as phones make them, and PDF files that were mailed."""

import pytest

from comity.web import qr
from tests.services.wallet.test_pages import signed_in, token_in
from tests.services.wallet.town import WALLET, Town
from tests.unit.web.test_pdf import LOCK, letter


async def test_an_offer_comes_as_a_photo_or_a_pdf(town: Town) -> None:
    maya = await signed_in(town)
    link = (await town.offer())["link"]
    page = await maya.client.get("/en/door")
    for file in (qr.png(link) + bytes(3 << 20), letter(link)):
        answer = await maya.client.post(
            "/en/door",
            data={"form_token": token_in(page.text), "text": ""},
            files={"image": ("code", file)},
            headers={"origin": WALLET},
        )
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith("/en/offers/")


@pytest.mark.parametrize(
    ("language", "says"), [("en", "locked with a password"), ("fr", "protégé par un mot de passe")]
)
async def test_a_locked_pdf_is_told_beside_the_field(town: Town, language: str, says: str) -> None:
    maya = await signed_in(town)
    page = await maya.client.get(f"/{language}/door")
    answer = await maya.client.post(
        f"/{language}/door",
        data={"form_token": token_in(page.text), "text": ""},
        files={"image": ("code.pdf", LOCK)},
        headers={"origin": WALLET},
    )
    assert answer.status_code == 422
    assert answer.text.count(says) >= 2, "in the list of errors, and beside the field"
