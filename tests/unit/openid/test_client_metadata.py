from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from comity.credential import Format
from comity.errors import Code
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from comity.openid.members import Members
from comity.openid.presentation.client_metadata import ClientMetadata, formats_supported
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from tests.unit.openid.parties import Verifier

KEY = EncryptionKey.generate("one").public_jwk


def parse(**value: Any) -> ClientMetadata:
    return ClientMetadata.parse(Members(value, "client_metadata", Refusal(code=Code.REQUEST_INVALID)))


def test_round_trip(verifier: Verifier) -> None:
    assert parse(**verifier.metadata.to_dict()) == verifier.metadata
    assert parse(unknown=1) == ClientMetadata()
    assert ClientMetadata().to_dict() == {}
    assert ClientMetadata().encryption_methods == ("A128GCM",)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"jwks": []}, Code.REQUEST_INVALID),
        ({"jwks": {"keys": []}}, Code.REQUEST_INVALID),
        ({"jwks": {"keys": ["a"]}}, Code.REQUEST_INVALID),
        ({"jwks": {"keys": [KEY, {**KEY}]}}, Code.REQUEST_INVALID),
        ({"jwks": {"keys": [{**KEY, "kid": 7}]}}, Code.REQUEST_INVALID),
        ({"jwks": {"keys": [{**KEY, "d": "AAAA"}]}}, Code.PRIVATE_KEY_EXPOSED),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, Code.PRIVATE_KEY_EXPOSED),
        ({"encrypted_response_enc_values_supported": []}, Code.REQUEST_INVALID),
        ({"vp_formats_supported": []}, Code.REQUEST_INVALID),
        ({"vp_formats_supported": {"dc+sd-jwt": []}}, Code.REQUEST_INVALID),
        ({"vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": []}}}, Code.REQUEST_INVALID),
    ],
)
@pytest.mark.clause("VP-4")
def test_refused(value: dict[str, Any], code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        parse(**value)
    assert caught.value.code is code


@pytest.mark.clause("VP-4")
def test_unusable_encryption_keys_are_skipped() -> None:  # module "ignores-unusable-encryption-key"
    unusable: list[dict[str, Any]] = [
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP", "kid": "a"},
        {**KEY, "kid": "b", "use": "sig"},
        {**KEY, "kid": "c", "alg": "ECDH-ES+A256KW"},
        {**KEY, "kid": "d", "alg": ["ECDH-ES"]},
        {**KEY, "kid": "e", "crv": "P-521"},
        {**KEY, "kid": "f", "x": "AAAA"},
        {name: value for name, value in {**KEY, "kid": "g"}.items() if name != "alg"},
        {name: value for name, value in KEY.items() if name != "kid"},
        {**KeySigner.generate("EdDSA").public_jwk, "alg": "ECDH-ES", "kid": "h"},
    ]
    assert parse(jwks={"keys": unusable}).encryption_key() is None
    assert parse(jwks={"keys": [*unusable, {**KEY, "kid": "good"}]}).encryption_key() == {**KEY, "kid": "good"}
    plain = {name: value for name, value in KEY.items() if name != "use"}
    assert parse(jwks={"keys": [plain]}).encryption_key() == plain


@pytest.mark.parametrize(
    ("methods", "chosen"),
    [
        (("A128GCM",), "A128GCM"),
        (("A128GCM", "A256GCM"), "A256GCM"),
        (("A128CBC-HS256", "A256GCM"), "A256GCM"),
        (("A128CBC-HS256",), None),
    ],
)
def test_encryption_method(methods: tuple[str, ...], chosen: str | None) -> None:
    assert ClientMetadata(encryption_methods=methods).encryption_method() == chosen


def accepts(metadata: ClientMetadata, credential_format: Format, credential: str, holder: str | None) -> bool:
    return metadata.accepts(credential_format, credential_algorithm=credential, holder_algorithm=holder)


def test_accepted_formats_and_algorithms(verifier: Verifier) -> None:
    metadata = verifier.metadata
    assert accepts(metadata, Format.DC_SD_JWT, "ES256", "EdDSA")
    assert accepts(metadata, Format.DC_SD_JWT, "ES256", None)
    assert not accepts(metadata, Format.DC_SD_JWT, "EdDSA", "ES256")
    assert not accepts(metadata, Format.DC_SD_JWT, "ES256", "ES384")
    assert not accepts(metadata, Format.VC_JWT, "ES256", "ES256")
    assert accepts(ClientMetadata(), Format.VC_JWT, "ES256", "ES256")  # nothing said
    w3c = parse(vp_formats_supported={"vc+jwt": {"alg_values": ["ES384"]}, "dc+sd-jwt": {}})
    assert accepts(w3c, Format.VC_JWT, "ES384", "ES384")
    assert not accepts(w3c, Format.VC_JWT, "ES384", "ES256")
    assert accepts(w3c, Format.DC_SD_JWT, "ES256", "ES256")  # an absent list limits nothing


def test_no_format_in_common() -> None:
    with pytest.raises(OAuthError) as caught:
        parse(vp_formats_supported={"mso_mdoc": {"issuerauth_alg_values": [-9]}}).require_known_format()
    assert caught.value.error is OAuthErrorCode.VP_FORMATS_NOT_SUPPORTED
    parse(vp_formats_supported={"mso_mdoc": {}, "vc+jwt": {}}).require_known_format()
    ClientMetadata().require_known_format()


def test_what_the_house_supports() -> None:
    metadata = parse(vp_formats_supported=formats_supported())
    for algorithm in ("ES256", "ES384", "EdDSA"):
        for known in Format:
            assert accepts(metadata, known, algorithm, algorithm)
    assert structs.replace(metadata).formats is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "alg", "use", "kid", "key_ops"]),
        JSON | st.sampled_from(list(KEY.values())),
    ),
    JSON,
)
def test_any_key_and_formats(jwk: dict[str, Any], formats: Any) -> None:
    try:
        metadata = parse(jwks={"keys": [{**KEY, **jwk}]}, vp_formats_supported=formats)
    except OAuthError:
        return
    metadata.encryption_key()
