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
