"""``jose`` verifies what our services sign, and each decrypts what the other encrypts."""

from typing import Any

import pytest

from comity import jwe
from comity.demo.play import Play
from comity.jwe import EncryptionKey
from tests.interop.peers import Peers
from tests.interop.taking import header, payload, taken

pytestmark = pytest.mark.xdist_group("interop")

REQUEST = "oauth-authz-req+jwt"


async def request_object(play: Play, peers: Peers) -> str:
    started = await play.counter.ask("age-alcohol", place="ca-on")
    fetched = await play.client.get(started["request_uri"])
    assert fetched.headers["content-type"] == f"application/{REQUEST}"
    return fetched.text


async def status_token(play: Play, peers: Peers) -> str:
    entry = payload((await taken(play, peers)).credential)["status"]["status_list"]
    fetched = await play.client.get(entry["uri"])
    assert fetched.headers["content-type"] == "application/statuslist+jwt"
    return fetched.text


SIGNED = {REQUEST: request_object, "statuslist+jwt": status_token}


@pytest.mark.parametrize("typ", SIGNED)
async def test_it_verifies_what_a_certificate_vouches_for(play: Play, peers: Peers, typ: str) -> None:
    token = await SIGNED[typ](play, peers)
    read = await peers("josing", act="verify", token=token, typ=typ)
    assert read.get("failed") is None, read
    assert read["header"]["typ"] == typ
    head, body, signature = token.split(".")
    forged = await peers("josing", act="verify", token=f"{head}.{body}.{signature[:-4]}AAAA", typ=typ)
    assert forged["failed"] == "JWSSignatureVerificationFailed"


async def test_it_verifies_a_w3c_credential_with_the_key_of_the_did_document(play: Play, peers: Peers) -> None:
    credential = (await taken(play, peers, "vc+jwt")).credential
    document = (await play.client.get(f"{play.stage.urls['issuer']}/ca-bc/services/did.json")).json()
    keys: dict[str, dict[str, Any]] = {each["id"]: each["publicKeyJwk"] for each in document["verificationMethod"]}
    read = await peers("josing", act="verify", token=credential, typ="vc+jwt", jwk=keys[header(credential)["kid"]])
    assert read.get("failed") is None, read
    assert read["payload"]["credentialSubject"]["given_names"] == "Élise"


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
async def test_it_decrypts_what_we_encrypt(peers: Peers, enc: str) -> None:
    key = await peers("josing", act="key")
    token = jwe.encrypt("déjà".encode(), {**key["publicJwk"], "kid": "1"}, enc=enc, apu=b"me", apv=b"you")
    read = await peers("josing", act="decrypt", token=token, privateJwk=key["privateJwk"])
    assert read.get("failed") is None, read
    assert (read["plaintext"], read["header"]["enc"]) == ("déjà", enc)


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
async def test_we_decrypt_what_it_encrypts(peers: Peers, enc: str) -> None:
    key = EncryptionKey.generate("1")
    made = await peers(
        "josing", act="encrypt", plaintext="déjà", publicJwk=dict(key.public_jwk), enc=enc, apu="me", apv="you"
    )
    assert made.get("failed") is None, made
    assert jwe.decrypt(made["token"], key.private_jwk()) == "déjà".encode()
