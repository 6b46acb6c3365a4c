"""Unsigned requests name nobody; and no input at all escapes as another error."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from comity import base64url
from comity.errors import Code
from comity.openid.presentation import request
from comity.openid.presentation.request import (
    Unsigned,
)
from comity.openid.refusal import OAuthError
from tests.unit.openid.asked import by_did, encoded, needed, unsigned, verify
from tests.unit.openid.parties import AT, Verifier, make_verifier


@pytest.mark.clause("6-2-redirect_uri")
def test_an_unsigned_request_names_nobody(verifier: Verifier) -> None:  # P13
    found = request.read_unsigned(unsigned(verifier))
    assert found.proof == Unsigned(response_uri="https://verifier.example/r")
    assert found.request.query == verifier.request().query
    assert found.request.issued_at is None
    omitted = request.read_unsigned(unsigned(verifier, response_uri=None))
    assert omitted.request.response_uri == "https://verifier.example/r"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"response_uri": "https://evil.example/r"}, Code.CLIENT_MISMATCH),
        ({"redirect_uri": "https://verifier.example/r"}, Code.REQUEST_INVALID),
        ({"dcql_query": "{"}, Code.MALFORMED_JSON),
        ({"dcql_query": "[]"}, Code.MALFORMED_QUERY),
        ({"client_metadata": "[]"}, Code.REQUEST_INVALID),
        ({"nonce": None}, Code.REQUEST_INVALID),
        ({"transaction_data": "[]"}, Code.TRANSACTION_DATA_INVALID),
    ],
)
def test_unsigned_refused(verifier: Verifier, change: dict[str, str | None], code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        request.read_unsigned(unsigned(verifier, **change))
    assert caught.value.code is code


def test_unsigned_under_a_prefix_that_signs(verifier: Verifier) -> None:
    link = structs.replace(unsigned(verifier), client_id=verifier.client.text)
    with pytest.raises(OAuthError, match="does not say who asks"):
        request.read_unsigned(link)


# --- any input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARTY = make_verifier()


@given(st.dictionaries(st.sampled_from([*PARTY.request().to_dict(), "scope", "wallet_nonce"]), JSON, max_size=3))
def test_any_value_in_any_parameter(change: dict[str, Any]) -> None:
    with contextlib.suppress(OAuthError):
        verify(PARTY, encoded(PARTY, **change))


@given(st.text() | st.binary().map(lambda data: f"{base64url.encode(data)}.{base64url.encode(data)}.AAAA"))
def test_any_text(text: str) -> None:
    with pytest.raises(OAuthError):
        request.verify(text, client=PARTY.client.text, at=AT)


@given(st.binary())
def test_any_document(data: bytes) -> None:
    with pytest.raises(OAuthError):
        needed(by_did(PARTY)).resume(data)


@given(st.dictionaries(st.sampled_from(["dcql_query", "client_metadata", "nonce", "state"]), st.text(max_size=20)))
def test_any_unsigned_parameters(fields: dict[str, str]) -> None:
    with contextlib.suppress(OAuthError):
        request.read_unsigned(unsigned(PARTY, **fields))
