"""What a verifier may be told, and where: only an address that the client who signed may receive answers at (P15)."""

from typing import Any

import pytest

from comity.errors import Code
from comity.openid.presentation.refused import RefusedRequest
from comity.openid.refusal import OAuthError
from tests.unit.openid.asked import encoded, verify
from tests.unit.openid.parties import QUERY, Verifier

MDOC = {"client_metadata": {"vp_formats_supported": {"mso_mdoc": {}}}, "response_mode": "direct_post"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"dcql_query": ...}, "invalid_request"),
        ({"scope": "age"}, "invalid_request"),
        ({"scope": "age", "dcql_query": ...}, "invalid_scope"),
        ({"redirect_uri": "https://verifier.example/r"}, "invalid_request"),
        ({"transaction_data": ["e30"]}, "invalid_transaction_data"),
        (MDOC, "vp_formats_not_supported"),
    ],
)
def test_it_is_known_where_to_say_so(verifier: Verifier, change: dict[str, Any], error: str) -> None:
    with pytest.raises(RefusedRequest) as caught:
        verify(verifier, encoded(verifier, **change))
    reply = caught.value.reply
    assert (caught.value.error.value, reply.response_uri, reply.state) == (
        error,
        "https://verifier.example/openid/responses/1",
        "st4te",
    )
    assert reply.client == verifier.client


def test_an_elsewhere_is_not_told(verifier: Verifier) -> None:
    """P15: the address is not one of the client's; the wallet says nothing to anybody."""
    client = "x509_san_dns:verifier.example"
    for address, is_told in (("https://evil.example/r", False), ("https://verifier.example/r", True)):
        text = encoded(verifier, client_id=client, response_uri=address, transaction_data=["e30"])
        with pytest.raises(OAuthError) as caught:
            verify(verifier, text, client=client)
        assert isinstance(caught.value, RefusedRequest) is is_told


@pytest.mark.parametrize("change", [{"response_uri": ...}, {"response_mode": "fragment"}, {"state": 7}])
def test_no_address_no_answer(verifier: Verifier, change: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        verify(verifier, encoded(verifier, dcql_query=..., **change))
    assert not isinstance(caught.value, RefusedRequest)


def test_what_is_forged_is_never_told(verifier: Verifier) -> None:
    genuine = encoded(verifier, transaction_data=["e30"])
    with pytest.raises(OAuthError) as caught:
        verify(verifier, genuine[:-4] + ("AAAA" if genuine[-4:] != "AAAA" else "BBBB"))
    assert not isinstance(caught.value, RefusedRequest)
    assert caught.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("value", ["text", [], [7], [{"format": 7}], [{"format": "comity-entitlement+jwt"}]])
def test_verifier_info_that_is_none(verifier: Verifier, value: Any) -> None:
    with pytest.raises(OAuthError):
        verify(verifier, encoded(verifier, verifier_info=value))


def test_verifier_info_of_other_formats_is_ignored(verifier: Verifier) -> None:
    """VP-5."""
    ours = {"format": "comity-entitlement+jwt", "data": "a.b.c", "credential_ids": ["person"]}
    info = [{"format": "jwt", "data": {"any": "thing"}}, ours]
    found = verify(verifier, encoded(verifier, verifier_info=info, dcql_query=QUERY)).request
    assert [each.to_dict() for each in found.verifier_info] == [ours]
