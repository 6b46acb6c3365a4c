from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import strict_json
from comity.errors import Code
from comity.openid.issuance import credential_response
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.issuance.notification import Notification, NotificationEvent
from comity.openid.refusal import OAuthError, OAuthErrorCode

GOOD = {"credential_configuration_id": "person.1.sdjwt", "proofs": {"jwt": ["a.b.c"]}}


def test_request_round_trip() -> None:
    for request in (
        CredentialRequest(configuration_id="person.1.sdjwt", proofs=("a.b.c", "d.e.f")),
        CredentialRequest(credential_identifier="id-1", proofs=("a.b.c",)),
        CredentialRequest(configuration_id="person.1.sdjwt"),
    ):
        assert CredentialRequest.parse(strict_json.serialise(request.to_dict()), batch_size=2) == request


@pytest.mark.clause("VCI-7")
def test_unknown_members_are_ignored() -> None:
    request = CredentialRequest.parse({**GOOD, "format": "dc+sd-jwt", "proof": {"proof_type": "jwt"}})
    assert request.proofs == ("a.b.c",)
    request.require_proofs()


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        # I10: both, neither
        ({"credential_identifier": "x"}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        ({"credential_configuration_id": ...}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        ({"credential_configuration_id": 1}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        ({"credential_configuration_id": ""}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        ({"proofs": ["a.b.c"]}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        ({"proofs": {}}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        ({"proofs": None}, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, Code.REQUEST_INVALID),
        (
            {"proofs": {"jwt": ["a.b.c"], "di_vp": [{}]}},
            OAuthErrorCode.INVALID_CREDENTIAL_REQUEST,
            Code.REQUEST_INVALID,
        ),
        ({"proofs": {"di_vp": [{}]}}, OAuthErrorCode.INVALID_PROOF, Code.PROOF_INVALID),
        ({"proofs": {"smoke": [{}]}}, OAuthErrorCode.INVALID_PROOF, Code.PROOF_INVALID),
        ({"proofs": {"jwt": []}}, OAuthErrorCode.INVALID_PROOF, Code.PROOF_INVALID),
        ({"proofs": {"jwt": "a.b.c"}}, OAuthErrorCode.INVALID_PROOF, Code.PROOF_INVALID),
        ({"proofs": {"jwt": [1]}}, OAuthErrorCode.INVALID_PROOF, Code.PROOF_INVALID),
        ({"proofs": {"jwt": [""]}}, OAuthErrorCode.INVALID_PROOF, Code.PROOF_INVALID),
        ({"proofs": {"jwt": ["a.b.c"] * 4}}, OAuthErrorCode.INVALID_PROOF, Code.BATCH_TOO_LARGE),  # I11
        ({"proofs": {"jwt": ["a.b.c"] * 10_000}}, OAuthErrorCode.INVALID_PROOF, Code.BATCH_TOO_LARGE),
        (
            {"credential_response_encryption": {"jwk": {}, "enc": "A128GCM"}},
            OAuthErrorCode.INVALID_ENCRYPTION_PARAMETERS,
            Code.REQUEST_INVALID,
        ),
    ],
)
@pytest.mark.clause("VCI-40")
def test_request_refused(change: dict[str, Any], error: OAuthErrorCode, code: Code) -> None:
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    with pytest.raises(OAuthError) as caught:
        CredentialRequest.parse(body, batch_size=3)
    assert (caught.value.error, caught.value.code) == (error, code)


def test_a_full_batch_passes() -> None:
    body = {**GOOD, "proofs": {"jwt": ["a.b.c", "d.e.f", "g.h.i"]}}
    assert len(CredentialRequest.parse(body, batch_size=3).proofs) == 3
    with pytest.raises(OAuthError):
        CredentialRequest.parse({**GOOD, "proofs": {"jwt": ["a.b.c", "d.e.f"]}})  # no batches unless offered


@pytest.mark.clause("VCI-40")
def test_missing_proofs() -> None:
    with pytest.raises(OAuthError) as caught:
        CredentialRequest.parse({"credential_configuration_id": "x"}).require_proofs()
    assert caught.value.error is OAuthErrorCode.INVALID_PROOF


def test_duplicate_members_in_a_request() -> None:
    with pytest.raises(OAuthError) as caught:
        CredentialRequest.parse(b'{"credential_identifier":"a","credential_identifier":"b"}')
    assert caught.value.error is OAuthErrorCode.INVALID_CREDENTIAL_REQUEST
    assert caught.value.code is Code.DUPLICATE_MEMBER


@pytest.mark.clause("VCI-44")
def test_response_round_trip() -> None:
    issued = Issued(credentials=("a~b~", "c~d~"), notification_id="n-1")
    assert credential_response.parse(strict_json.serialise(issued.to_dict()), proofs_sent=2) == issued
    assert Issued(credentials=("a",)).to_dict() == {"credentials": [{"credential": "a"}]}
    assert credential_response.parse({"credentials": [{"credential": "a"}]}, proofs_sent=0) == Issued(
        credentials=("a",)
    )
    assert "a~b~" not in repr(issued)
    deferred = Deferred(transaction_id="t", interval=5)
    assert credential_response.parse(deferred.to_dict(), proofs_sent=1) == deferred


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credentials": []},
        {"credentials": ["a"]},
        {"credentials": [{}]},
        {"credentials": [{"credential": {"@context": []}}]},
        {"credentials": [{"credential": "a"}, {"credential": "b"}]},
        {"credentials": [{"credential": "a"}], "transaction_id": "t", "interval": 1},
        {"credentials": [{"credential": "a"}], "notification_id": 7},
        {"transaction_id": "t"},
        {"transaction_id": "t", "interval": 0},
        {"transaction_id": "t", "interval": 1, "notification_id": "n"},
    ],
)
@pytest.mark.clause("VCI-44")
def test_response_refused(body: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        credential_response.parse(body, proofs_sent=1)
    assert caught.value.code is Code.RESPONSE_INVALID


def test_notification_round_trip() -> None:
    for event in NotificationEvent:
        sent = Notification(notification_id="n", event=event, event_description="Could not store it.")
        assert Notification.parse(strict_json.serialise(sent.to_dict())) == sent
    bare = Notification(notification_id="n", event=NotificationEvent.ACCEPTED)
    assert Notification.parse(bare.to_dict()) == bare
    french = Notification(notification_id="n", event=NotificationEvent.FAILURE, event_description="refusé")
    assert Notification.parse(french.to_dict()).event_description == "refus'"


@pytest.mark.parametrize(
    "body",
    [
        {"event": "credential_accepted"},
        {"notification_id": "n"},
        {"notification_id": "n", "event": "credential_exploded"},
        {"notification_id": "", "event": "credential_accepted"},
        {"notification_id": "n", "event": "credential_accepted", "event_description": 'a "quote"'},
    ],
)
def test_notification_refused(body: dict[str, Any]) -> None:  # I16
    with pytest.raises(OAuthError) as caught:
        Notification.parse(body)
    assert caught.value.error is OAuthErrorCode.INVALID_NOTIFICATION_REQUEST


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "credential_configuration_id",
        "credential_identifier",
        "proofs",
        "credentials",
        "transaction_id",
        "interval",
        "notification_id",
        "event",
        "event_description",
    ]
)


@given(st.binary() | st.dictionaries(NAMES, JSON | st.just({"jwt": ["a"]}), max_size=5).map(strict_json.serialise))
def test_any_document(document: bytes) -> None:
    for parse in (
        CredentialRequest.parse,
        Notification.parse,
        lambda body: credential_response.parse(body, proofs_sent=1),
    ):
        try:
            parse(document)
        except OAuthError:
            continue
