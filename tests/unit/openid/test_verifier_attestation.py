"""Requests under ``verifier_attestation:`` (OpenID4VP 1.0 §5.9.3, §12): what is believed, and every refusal."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from comity import base64url, jose
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid.presentation import client_id, digital_credentials, request, verifier_attestation
from comity.openid.presentation.client_id import Prefix
from comity.openid.presentation.proof import AttestationKey, SignedByAttested
from comity.openid.presentation.refused import RefusedRequest
from comity.openid.presentation.request import NeedsAttester, VerifiedRequest
from comity.openid.refusal import OAuthError
from tests.unit.openid.parties import AT, Verifier

ISSUER, SUBJECT = "https://chamber.example", "shop.example"
CLIENT = client_id.of_attestation(SUBJECT)
ATTESTER = KeySigner.generate()
NAME = {"en": "Shop (DEMO)", "fr": "Magasin (DÉMO)"}


def attested(verifier: Verifier, **change: Any) -> str:
    """An attestation with some claims changed; ``...`` removes one."""
    encoded = verifier_attestation.sign(
        ATTESTER,
        issuer=ISSUER,
        subject=SUBJECT,
        jwk=verifier.signer.public_jwk,
        at=AT,
        until=AT + timedelta(days=30),
        redirect_uris=("https://verifier.example/openid/responses/1", "https://verifier.example/other"),
        name=NAME,
    )
    signer, typ = change.pop("signer", ATTESTER), change.pop("typ", verifier_attestation.TYP)
    claims = {**jose.payload_object(jose.parse(encoded)), **change}
    return jose.sign({"typ": typ}, {name: value for name, value in claims.items() if value is not ...}, signer)


def asked(verifier: Verifier, attestation: Any, **change: Any) -> str:
    """A request object that shows ``attestation``."""
    signer = change.pop("signer", verifier.signer)
    own = structs.replace(verifier.request(), client_id=CLIENT)
    claims = {**own.to_dict(), **change}
    shown = {} if attestation is ... else {"jwt": attestation}
    return jose.sign({"typ": request.TYP, **shown}, claims, signer)


def needed(text: str, **options: Any) -> NeedsAttester:
    found = request.verify(text, client=options.pop("client", CLIENT.text), at=options.pop("at", AT), **options)
    assert isinstance(found, NeedsAttester)
    return found


def verify(text: str, *trusted: KeySigner, **options: Any) -> VerifiedRequest:
    """Verify as a wallet does whose registry lists the attester."""
    return needed(text, **options).resume([each.public_jwk for each in trusted or (ATTESTER,)])


def refused(text: str, code: Code, *trusted: KeySigner, **options: Any) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        verify(text, *trusted, **options)
    assert (caught.value.code, caught.value.error.value) == (code, "invalid_request")
    return caught.value


@pytest.mark.clause("6-2-verifier_attestation")
def test_what_an_attested_verifier_signs_is_what_the_wallet_reads(verifier: Verifier) -> None:
    own = structs.replace(verifier.request(), client_id=CLIENT)
    text = request.sign(own, verifier.signer, AttestationKey(encoded=attested(verifier)))
    assert set(jose.parse(text).header) == {"alg", "typ", "jwt"}
    assert needed(text).issuer == ISSUER
    found = verify(text, KeySigner.generate(), ATTESTER)
    assert found.request == own
    assert (found.request.client_id.prefix, found.request.audience) == (Prefix.VERIFIER_ATTESTATION, CLIENT.text)
    assert isinstance(found.proof, SignedByAttested)
    says = found.proof.attestation
    assert (says.issuer, says.subject, says.name) == (ISSUER, SUBJECT, NAME)
    assert says.expires_at == AT + timedelta(days=30)


def test_what_is_optional(verifier: Verifier) -> None:
    bare = attested(verifier, iat=..., redirect_uris=..., name=..., future=1)
    found = verify(asked(verifier, bare)).proof
    assert isinstance(found, SignedByAttested)
    assert (found.attestation.redirect_uris, found.attestation.name) == (None, {})
    for name in ({"en": "only"}, {"en": 1, "fr": 2}, {"en": "", "fr": ""}, "Shop", None):
        odd = verify(asked(verifier, attested(verifier, name=name))).proof
        assert isinstance(odd, SignedByAttested)
        assert odd.attestation.name == {}


@pytest.mark.parametrize("shown", [..., None, 7, ["a.b.c"], "", "a.b.c", "nonsense"])
@pytest.mark.clause("6-2-verifier_attestation")
def test_the_attestation_must_be_there(verifier: Verifier, shown: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        needed(asked(verifier, shown))
    assert caught.value.error.value == "invalid_request"


@pytest.mark.parametrize("typ", ["JWT", "oauth-client-attestation+jwt", "key-attestation+jwt", request.TYP])
def test_another_kind_of_token_is_none(verifier: Verifier, typ: str) -> None:
    with pytest.raises(OAuthError) as caught:
        needed(asked(verifier, attested(verifier, typ=typ)))
    assert caught.value.code is Code.TYPE_NOT_ALLOWED


@pytest.mark.clause("6-2-verifier_attestation")
def test_the_keys_are_those_that_the_registry_lists(verifier: Verifier, stranger: KeySigner) -> None:
    """Trust on iss, the key of somebody else: also that of the verifier itself."""
    for forger in (stranger, verifier.signer):
        refused(asked(verifier, attested(verifier, signer=forger)), Code.SIGNATURE_INVALID)
    with pytest.raises(OAuthError):
        needed(asked(verifier, attested(verifier))).resume(())
    head, _, signature = attested(verifier).split(".")
    other = attested(verifier, redirect_uris=...).split(".")[1]
    refused(asked(verifier, f"{head}.{other}.{signature}"), Code.SIGNATURE_INVALID)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sub": "other.example"}, Code.CLIENT_MISMATCH),
        ({"sub": CLIENT.text}, Code.CLIENT_MISMATCH),
        ({"sub": ...}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"sub": 7}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"exp": ...}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"exp": "tomorrow"}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"exp": int(AT.timestamp()) - 60}, Code.VERIFIER_ATTESTATION_EXPIRED),
        ({"nbf": int(AT.timestamp()) + 61}, Code.VERIFIER_ATTESTATION_EXPIRED),
        ({"iat": int(AT.timestamp()) + 61}, Code.VERIFIER_ATTESTATION_EXPIRED),
        ({"nbf": True}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"cnf": ...}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"cnf": {"kid": "my-key"}}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"cnf": {"jwk": {"kty": "oct", "k": "AA"}}}, Code.PRIVATE_KEY_EXPOSED),
        ({"cnf": {"jwk": dict(KeySigner.generate().public_jwk)}}, Code.SIGNATURE_INVALID),
        ({"redirect_uris": []}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"redirect_uris": "https://verifier.example/openid/responses/1"}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"redirect_uris": [f"https://v.example/{n}" for n in range(65)]}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"redirect_uris": ["https://verifier.example/openid/responses/1/"]}, Code.CLIENT_MISMATCH),
        ({"redirect_uris": ["https://verifier.example/openid/responses/"]}, Code.CLIENT_MISMATCH),
    ],
)
@pytest.mark.clause("6-2-verifier_attestation")
def test_each_defect_is_refused_and_its_good_twin_is_not(verifier: Verifier, change: Any, code: Code) -> None:
    refused(asked(verifier, attested(verifier, **change)), code)
    assert verify(asked(verifier, attested(verifier))).request.nonce == verifier.request().nonce


@pytest.mark.clause("6-2-verifier_attestation")
def test_a_copied_attestation_is_of_no_use(verifier: Verifier, stranger: KeySigner) -> None:
    refused(asked(verifier, attested(verifier), signer=stranger), Code.SIGNATURE_INVALID)


def test_an_attestation_of_another_verifier_does_not_lend_its_name(verifier: Verifier) -> None:
    """P14: the prefix and the name outside and inside are one."""
    other = "verifier_attestation:other.example"
    refused(asked(verifier, attested(verifier), client_id=other), Code.CLIENT_MISMATCH, client=other)
    with pytest.raises(OAuthError) as caught:
        needed(asked(verifier, attested(verifier)), client=other)
    assert caught.value.code is Code.CLIENT_MISMATCH


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        (AT - timedelta(seconds=60), True),
        (AT - timedelta(seconds=61), False),
        (AT + timedelta(days=30, seconds=59), True),
        (AT + timedelta(days=30, seconds=60), False),
    ],
)
def test_its_time_to_the_second(verifier: Verifier, moment: datetime, holds: bool) -> None:
    """C03."""
    text = asked(verifier, attested(verifier), iat=int(moment.timestamp()), exp=int(moment.timestamp()) + 300)
    if holds:
        assert verify(text, at=moment).request.state == "st4te"
    else:
        refused(text, Code.VERIFIER_ATTESTATION_EXPIRED, at=moment)


@pytest.mark.clause("6-2-verifier_attestation")
def test_nobody_outside_the_attestation_is_told_of_a_refusal(verifier: Verifier) -> None:
    """P15: a defect of the request is told to an address that the attestation names, and to no other."""
    bad: dict[str, Any] = {"scope": "x", "dcql_query": None}
    at_home = refused(asked(verifier, attested(verifier), **bad), Code.REQUEST_INVALID)
    assert isinstance(at_home, RefusedRequest)
    elsewhere = asked(verifier, attested(verifier), response_uri="https://evil.example/r", **bad)
    assert not isinstance(refused(elsewhere, Code.CLIENT_MISMATCH), RefusedRequest)


def test_by_the_browser_the_origin_counts_and_no_address(verifier: Verifier) -> None:
    origin = "https://shop.example"
    own = structs.replace(
        verifier.request(), client_id=CLIENT, response_uri=None, state=None, expected_origins=(origin,)
    )
    claims = {**own.to_dict(), "response_mode": "dc_api.jwt"}
    text = jose.sign({"typ": request.TYP, "jwt": attested(verifier)}, claims, verifier.signer)
    for place, holds in ((origin, True), ("https://evil.example", False)):
        found = digital_credentials.read("openid4vp-v1-signed", {"request": text}, origin=place, at=AT)
        assert isinstance(found, NeedsAttester)
        if holds:
            assert found.resume([ATTESTER.public_jwk]).request.origin == origin
            continue
        with pytest.raises(OAuthError) as caught:
            found.resume([ATTESTER.public_jwk])
        assert caught.value.code is Code.ORIGIN_MISMATCH


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"until": AT}, Code.TIME_MALFORMED),
        ({"redirect_uris": ("http://verifier.example/r",)}, Code.VERIFIER_ATTESTATION_INVALID),
        ({"jwk": {"kty": "oct", "k": "AA"}}, Code.PRIVATE_KEY_EXPOSED),
    ],
)
def test_nonsense_is_not_signed(verifier: Verifier, change: dict[str, Any], code: Code) -> None:
    terms: dict[str, Any] = {"jwk": verifier.signer.public_jwk, "at": AT, "until": AT + timedelta(days=1), **change}
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the code says which
        verifier_attestation.sign(ATTESTER, issuer=ISSUER, subject=SUBJECT, **terms)
    assert getattr(caught.value, "code", None) is code


@given(st.text() | st.binary().map(lambda data: ".".join([base64url.encode(data)] * 3)) | st.none() | st.integers())
def test_anything_is_read_or_refused(shown: Any) -> None:
    with pytest.raises(OAuthError):
        verifier_attestation.own(shown)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
            for name in ("iss", "sub", "exp", "nbf", "iat", "cnf", "redirect_uris", "name")
        },
    )
)
def test_claims_of_any_shape_are_refused(claims: dict[str, Any]) -> None:
    encoded = jose.sign({"typ": verifier_attestation.TYP}, claims, ATTESTER)
    with pytest.raises(OAuthError) as caught:
        verifier_attestation.verify(verifier_attestation.read(encoded), [ATTESTER.public_jwk], subject=SUBJECT, at=AT)
    assert caught.value.error.value == "invalid_request"
