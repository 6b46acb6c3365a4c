"""What is offered, chosen and sealed (OpenID4VCI §10). The endpoints' side is tried in tests/services."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import jwe
from comity.errors import Code, Malformed
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from comity.openid.issuance import encryption
from comity.openid.issuance.deferred import DeferredRequest
from comity.openid.issuance.encryption import AnswerKey, Choice, RequestEncryption, ResponseEncryption
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal

KEY = EncryptionKey.generate("issuer")
OFFERED = RequestEncryption(keys=(KEY.public_jwk,), enc_values=("A128GCM", "A256GCM"))
METADATA = Refusal(code=Code.METADATA_INVALID)


def members(value: dict[str, Any]) -> Members:
    return Members(value, "test", METADATA)


def test_what_is_written_is_read_back() -> None:
    assert RequestEncryption.parse(members(OFFERED.to_dict())) == OFFERED
    answer = ResponseEncryption(is_required=True)
    assert ResponseEncryption.parse(members(answer.to_dict())) == answer
    choice = encryption.choose(OFFERED, answer)
    assert choice is not None
    assert Choice.from_dict(choice.to_dict()) == choice
    assert (choice.request_enc, choice.response_enc) == ("A256GCM", "A256GCM")
    key = AnswerKey(jwk=KEY.public_jwk, enc="A128GCM")
    assert AnswerKey.parse(members(key.to_dict()), is_encrypted=True) == key
    assert key.to_dict()["alg"] == key.jwk["alg"] == "ECDH-ES"  # where issuers of the drafts until 15 look for it


def test_an_answer_is_encrypted_to_a_key_on_the_one_curve_only() -> None:
    good = AnswerKey(jwk=KEY.public_jwk, enc="A128GCM").to_dict()
    other = {**KeySigner.generate("ES384").public_jwk, "alg": "ECDH-ES"}
    with pytest.raises(OAuthError) as caught:
        AnswerKey.parse(members({**good, "jwk": other}), is_encrypted=True)
    assert caught.value.error is OAuthErrorCode.INVALID_ENCRYPTION_PARAMETERS
    assert AnswerKey.parse(members(good), is_encrypted=True).jwk == KEY.public_jwk


def test_a_deferred_answer_is_encrypted_for_an_encrypted_request_only() -> None:
    body = {
        "transaction_id": "t",
        "credential_response_encryption": AnswerKey(jwk=KEY.public_jwk, enc="A256GCM").to_dict(),
    }
    with pytest.raises(OAuthError) as caught:
        DeferredRequest.parse(body, is_encrypted=False)
    assert caught.value.error is OAuthErrorCode.INVALID_ENCRYPTION_PARAMETERS
    found = DeferredRequest.parse(body, is_encrypted=True)
    assert (found.transaction_id, found.to_dict()) == ("t", body)


@pytest.mark.parametrize("missing", ["jwks", "enc_values_supported"])
def test_metadata_need_keys_and_algorithms(missing: str) -> None:
    said = {name: value for name, value in OFFERED.to_dict().items() if name != missing}
    with pytest.raises(OAuthError):
        RequestEncryption.parse(members(said))


@pytest.mark.parametrize("missing", ["kid", "alg"])
def test_a_key_in_metadata_names_itself_and_its_algorithm(missing: str) -> None:
    key = {name: value for name, value in KEY.public_jwk.items() if name != missing}
    with pytest.raises(OAuthError):
        RequestEncryption.parse(members({**OFFERED.to_dict(), "jwks": {"keys": [key]}}))


def test_a_usable_key_is_found_among_others() -> None:
    others: list[dict[str, Any]] = [
        {"kty": "RSA", "kid": "1", "alg": "RSA-OAEP-256", "n": "AQ", "e": "AQAB"},
        {**KeySigner.generate("ES384").public_jwk, "kid": "2", "alg": "ECDH-ES"},
        {**KEY.public_jwk, "use": "sig"},
        {**KEY.public_jwk, "y": KEY.public_jwk["x"]},
    ]
    among = RequestEncryption(keys=(*others, KEY.public_jwk), enc_values=("A128GCM",))
    choice = encryption.choose(among, None)
    assert choice == Choice(request_jwk=KEY.public_jwk, request_enc="A128GCM", response_enc=None)
    assert encryption.choose(RequestEncryption(keys=tuple(others), enc_values=("A128GCM",)), None) is None
    assert encryption.choose(RequestEncryption(keys=(KEY.public_jwk,), enc_values=("A128CBC-HS256",)), None) is None


def test_what_is_demanded_and_cannot_be_done_is_refused() -> None:
    foreign = RequestEncryption(keys=(KEY.public_jwk,), enc_values=("A128CBC-HS256",), is_required=True)
    for request, response in (
        (foreign, None),
        (None, ResponseEncryption(is_required=True)),  # an encrypted answer needs an encrypted request
        (OFFERED, ResponseEncryption(alg_values=("RSA-OAEP",), is_required=True)),
        (OFFERED, ResponseEncryption(enc_values=("A128CBC-HS256",), is_required=True)),
    ):
        with pytest.raises(OAuthError) as refusal:
            encryption.choose(request, response)
        assert refusal.value.code is Code.METADATA_INVALID
    assert encryption.choose(None, ResponseEncryption()) is None
    assert encryption.choose(None, None) is None


def test_a_request_is_opened_by_its_key_only() -> None:
    choice = encryption.choose(OFFERED, None)
    assert choice is not None
    token = encryption.seal_request({"a": 1}, choice).encode()
    assert encryption.kid_of_request(token) == "issuer"
    assert encryption.open_request(token, KEY) == b'{"a":1}'
    for other in (None, EncryptionKey.generate("issuer")):
        with pytest.raises(OAuthError) as refusal:
            encryption.open_request(token, other)
        assert refusal.value.error is OAuthErrorCode.INVALID_ENCRYPTION_PARAMETERS


def test_a_response_is_what_was_asked_for() -> None:
    token = AnswerKey(jwk=KEY.public_jwk, enc="A128GCM").seal({"a": 1}).encode()
    assert encryption.open_response(token, "application/jwt", KEY, "A128GCM") == {"a": 1}
    for body, kind, enc in (
        (token, "application/json", "A128GCM"),
        (token, "application/jwt", "A256GCM"),
        (b"\xff", "application/jwt", "A128GCM"),
    ):
        with pytest.raises(OAuthError) as refusal:
            encryption.open_response(body, kind, KEY, enc)
        assert refusal.value.code is Code.RESPONSE_NOT_ENCRYPTED


@given(st.binary() | st.text(alphabet="ABC._-=", max_size=40).map(str.encode))
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    for read in (
        lambda: encryption.kid_of_request(data),
        lambda: encryption.open_request(data, KEY),
    ):
        with pytest.raises(OAuthError) as refusal:
            read()
        assert refusal.value.error is OAuthErrorCode.INVALID_ENCRYPTION_PARAMETERS
    with pytest.raises(Malformed):
        encryption.open_response(data, "application/jwt", KEY, "A256GCM")


def test_a_key_survives_being_kept() -> None:
    token = jwe.encrypt(b"x", KEY.public_jwk)
    kept = EncryptionKey.from_private_jwk(KEY.private_jwk())
    assert kept == KEY
    assert jwe.decrypt(token, kept.private_jwk()) == b"x"
    assert "d" not in kept.public_jwk
