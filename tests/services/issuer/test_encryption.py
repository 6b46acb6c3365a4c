"""Encrypted requests and answers (OpenID4VCI §10; catalogue J16 to J18): a defect changes nothing, its twin passes."""

from datetime import timedelta
from typing import Any

import pytest

from comity import base64url, jwe, strict_json
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from comity.openid.issuance.metadata import IssuerMetadata
from issuer.issuing import erase_due
from tests.services.issuer.deployed import BC, ON, PUBLIC_URL, Deployed, Place, running
from tests.services.issuer.sealing import PERSON, Sealing, issuer_key, metadata, refused
from tests.services.issuer.test_dpop import rows


@pytest.fixture
async def wallet(issuer: Deployed) -> Sealing:
    wallet = Sealing(issuer)
    await wallet.take()
    return wallet


@pytest.mark.clause("VCI-2")
async def test_the_metadata_say_what_is_offered(issuer: Deployed) -> None:
    said = await metadata(issuer)
    found = IssuerMetadata.parse(said, credential_issuer=f"{PUBLIC_URL}/{ON}")
    assert not found.encryption_required
    assert said["credential_response_encryption"] == {
        "alg_values_supported": ["ECDH-ES"],
        "enc_values_supported": ["A256GCM", "A128GCM"],
        "encryption_required": False,
    }
    (key,) = said["credential_request_encryption"]["jwks"]["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert (key["alg"], key["crv"], key["use"]) == ("ECDH-ES", "P-256", "enc")
    assert "zip_values_supported" not in said["credential_request_encryption"]
    assert "zip_values_supported" not in said["credential_response_encryption"]
    assert await issuer_key(issuer) == key  # the same one while its time lasts


@pytest.mark.parametrize("enc", ["A256GCM", "A128GCM"])
@pytest.mark.clause("VCI-52")
async def test_an_encrypted_request_gets_an_encrypted_answer(wallet: Sealing, enc: str) -> None:
    body = await wallet.asking(credential_response_encryption=wallet.wanted(enc=enc))
    answer = await wallet.post(body, enc=enc)
    assert jwe.header(answer.text)["enc"] == enc
    told = wallet.opened(answer)
    assert len(told["credentials"]) == 1
    assert "notification_id" in told


async def test_an_encrypted_request_may_want_a_plain_answer(wallet: Sealing) -> None:
    answer = await wallet.post(await wallet.asking(credential_response_encryption=None))
    assert (answer.status_code, len(answer.json()["credentials"])) == (200, 1)


async def test_a_key_without_a_kid_gets_an_answer_without_one(wallet: Sealing) -> None:
    key = {name: value for name, value in wallet.answer_key.public_jwk.items() if name != "kid"}
    answer = await wallet.post(await wallet.asking(credential_response_encryption=wallet.wanted(jwk=key)))
    assert "kid" not in jwe.header(answer.text)
    assert jwe.decrypt(answer.text, wallet.answer_key.private_jwk())


def _without(jwk: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


BAD_PARAMETERS: dict[str, Any] = {
    "zip": lambda good: {**good, "zip": "DEF"},
    "unknown enc": lambda good: {**good, "enc": "A128CBC-HS256"},
    "no enc": lambda good: _without(good, "enc"),
    "no jwk": lambda good: _without(good, "jwk"),
    "no alg": lambda good: {**good, "jwk": _without(good["jwk"], "alg")},
    "other alg": lambda good: {**good, "jwk": {**good["jwk"], "alg": "RSA-OAEP"}},
    "signing key": lambda good: {**good, "jwk": {**good["jwk"], "use": "sig"}},
    "off the curve": lambda good: {**good, "jwk": {**good["jwk"], "y": good["jwk"]["x"]}},
    "private key": lambda good: {**good, "jwk": {**good["jwk"], "d": good["jwk"]["x"]}},
    "symmetric key": lambda good: {**good, "jwk": {"kty": "oct", "k": "AAAA", "alg": "ECDH-ES"}},
    "other curve": lambda good: {
        **good,
        "jwk": {**KeySigner.generate("ES384").public_jwk, "alg": "ECDH-ES"},
    },
}


@pytest.mark.parametrize("defect", list(BAD_PARAMETERS))
@pytest.mark.clause("4-7")
@pytest.mark.attack("J18")
@pytest.mark.good_twin("J18")
async def test_bad_parameters_change_nothing(wallet: Sealing, defect: str) -> None:
    before = await rows(wallet.issuer)
    body = await wallet.asking(credential_response_encryption=BAD_PARAMETERS[defect](wallet.wanted()))
    refused(await wallet.post(body), "invalid_encryption_parameters")
    assert await rows(wallet.issuer) == before
    wallet.opened(await wallet.post(await wallet.asking()))


@pytest.mark.clause("VCI-52")
async def test_an_encrypted_answer_needs_an_encrypted_request(wallet: Sealing) -> None:
    refused(await wallet.plain(await wallet.asking()), "invalid_encryption_parameters")
    wallet.opened(await wallet.post(await wallet.asking()))


def tampered(token: str) -> str:
    head, middle, vector, text, tag = token.split(".")
    return ".".join((head, middle, vector, text, ("B" if tag[0] == "A" else "A") + tag[1:]))


def with_header(token: str, **changes: Any) -> str:
    head, _, rest = token.partition(".")
    said = {**strict_json.parse_object(base64url.decode(head)), **changes}
    said = {name: value for name, value in said.items() if value is not None}
    return f"{base64url.encode(strict_json.serialise(said))}.{rest}"


@pytest.mark.parametrize(
    "change",
    [
        tampered,
        lambda token: with_header(token, zip="DEF"),
        lambda token: with_header(token, alg="dir"),
        lambda token: with_header(token, alg="PBES2-HS256+A128KW", p2c=2**31),
        lambda token: with_header(token, enc="A128CBC-HS256"),
        lambda token: with_header(token, crit=["exp"]),
        lambda token: with_header(token, kid=None),
        lambda token: with_header(token, kid=7),
        lambda token: with_header(token, kid="of nobody"),
        lambda token: token.rpartition(".")[0],
        lambda _token: "not a token",
        lambda _token: "",
    ],
)
@pytest.mark.attack("J16", "J17")
@pytest.mark.good_twin("J16", "J17")
async def test_a_bad_token_changes_nothing(wallet: Sealing, change: Any) -> None:
    key, before = await issuer_key(wallet.issuer), await rows(wallet.issuer)
    token = jwe.encrypt(strict_json.serialise(await wallet.asking()), key)
    refused(await wallet.post(change(token)), "invalid_encryption_parameters")
    assert await rows(wallet.issuer) == before
    wallet.opened(await wallet.post(token))


async def test_what_is_inside_is_judged_like_a_plain_request(wallet: Sealing) -> None:
    key = await issuer_key(wallet.issuer)
    refused(await wallet.post(jwe.encrypt(b"[]", key)), "invalid_credential_request")
    twice = b'{"credential_configuration_id":"a","credential_configuration_id":"b"}'
    refused(await wallet.post(jwe.encrypt(twice, key)), "invalid_credential_request")
    refused(await wallet.post(await wallet.asking(proofs=None)), "invalid_proof")


async def test_a_key_is_of_one_authority(wallet: Sealing) -> None:
    theirs = await issuer_key(wallet.issuer, BC)
    assert theirs["kid"] != (await issuer_key(wallet.issuer))["kid"]
    refused(await wallet.post(await wallet.asking(), to=theirs), "invalid_encryption_parameters")


async def test_another_key_under_the_issuers_name_is_noticed(wallet: Sealing) -> None:
    mine = EncryptionKey.generate((await issuer_key(wallet.issuer))["kid"])
    refused(await wallet.post(await wallet.asking(), to=dict(mine.public_jwk)), "invalid_encryption_parameters")


async def test_the_token_is_judged_before_anything_is_decrypted(wallet: Sealing) -> None:
    good, wallet.token = wallet.token, "guess"
    refused(await wallet.post("not a token"), "invalid_token", 401)
    wallet.token = good
    refused(await wallet.post("not a token"), "invalid_encryption_parameters")


async def test_an_encrypted_body_under_another_type_is_no_json(wallet: Sealing) -> None:
    token = jwe.encrypt(strict_json.serialise(await wallet.asking()), await issuer_key(wallet.issuer))
    refused(await wallet.post(token, content_type="application/json"), "invalid_credential_request")
    refused(await wallet.post(token, content_type="text/plain"), "invalid_credential_request")


async def test_keys_change_in_time_and_are_erased(place: Place) -> None:
    async with running(place, encryption_key_seconds=600) as issuer:
        old = await issuer_key(issuer)
        issuer.clock.advance(timedelta(seconds=600))
        new = await issuer_key(issuer)
        assert new["kid"] != old["kid"]
        wallet = Sealing(issuer)
        await wallet.take()
        wallet.opened(await wallet.post(await wallet.asking(), to=old))  # metadata are kept for a while by wallets
        issuer.clock.advance(timedelta(seconds=600))
        await wallet.take()
        refused(await wallet.post(await wallet.asking(), to=old), "invalid_encryption_parameters")
        wallet.opened(await wallet.post(await wallet.asking(), to=new))
        assert await issuer.deployment.request_keys.find(ON, new["kid"]) is not None
        issuer.clock.advance(timedelta(seconds=1200))
        await erase_due(issuer.deployment)
        assert await issuer.deployment.request_keys.find(ON, new["kid"]) is None


@pytest.mark.both_databases
async def test_a_key_survives_a_restart(place: Place) -> None:
    async with running(place) as issuer:
        before = await issuer_key(issuer)
    async with running(place) as issuer:
        assert await issuer_key(issuer) == before


async def test_a_deployment_can_refuse_what_is_plain(place: Place) -> None:
    async with running(place, encryption_required=True) as issuer:
        said = await metadata(issuer)
        assert said["credential_request_encryption"]["encryption_required"] is True
        assert said["credential_response_encryption"]["encryption_required"] is True
        wallet = Sealing(issuer)
        await wallet.take()
        plain = await wallet.asking(credential_response_encryption=None)
        refused(await wallet.plain(plain), "invalid_encryption_parameters")
        refused(await wallet.post(plain), "invalid_encryption_parameters")
        assert (await rows(issuer))[0] == 0
        assert wallet.opened(await wallet.post(await wallet.asking()))["credentials"]
        assert PERSON in said["credential_configurations_supported"]
