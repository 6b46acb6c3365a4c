import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from comity import base64url, dcql, jwe, strict_json
from comity.errors import Code
from comity.jwe import EncryptionKey
from comity.openid import form
from comity.openid.presentation import response
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.presentation.request import RequestObject, ResponseMode
from comity.openid.presentation.response import EncryptedAnswer, ErrorAnswer, PlainAnswer, Received
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.unit.openid.parties import QUERY, Verifier, make_verifier

TOKEN = {"person": ("a.b.c~d~e.f.g",)}
DIRECT, JWT = ResponseMode.DIRECT_POST, ResponseMode.DIRECT_POST_JWT


def plain(verifier: Verifier) -> RequestObject:
    return structs.replace(verifier.request(), response_mode=DIRECT)


def settle(verifier: Verifier, answer: response.Answer, **change: Any) -> PlainAnswer | ErrorAnswer:
    options: dict[str, Any] = {
        "mode": JWT,
        "state": "st4te",
        "query": dcql.parse(QUERY),
        "private_jwk": verifier.encryption.private_jwk(),
    }
    return response.settle(answer, **{**options, **change})


def refused(verifier: Verifier, answer: response.Answer, code: Code, **change: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        settle(verifier, answer, **change)
    assert caught.value.code is code


@pytest.mark.clause("VP-20")
def test_direct_post(verifier: Verifier) -> None:
    answer = response.parse(response.build(plain(verifier), TOKEN))
    assert answer == PlainAnswer(vp_token=TOKEN, state="st4te")
    assert settle(verifier, answer, mode=DIRECT, private_jwk=None) == answer
    assert "a.b.c" not in repr(answer)


def test_without_state(verifier: Verifier) -> None:
    asked = structs.replace(plain(verifier), state=None)
    answer = response.parse(response.build(asked, TOKEN))
    assert settle(verifier, answer, mode=DIRECT, state=None) == PlainAnswer(vp_token=TOKEN)


@pytest.mark.clause("VP-22")
def test_direct_post_jwt(verifier: Verifier) -> None:
    body = response.build(verifier.request(), TOKEN)
    assert "a.b.c" not in body
    answer = response.parse(body)
    assert isinstance(answer, EncryptedAnswer)
    assert answer.kid == "enc-1"  # 6.7 step 1: how the verifier finds the transaction
    assert jwe.header(answer.token)["enc"] == "A256GCM"
    assert settle(verifier, answer) == PlainAnswer(vp_token=TOKEN, state="st4te")


def test_answer_without_a_usable_key(verifier: Verifier) -> None:
    for metadata in (None, ClientMetadata(), structs.replace(verifier.metadata, encryption_methods=("X",))):
        with pytest.raises(OAuthError):
            response.build(structs.replace(verifier.request(), client_metadata=metadata), TOKEN)


@pytest.mark.parametrize("token", [{}, {"person": ()}, {"person": ("a",), "many": ()}])
def test_an_empty_answer_is_not_built(verifier: Verifier, token: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(OAuthError):
        response.build(plain(verifier), token)


@pytest.mark.clause("VP-22")
def test_errors_travel_in_the_clear(verifier: Verifier) -> None:  # VP-22, trap 29
    body = response.build_error(OAuthErrorCode.ACCESS_DENIED, state="st4te")
    assert body == "error=access_denied&state=st4te"
    answer = response.parse(body)
    assert answer == ErrorAnswer(error="access_denied", state="st4te")
    assert settle(verifier, answer) == answer
    told = response.parse(response.build_error(OAuthErrorCode.INVALID_REQUEST, state=None, detail='a "b"'))
    assert told == ErrorAnswer(error="invalid_request", description="a 'b'")
    assert response.parse("error=x&error_description=%C3%A9") == ErrorAnswer(error="x", description="'")


def test_an_error_of_a_third_party_has_no_state(verifier: Verifier) -> None:  # P12
    for state in (None, "guess"):
        answer = response.parse(response.build_error(OAuthErrorCode.ACCESS_DENIED, state=state))
        refused(verifier, answer, Code.STATE_MISMATCH)


@pytest.mark.clause("VP-22")
def test_plain_answer_where_encryption_was_asked(verifier: Verifier) -> None:  # P10
    refused(verifier, response.parse(response.build(plain(verifier), TOKEN)), Code.RESPONSE_NOT_ENCRYPTED)


def test_encrypted_answer_where_none_was_asked(verifier: Verifier) -> None:
    answer = response.parse(response.build(verifier.request(), TOKEN))
    refused(verifier, answer, Code.RESPONSE_INVALID, mode=DIRECT, private_jwk=None)
    refused(verifier, answer, Code.RESPONSE_INVALID, mode=DIRECT)


def test_key_of_another_transaction(verifier: Verifier) -> None:  # P10
    answer = response.parse(response.build(verifier.request(), TOKEN))
    for kid in ("enc-1", "enc-2"):
        refused(verifier, answer, Code.DECRYPTION_FAILED, private_jwk=EncryptionKey.generate(kid).private_jwk())


def encrypted(verifier: Verifier, inner: bytes, **header: Any) -> str:
    return form.encode({"response": jwe.encrypt(inner, verifier.encryption.public_jwk, **header)})


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (b"not json", Code.MALFORMED_JSON),
        (b"[]", Code.MALFORMED_JSON),
        (b'{"state":"st4te"}', Code.RESPONSE_INVALID),
        (b'{"state":"st4te","vp_token":{"person":["a"]},"error":"x"}', Code.RESPONSE_INVALID),
        (b'{"state":"st4te","vp_token":[]}', Code.RESPONSE_INVALID),
        (b'{"state":"st4te","vp_token":"{}"}', Code.RESPONSE_INVALID),
        (b'{"state":"st4te","vp_token":{"person":["a"]},"vp_token":{"person":["b"]}}', Code.DUPLICATE_MEMBER),
        (b'{"state":7,"vp_token":{"person":["a"]}}', Code.RESPONSE_INVALID),
        (b'{"state":"other","vp_token":{"person":["a"]}}', Code.STATE_MISMATCH),
        (b'{"vp_token":{"person":["a"]}}', Code.STATE_MISMATCH),
    ],
)
def test_inner_answer_refused(verifier: Verifier, inner: bytes, code: Code) -> None:
    refused(verifier, response.parse(encrypted(verifier, inner)), code)


def test_encrypted_error(verifier: Verifier) -> None:
    answer = response.parse(encrypted(verifier, b'{"state":"st4te","error":"access_denied"}'))
    assert settle(verifier, answer) == ErrorAnswer(error="access_denied", state="st4te")


def test_state_outside_the_encryption_does_not_count(verifier: Verifier) -> None:  # 6.7 step 1
    body = encrypted(verifier, b'{"vp_token":{"person":["a"]}}') + "&state=st4te"
    refused(verifier, response.parse(body), Code.STATE_MISMATCH)


def test_an_unknown_state(verifier: Verifier) -> None:
    answer = PlainAnswer(vp_token=TOKEN, state="other")
    refused(verifier, answer, Code.STATE_MISMATCH, mode=DIRECT)
    refused(verifier, PlainAnswer(vp_token=TOKEN), Code.STATE_MISMATCH, mode=DIRECT)


@pytest.mark.clause("VP-20")
def test_shape_against_the_query(verifier: Verifier) -> None:  # P06, P07
    def answer(**token: tuple[str, ...]) -> PlainAnswer:
        return PlainAnswer(vp_token=token, state="st4te")

    refused(verifier, answer(other=("a",)), Code.CREDENTIAL_NOT_REQUESTED, mode=DIRECT)
    refused(verifier, answer(person=("a", "b")), Code.QUERY_NOT_SATISFIED, mode=DIRECT)
    both = answer(person=("a",), many=("a", "b"))
    assert settle(verifier, both, mode=DIRECT) == both


@pytest.mark.parametrize(
    "body",
    [  # P11
        b"",
        b"state=st4te",
        b"vp_token=%7B%22p%22%3A%5B%22a%22%5D%7D&response=a.b.c.d.e",
        b"vp_token=%7B%22p%22%3A%5B%22a%22%5D%7D&error=x",
        b"vp_token=%7B%22p%22%3A%5B%22a%22%5D%7D&vp_token=%7B%22p%22%3A%5B%22b%22%5D%7D",
        b"vp_token=%5B%22a%22%5D",
        b"vp_token=%22a%22",
        b"vp_token=%7B%7D",
        b"vp_token=%7B%22p%22%3A%22a%22%7D",
        b"vp_token=%7B%22p%22%3A%5B%5D%7D",
        b"vp_token=%7B%22p%22%3A%5B%22%22%5D%7D",
        b"vp_token=%7B%22p%22%3A%5B%7B%7D%5D%7D",
        b"vp_token=%7B%22p%20q%22%3A%5B%22a%22%5D%7D",
        b"response=a.b.c",
        b'{"vp_token":{"p":["a"]}}',
        b"vp_token=\xff",
    ],
)
def test_posted_form_refused(body: bytes) -> None:
    with pytest.raises(OAuthError) as caught:
        response.parse(body)
    assert caught.value.error is OAuthErrorCode.INVALID_REQUEST


def test_good_twin_of_the_posted_forms() -> None:
    assert response.parse(b"vp_token=%7B%22p%22%3A%5B%22a%22%5D%7D&unknown=1") == PlainAnswer(vp_token={"p": ("a",)})


def test_too_many_presentations() -> None:
    most = response.MAX_PRESENTATIONS
    assert response.parse_vp_token({"a": ["x"] * (most - 1), "b": ["x"]})
    with pytest.raises(OAuthError, match="too many"):
        response.parse_vp_token({"a": ["x"] * most, "b": ["x"]})


def test_compressed_answers_and_foreign_algorithms_are_not_opened(verifier: Verifier) -> None:
    good = response.build(verifier.request(), TOKEN)
    token = good.removeprefix("response=")
    protected = {**jwe.header(token), "zip": "DEF"}
    changed = ".".join([base64url.encode(strict_json.serialise(protected)), *token.split(".")[1:]])
    with pytest.raises(OAuthError) as caught:
        response.parse(f"response={changed}")
    assert caught.value.code is Code.ALGORITHM_NOT_ALLOWED


def test_answer_without_kid(verifier: Verifier) -> None:
    anonymous = {name: value for name, value in verifier.encryption.public_jwk.items() if name != "kid"}
    inner = strict_json.serialise({"vp_token": {"person": ["a"]}, "state": "st4te"})
    answer = response.parse(form.encode({"response": jwe.encrypt(inner, anonymous)}))
    assert isinstance(answer, EncryptedAnswer)
    assert answer.kid is None
    with pytest.raises(OAuthError) as caught:  # VP-22: a wallet copies the kid of the key
        settle(verifier, answer)
    assert caught.value.code is Code.DECRYPTION_FAILED
    named = response.parse(form.encode({"response": jwe.encrypt(inner, verifier.encryption.public_jwk)}))
    assert settle(verifier, named) == PlainAnswer(vp_token={"person": ("a",)}, state="st4te")


@pytest.mark.parametrize("target", ["https://verifier.example/done?response_code=abc", "app.example://done", None])
@pytest.mark.clause("VP-21")
def test_reply(target: str | None) -> None:
    reply = Received(redirect_uri=target)
    assert Received.parse(strict_json.serialise({**reply.to_dict(), "future": 1})) == reply


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/done",
        "//verifier.example/done",
        "mailto:someone@verifier.example",
        "javascript://x/%0aalert(1)",
        "data:text/html,x",
        "data://x/y",
        "file://host/etc",
        "blob://x/y",
        "https://[bad",
        "https://a b",
        "https://é.example",
        "https://a\n",
        7,
    ],
)
@pytest.mark.clause("VP-21")
def test_reply_refused(target: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        Received.parse({"redirect_uri": target})
    assert caught.value.code is Code.RESPONSE_INVALID


PARTY = make_verifier()


@given(st.binary(), st.sampled_from([b"", b"vp_token=", b"response=", b"error="]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    with contextlib.suppress(OAuthError):
        response.parse(start + data)
    with contextlib.suppress(OAuthError):
        Received.parse(data)


@given(
    st.binary() | st.dictionaries(st.sampled_from(["vp_token", "state", "error"]), st.text()).map(strict_json.serialise)
)
def test_any_inner_answer(inner: bytes) -> None:
    with contextlib.suppress(OAuthError):
        settle(PARTY, response.parse(encrypted(PARTY, inner)))


@given(st.dictionaries(st.text(), st.lists(st.text() | st.integers())))
def test_any_vp_token(token: dict[str, Any]) -> None:
    try:
        parsed = response.parse_vp_token(token)
    except OAuthError:
        return
    assert {name: list(values) for name, values in parsed.items()} == token
