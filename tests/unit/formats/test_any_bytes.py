"""Any bytes in: a value or Malformed, never another exception. Random ones, and valid tokens gone wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, jose, strict_json
from comity.credential import Format
from comity.errors import Malformed
from comity.formats import FORMATS, OpenedPresentation, of, sd_jwt
from tests.unit.formats.made import (
    AUDIENCE,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    digest,
    disclosure,
    presented,
    sd_jwt_credential,
    sd_payload,
    w3c_credential,
    w3c_document,
)

GOOD = {
    Format.DC_SD_JWT: (sd_jwt_credential().encoded, presented(sd_jwt_credential(), "birthdate", "age_over_19")),
    Format.VC_JWT: (w3c_credential().encoded, presented(w3c_credential())),
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab:/~.é"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_d.", max_size=3), inner, max_size=3),
    max_leaves=6,
)
every_format = pytest.mark.parametrize("name", list(Format))


def survives(read: Callable[..., object], *args: object, **named: object) -> object | None:
    """Return what ``read`` returns, or None when it refuses with a sentence; anything else it raises fails the test."""
    try:
        return read(*args, **named)
    except Malformed as error:
        sentence = error.detail
    assert sentence
    return None


def everything(name: Format, text: str) -> None:
    """Every reading function on ``text``; signatures are not asked for, so that the rest is reached."""
    each = FORMATS[name]
    presentation = survives(each.open, text)
    if not isinstance(presentation, OpenedPresentation):
        return
    for credential in presentation.credentials:
        survives(each.check_header, credential)
        survives(each.process, credential)
    question = {"audience": AUDIENCE, "nonce": NONCE, "at": NOW}
    survives(each.check_holder_proof, presentation, HOLDER.public_jwk, **question)


@every_format
@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")) | st.text("eyJ.~-_0", max_size=60))
def test_any_text(name: Format, text: str) -> None:
    everything(name, text)


@given(st.binary() | st.text())
def test_any_file(data: bytes | str) -> None:
    assert survives(of, data) in (None, *Format)


@every_format
@given(st.data())
def test_valid_tokens_with_a_part_exchanged(name: Format, data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(GOOD[name]))
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(start + 8, len(good))))
    everything(name, good[:start] + data.draw(st.text("eyJ.~-_0=\né", max_size=4)) + good[end:])


MEMBERS = {
    Format.DC_SD_JWT: sorted({*sd_payload(), "nbf", "aka_vcts", "aud", "_sd", "_sd_alg", "...", "sub"}),
    Format.VC_JWT: sorted(
        {*w3c_document(), "id", "iss", "sub", "jti", "iat", "nbf", "exp", "aud", "vc", "credentialStatus", "name"}
        | {"credentialSchema", "relatedResource", "evidence", "verifiableCredential", "holder", "nonce"}
    ),
}


@every_format
@given(st.data())
def test_signed_payloads_with_members_of_any_kind(name: Format, data: st.DataObject) -> None:
    good = sd_payload() if name is Format.DC_SD_JWT else w3c_document()
    changes = data.draw(st.dictionaries(st.sampled_from(MEMBERS[name]), ANY_JSON, min_size=1, max_size=3))
    typ = data.draw(st.sampled_from(["dc+sd-jwt"] if name is Format.DC_SD_JWT else ["vc+jwt", "vp+jwt"]))
    token = jose.sign({"typ": typ, "kid": "did:web:issuer.example#1"}, good | changes, ISSUER)
    everything(name, token + ("~" if name is Format.DC_SD_JWT else ""))


@every_format
@given(st.data())
def test_signed_proofs_with_members_of_any_kind(name: Format, data: st.DataObject) -> None:
    head, _, proof = GOOD[name][1].rpartition("~")
    jws = jose.parse(proof)
    members = sorted({*jose.payload_object(jws), "exp", "nbf", "holder", "iss"})
    changes = data.draw(st.dictionaries(st.sampled_from(members), ANY_JSON, min_size=1, max_size=3))
    kid = data.draw(st.sampled_from([{}, {"kid": "did:jwk:e30"}, {"kid": "did:jwk:"}, {"kid": "did:jwk:a/b?c#d"}]))
    forged = jose.sign({**jws.header, **kid}, jose.payload_object(jws) | changes, HOLDER)
    everything(name, f"{head}~{forged}" if head else forged)


@given(ANY_JSON, st.sampled_from(["_sd", "...", "_sd_alg", "a"]), st.data())
def test_any_payload_and_disclosures(value: Any, name: str, data: st.DataObject) -> None:
    one = disclosure("salt", name, value)
    two = base64url.encode(strict_json.serialise(value))
    digests = data.draw(st.lists(st.sampled_from([digest(one), digest(two), "x"]), max_size=3))
    payload = {"_sd": digests, "b": [{"...": digest(two)}, value], "c": {name: value}}
    chosen = data.draw(st.lists(st.sampled_from([one, two, "e30"]), max_size=3))
    processed = survives(sd_jwt.process_payload, payload, chosen)
    if isinstance(processed, sd_jwt.Processed):
        assert len(processed.disclosed) == len(chosen)
        assert b'"_sd"' not in strict_json.serialise(processed.payload)
