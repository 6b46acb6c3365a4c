"""What the commands of a wallet file call the other side."""

from typing import Any

import pytest

from wallet import printed

NAME = {"en": "Corner store (DEMO)", "fr": "Dépanneur du coin (DÉMO)"}
UNKNOWN = "x509_san_dns:shop.example"


@pytest.mark.parametrize(
    ("content", "other"),
    [
        ({"who": {"name": NAME, "client_id": UNKNOWN}}, "Dépanneur du coin (DÉMO)"),
        ({"who": {"name": None, "client_id": UNKNOWN}}, UNKNOWN),
        ({"issuer": "https://on.example"}, "https://on.example"),
        ({}, ""),
    ],
    ids=["listed", "not-listed", "issuer", "nobody"],
)
def test_the_history_names_the_other_side(content: dict[str, Any], other: str) -> None:
    assert printed.other_side(content, "fr") == other


def test_what_a_verifier_says_it_is_for_is_printed_as_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    who = {"name": NAME, "client_id": UNKNOWN, "known": True, "may_ask": "passed"}
    said = [{"en": "To [bold]sell\u202e wine", "fr-ca": "Pour vendre du vin"}]
    document = {"who": who, "warnings": [], "transactions": [], "stated": said}
    for language, words in (("en", "nobody has checked: To [bold]sell wine"), ("fr", "Pour vendre du vin")):
        printed.consent(document, [], language)
        assert words in " ".join(capsys.readouterr().out.split())
