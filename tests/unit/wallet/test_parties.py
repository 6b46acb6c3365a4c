"""What whoever asks is called."""

from typing import Any

import pytest

from wallet.parties import party

CLIENT = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk"


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ({"name": {"en": "Corner store", "fr": "Dépanneur"}, "response_uri": "https://shop.example/1"}, "Dépanneur"),
        ({"name": None, "response_uri": "https://shop.example:8443/answers/1"}, "shop.example"),
        ({"name": None, "response_uri": None, "origin": "https://site.example"}, "site.example"),
        ({"name": None, "response_uri": "https://s\u04bbop.example/1"}, CLIENT),  # a Cyrillic letter that looks like h
        ({"name": None}, CLIENT),
    ],
)
def test_a_stranger_is_called_by_the_host_that_gets_the_answer(who: dict[str, Any], expected: str) -> None:
    assert party({"client_id": CLIENT, **who}, "fr") == expected
