import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code
from comity.openid import form
from comity.openid.issuance.offer import (
    AuthorizationCodeGrant,
    CredentialOffer,
    OfferReference,
    PreAuthorizedGrant,
    TransactionCode,
    parse_link,
)
from comity.openid.oauth import PRE_AUTHORIZED_GRANT
from comity.openid.refusal import OAuthError

ISSUER = "https://issuer.example/ca-bc/services"


def document(**change: Any) -> dict[str, Any]:
    offer = {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["person.1.sdjwt", "person.1.vcjwt"],
        "grants": {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c0de", "tx_code": {}}},
    }
    return {name: value for name, value in {**offer, **change}.items() if value is not ...}


def with_tx_code(tx_code: Any) -> dict[str, Any]:
    return document(grants={PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", "tx_code": tx_code}})


@pytest.mark.clause("VCI-11")
def test_an_empty_tx_code_object_still_asks_for_a_code() -> None:  # VCI-11
    offer = CredentialOffer.parse(document())
    assert offer.pre_authorized is not None
    assert offer.pre_authorized.transaction_code == TransactionCode(input_mode="numeric")
    without = CredentialOffer.parse(document(grants={PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c"}}))
    assert without.pre_authorized is not None
    assert without.pre_authorized.transaction_code is None


@pytest.mark.clause("VCI-10")
def test_round_trip_by_value() -> None:
    offer = CredentialOffer(
        credential_issuer=ISSUER,
        configuration_ids=("person.1.sdjwt",),
        pre_authorized=PreAuthorizedGrant(
            code="c0de",
            transaction_code=TransactionCode(input_mode="text", length=6, description="Envoyé par la poste"),
            authorization_server="https://as.example",
        ),
    )
    link = offer.link()
    assert link.startswith("openid-credential-offer://?credential_offer=")
    assert parse_link(link) == offer
    assert "c0de" not in repr(offer)
    assert CredentialOffer(credential_issuer=ISSUER, configuration_ids=("a",)).to_dict() == {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["a"],
    }
    assert PreAuthorizedGrant(code="c").to_dict() == {"pre-authorized_code": "c"}
    assert TransactionCode().to_dict() == {"input_mode": "numeric"}


@pytest.mark.clause("VCI-10")
def test_round_trip_by_reference() -> None:
    reference = OfferReference(url=f"{ISSUER}/offers/abc?x=1")
    assert parse_link(reference.link()) == reference
    # HAIP's scheme, a wallet's own https link, white space around what was pasted, an unknown parameter.
    query = form.encode({"credential_offer_uri": reference.url, "extra": "1"})
    for prefix in ("haip-vci://?", "https://wallet.example/open?", "  openid-credential-offer://?"):
        assert parse_link(f"{prefix}{query}\n") == reference


@pytest.mark.parametrize("grants", [..., {}])
def test_grants_may_be_absent_or_empty(grants: Any) -> None:
    offer = CredentialOffer.parse(document(grants=grants))
    assert offer.pre_authorized is None
    assert offer.other_grants == frozenset()
    assert offer.names_no_grant


def test_the_grant_by_sign_in_is_read_as_it_is_written() -> None:
    grant = {"issuer_state": "planted", "authorization_server": ISSUER}
    offer = CredentialOffer.parse(document(grants={"authorization_code": grant}))
    assert offer.authorization_code == AuthorizationCodeGrant(issuer_state="planted", authorization_server=ISSUER)
    assert CredentialOffer.parse(offer.to_dict()) == offer
    assert not offer.names_no_grant
    assert "planted" not in repr(offer.authorization_code)
    both = CredentialOffer.parse(
        document(grants={"authorization_code": {}, PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c"}})
    )
    assert (both.authorization_code, both.pre_authorized is not None) == (AuthorizationCodeGrant(), True)
    with pytest.raises(OAuthError):
        CredentialOffer.parse(document(grants={"authorization_code": {"issuer_state": 7}}))


@pytest.mark.clause("VCI-11")
def test_other_grants_are_noted_and_unknown_members_ignored() -> None:
    offer = CredentialOffer.parse(document(grants={"urn:of:tomorrow": {"issuer_state": "s"}}, future=1))
    assert offer.pre_authorized is None
    assert offer.other_grants == {"urn:of:tomorrow"}
    assert not offer.names_no_grant


@pytest.mark.parametrize(
    "bad",
    [
        document(credential_issuer=...),
        document(credential_issuer="http://issuer.example"),
        document(credential_issuer=f"{ISSUER}?a=b"),
        document(credential_issuer=f"{ISSUER}#a"),
        document(credential_configuration_ids=[]),
        document(credential_configuration_ids=["a", "a"]),
        document(credential_configuration_ids="a"),
        document(credential_configuration_ids=...),
        document(grants=[]),
        document(grants=None),
        document(grants={PRE_AUTHORIZED_GRANT: "c"}),
        document(grants={PRE_AUTHORIZED_GRANT: {}}),
        with_tx_code(None),
        with_tx_code("1234"),
        with_tx_code({"input_mode": "voice"}),
        with_tx_code({"length": 0}),
        with_tx_code({"length": "4"}),
        with_tx_code({"description": "x" * 301}),
    ],
)
@pytest.mark.clause("VCI-11")
def test_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        CredentialOffer.parse(bad)
    assert caught.value.code is Code.OFFER_INVALID


def test_a_description_of_300_characters_passes() -> None:
    offer = CredentialOffer.parse(with_tx_code({"description": "x" * 300, "length": 1, "input_mode": "text"}))
    assert offer.pre_authorized is not None
    assert offer.pre_authorized.transaction_code == TransactionCode(input_mode="text", length=1, description="x" * 300)


@pytest.mark.parametrize(
    "link",
    [
        "",
        "openid-credential-offer://?",
        "openid-credential-offer://?credential_offer=%7B%7D&credential_offer_uri=https%3A%2F%2Fi.example",
        "openid-credential-offer://?credential_offer_uri=http%3A%2F%2Fi.example",
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example&credential_offer_uri=https%3A%2F%2Fb",
        "openid4vp://?credential_offer_uri=https%3A%2F%2Fi.example",
        "javascript:alert(1)",
        "https://[bad/?credential_offer_uri=https%3A%2F%2Fi.example",
        "http://wallet.example/?credential_offer_uri=https%3A%2F%2Fi.example",
    ],
)
@pytest.mark.clause("VCI-10")
def test_links_refused(link: str) -> None:
    with pytest.raises(OAuthError) as caught:
        parse_link(link)
    assert caught.value.code is Code.OFFER_INVALID


def test_duplicate_members_in_an_offer_by_value() -> None:
    text = '{"credential_issuer":"https://a.example","credential_issuer":"https://b.example"}'
    with pytest.raises(OAuthError) as caught:
        parse_link(f"openid-credential-offer://?{form.encode({'credential_offer': text})}")
    assert caught.value.code is Code.DUPLICATE_MEMBER


@given(st.text())
def test_any_text_as_link(text: str) -> None:
    for link in (text, f"openid-credential-offer://?{text}", f"openid-credential-offer://?credential_offer={text}"):
        try:
            parse_link(link)
        except OAuthError:
            continue


@given(st.binary())
def test_any_bytes_as_offer(data: bytes) -> None:
    with contextlib.suppress(OAuthError):
        CredentialOffer.parse(data)
