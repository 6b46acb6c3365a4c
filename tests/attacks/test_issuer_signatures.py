"""The issuer's signature, algorithm and type, through the whole verification (catalogue J01 to J11)."""

from typing import Any

import pytest

from comity import jose, strict_json, x509
from comity.credential import Format
from comity.errors import Code
from comity.keys import KeySigner
from comity.verification.checks import CheckName
from tests.support.forging import (
    BOTH,
    GONE,
    accepted,
    flipped,
    forged,
    held_in,
    issuer_signer,
    licence,
    mac,
    payload_of,
    rejected,
    resigned,
)
from tests.support.world import World

ES384 = KeySigner.generate("ES384")
STRANGER = KeySigner.generate()


@BOTH
@pytest.mark.good_twin("J01", "J02", "J05", "J07", "J10")
def test_the_same_members_signed_again_are_the_good_twin(world: World, credential_format: Format) -> None:
    held = resigned(licence(world, credential_format), issuer_signer(world.on, credential_format))
    accepted(held_in(world, held.encoded))
    accepted(world.verify(world.present(held)))


@BOTH
@pytest.mark.clause("2a-3")
def test_a_flipped_bit(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format)
    rejected(held_in(world, flipped(held.encoded)), CheckName.SIGNATURE, Code.SIGNATURE_INVALID)


@BOTH
@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.clause("C1")
@pytest.mark.attack("J01")
def test_no_algorithm(world: World, credential_format: Format, spelling: str) -> None:
    held = licence(world, credential_format)
    for signature in (b"", bytes(64)):
        token = forged(held.encoded, lambda _, s=signature: s, header={"alg": spelling})  # type: ignore[misc]
        rejected(held_in(world, token), CheckName.ALGORITHM_AND_TYPE, Code.ALGORITHM_NOT_ALLOWED)
    assert world.asked.count(world.on.list_uri()) == 0


@BOTH
@pytest.mark.clause("C1")
@pytest.mark.attack("J02")
def test_a_mac_under_the_issuers_public_key(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format)
    signer = issuer_signer(world.on, credential_format)
    for secret in (x509.to_pem(world.on.leaf), strict_json.serialise(signer.public_jwk)):
        token = forged(held.encoded, mac(secret), header={"alg": "HS256"})
        rejected(held_in(world, token), CheckName.ALGORITHM_AND_TYPE, Code.ALGORITHM_NOT_ALLOWED)


@BOTH
@pytest.mark.attack("J07")
def test_another_curve_than_the_keys(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format)
    own = issuer_signer(world.on, credential_format)
    for sign in (ES384.sign, own.sign):
        token = forged(held.encoded, sign, header={"alg": "ES384"})
        rejected(held_in(world, token), CheckName.SIGNATURE, Code.SIGNATURE_INVALID)


@BOTH
@pytest.mark.parametrize(
    "typ", ["JWT", "kb+jwt", "statuslist+jwt", "openid4vci-proof+jwt", "DC+SD-JWT", "vc+sd-jwt", GONE]
)
@pytest.mark.clause("C3")
@pytest.mark.attack("J10")
def test_another_type(world: World, credential_format: Format, typ: Any) -> None:
    signer = issuer_signer(world.on, credential_format)
    held = resigned(licence(world, credential_format), signer, header={"typ": typ})
    result = world.verify(world.present(held))
    rejected(result, CheckName.ALGORITHM_AND_TYPE, Code.TYPE_NOT_ALLOWED)


@BOTH
@pytest.mark.attack("J10")
def test_the_formats_are_not_exchangeable(world: World, credential_format: Format) -> None:
    other = Format.VC_JWT if credential_format is Format.DC_SD_JWT else Format.DC_SD_JWT
    signer = issuer_signer(world.on, credential_format)
    held = resigned(licence(world, credential_format), signer, header={"typ": str(other)})
    result = world.verify(world.present(held))
    rejected(result, CheckName.ALGORITHM_AND_TYPE, Code.TYPE_NOT_ALLOWED)


@BOTH
@pytest.mark.parametrize("extra", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": False}])
@pytest.mark.clause("2a-1")
@pytest.mark.attack("J05")
def test_critical_headers(world: World, credential_format: Format, extra: dict[str, Any]) -> None:
    held = resigned(licence(world, credential_format), issuer_signer(world.on, credential_format), header=extra)
    rejected(held_in(world, held.encoded), CheckName.ALGORITHM_AND_TYPE, Code.CRITICAL_HEADER)


@BOTH
@pytest.mark.clause("C2")
@pytest.mark.attack("J20")
def test_private_key_material_in_the_header(world: World, credential_format: Format) -> None:
    jwk = {**STRANGER.public_jwk, "d": "AAAA"}
    held = resigned(licence(world, credential_format), issuer_signer(world.on, credential_format), header={"jwk": jwk})
    rejected(held_in(world, held.encoded), CheckName.ALGORITHM_AND_TYPE, Code.PRIVATE_KEY_EXPOSED)


@BOTH
@pytest.mark.attack("J03", "J04")
@pytest.mark.good_twin("J03", "J04")
def test_a_key_brought_along_verifies_nothing(world: World, credential_format: Format) -> None:
    offered = {"jwk": dict(STRANGER.public_jwk), "jku": "https://evil.example/keys", "x5u": "https://evil.example/leaf"}
    held = resigned(licence(world, credential_format), STRANGER, header=offered)
    rejected(held_in(world, held.encoded), CheckName.SIGNATURE, Code.SIGNATURE_INVALID)
    assert not [url for url in world.asked if "evil" in url]
    good = resigned(licence(world, credential_format), issuer_signer(world.on, credential_format), header=offered)
    accepted(held_in(world, good.encoded))


@BOTH
@pytest.mark.parametrize("member", ["iss", "issuer", "vct", "exp"])
@pytest.mark.attack("J11")
@pytest.mark.good_twin("J11")
def test_a_member_said_twice(world: World, credential_format: Format, member: str) -> None:
    held = licence(world, credential_format)
    text = strict_json.serialise(payload_of(held.encoded)).decode()
    doubled = f'{text[:-1]},"{member}":1,"{member}":2}}'.encode()
    twin = f'{text[:-1]},"sub":"urn:x:1"}}'.encode()
    sign = issuer_signer(world.on, credential_format).sign
    rejected(held_in(world, forged(held.encoded, sign, payload=doubled)), CheckName.WELL_FORMED, Code.DUPLICATE_MEMBER)
    accepted(held_in(world, forged(held.encoded, sign, payload=twin)))


@BOTH
@pytest.mark.clause("2b-3")
def test_a_changed_payload_under_the_old_signature(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format)
    old = jose.parse(held.encoded.partition("~")[0]).signature
    token = forged(held.encoded, lambda _: old, payload={"exp": 4_000_000_000})
    rejected(held_in(world, token), CheckName.SIGNATURE, Code.SIGNATURE_INVALID)
