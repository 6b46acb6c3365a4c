"""Metadata and messages as the wallet takes them: signed where the registry knows by whom, encrypted where offered."""

from datetime import timedelta
from typing import Any

import pytest

import issuer.app
import issuer.keyring
from comity import jose, jwe, strict_json, x509
from comity.keys import KeySigner
from comity.openid.issuance import signed_metadata
from comity.openid.issuance.metadata import IssuerMetadata
from comity.ports import Fetched, FetchRequest
from issuer import authorities
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.town import BC, ISSUER, NOW, ON, STRANGER, Person, Town
from tests.support.in_process import fetched

WELL_KNOWN = "openid-credential-issuer"
JWT = "application/jwt"


def asked(town: Town, part: str) -> list[FetchRequest]:
    return [each for each in town.net.asked if part in each.url]


def signed_by(town: Town, authority: str, **members: Any) -> Any:
    """Return a change: metadata with ``members`` said otherwise, signed by an authority's metadata key."""
    found = town.issuer_app.state.deployment.authority(authority)

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        payload = {**jose.payload_object(jose.parse(answer.body.decode())), **members}
        said = {name: value for name, value in payload.items() if value is not None}
        header = {"typ": signed_metadata.TYP, "x5c": list(found.metadata_chain.chain)}
        token = jose.sign(header, said, found.metadata_signer)
        return fetched(request.url, token.encode(), town.clock, content_type=JWT)

    return change


async def preview(town: Town, person: Person, authority: str = ON) -> Any:
    offer = await town.offer("person/1", authority)
    return await person.post("offers/preview", offer=offer["link"])


async def test_a_known_issuer_is_asked_for_signed_metadata(town: Town, maya: Person) -> None:
    assert (await preview(town, maya)).status_code == 200
    (request,) = asked(town, WELL_KNOWN)
    assert request.accept == (JWT, "application/json")


async def test_nobody_vouches_for_a_strangers_signature(town: Town, maya: Person) -> None:
    assert (await preview(town, maya, STRANGER)).status_code == 200
    (request,) = asked(town, WELL_KNOWN)
    assert request.accept == ("application/json",)


@pytest.mark.good_twin("I22")
async def test_plain_metadata_will_do(town: Town, maya: Person) -> None:
    town.net.afterwards(WELL_KNOWN, metadata_saying(town))
    assert (await preview(town, maya)).status_code == 200


@pytest.mark.parametrize(
    "members",
    [
        {"sub": f"{ISSUER}/{BC}"},
        {"sub": None},
        {"iss": "https://somebody.example"},
        {"iat": None},
        {"iat": 4102444800},
        {"exp": 1},
        {"credential_issuer": f"{ISSUER}/{BC}"},
        {"credential_endpoint": f"{ISSUER}/{BC}/credential"},
    ],
)
@pytest.mark.clause("VCI-5")
@pytest.mark.attack("I22")
@pytest.mark.good_twin("I22")
async def test_signed_metadata_that_do_not_fit_are_refused(town: Town, maya: Person, members: dict[str, Any]) -> None:
    town.net.afterwards(WELL_KNOWN, signed_by(town, ON, **members))
    assert (await preview(town, maya)).status_code == 400
    town.net.heal()
    town.net.afterwards(WELL_KNOWN, signed_by(town, ON, iss=None, exp=None))  # both may be absent
    assert (await preview(town, maya)).status_code == 200


@pytest.mark.attack("I22")
async def test_another_issuers_signature_is_refused(town: Town, maya: Person) -> None:
    """I22: its certificate leads to its own anchor only."""
    town.net.afterwards(WELL_KNOWN, signed_by(town, BC))
    assert (await preview(town, maya)).status_code == 400


@pytest.mark.clause("VCI-5")
async def test_a_certificate_under_another_anchor_is_refused(town: Town, maya: Person) -> None:
    """It names the right address, and nobody whom the registry lists for this issuer gave it."""
    store, key = issuer.keyring.open_keys(town.ground.issuer_settings()), KeySigner.generate()
    other = town.issuer_app.state.deployment.authority(BC)
    leaf = x509.issue_leaf(
        name="metadata",
        uri_san=IssuerMetadata.url(f"{ISSUER}/{ON}"),
        dns_san=None,
        public_jwk=key.public_jwk,
        anchor=other.anchor,
        anchor_signer=store.signer(authorities.key_name(BC, authorities.ANCHOR)),
        not_before=NOW - timedelta(hours=1),
        not_after=NOW + timedelta(hours=1),
    )

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        payload = jose.payload_object(jose.parse(answer.body.decode()))
        token = jose.sign({"typ": signed_metadata.TYP, "x5c": [x509.to_base64(leaf)]}, payload, key)
        return fetched(request.url, token.encode(), town.clock, content_type=JWT)

    town.net.afterwards(WELL_KNOWN, change)
    answer = await preview(town, maya)
    assert (answer.status_code, answer.json()["code"]) == (400, "certificate_untrusted")


@pytest.mark.parametrize("typ", ["JWT", "openid4vci-proof+jwt", "dc+sd-jwt", None])
async def test_a_token_of_another_kind_is_refused(town: Town, maya: Person, typ: str | None) -> None:
    found = town.issuer_app.state.deployment.authority(ON)

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        header = {"x5c": list(found.metadata_chain.chain), **({} if typ is None else {"typ": typ})}
        token = jose.sign(header, jose.payload_object(jose.parse(answer.body.decode())), found.metadata_signer)
        return fetched(request.url, token.encode(), town.clock, content_type=JWT)

    town.net.afterwards(WELL_KNOWN, change)
    assert (await preview(town, maya)).status_code == 400


async def test_the_key_of_credentials_signs_no_metadata(town: Town, maya: Person) -> None:
    found = town.issuer_app.state.deployment.authority(ON)

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        header = {"typ": signed_metadata.TYP, "x5c": list(found.credential_chain.chain)}
        token = jose.sign(header, jose.payload_object(jose.parse(answer.body.decode())), found.credential_signer)
        return fetched(request.url, token.encode(), town.clock, content_type=JWT)

    town.net.afterwards(WELL_KNOWN, change)
    assert (await preview(town, maya)).status_code == 400


@pytest.mark.parametrize("body", [b"", b"a.b.c", b"\xff\xfe", b"{}"])
async def test_what_is_no_token_is_refused(town: Town, maya: Person, body: bytes) -> None:
    town.net.instead(WELL_KNOWN, fetched("", body, town.clock, content_type=JWT))
    assert (await preview(town, maya)).status_code == 400


# --- encryption


@pytest.mark.clause("VCI-52")
async def test_it_encrypts_with_a_fresh_key_for_each_request(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer(formats=["dc+sd-jwt", "vc+jwt"]))
    sent = asked(town, "services/credential")
    assert [each.headers["content-type"] for each in sent] == [JWT] * 2
    keys = town.issuer_app.state.deployment.request_keys
    opened = []
    for each in sent:
        assert each.body is not None
        token = each.body.decode()
        key = await keys.find(ON, jwe.header(token)["kid"])
        opened.append(strict_json.parse_object(jwe.decrypt(token, key.private_jwk())))
    wanted = [each["credential_response_encryption"] for each in opened]
    assert [each["enc"] for each in wanted] == ["A256GCM"] * 2
    assert len({each["jwk"]["x"] for each in wanted}) == 2
    assert len(await maya.credentials()) == 2


async def test_a_plain_answer_to_an_encrypted_request_is_refused(town: Town, maya: Person) -> None:
    """P10's twin at issuance: no downgrade."""

    def change(request: FetchRequest, _answer: Fetched | None) -> Fetched:
        return fetched(request.url, b'{"credentials":[{"credential":"x~"}]}', town.clock)

    town.net.afterwards("services/credential", change)
    answer = await maya.post("credentials", offer=(await town.offer())["link"])
    assert (answer.status_code, answer.json()["code"]) == (400, "response_not_encrypted")
    assert await maya.credentials() == []


async def test_an_answer_for_somebody_else_is_refused(town: Town, maya: Person) -> None:
    other = jwe.EncryptionKey.generate("answer")
    token = jwe.encrypt(b"{}", other.public_jwk)
    town.net.instead("services/credential", fetched("", token.encode(), town.clock, content_type=JWT))
    answer = await maya.post("credentials", offer=(await town.offer())["link"])
    assert (answer.status_code, answer.json()["code"]) == (400, "decryption_failed")


async def test_an_issuer_without_encryption_is_served_in_the_clear(town: Town, maya: Person) -> None:
    town.net.afterwards(WELL_KNOWN, metadata_saying(town))
    await maya.receive(await town.offer())
    (sent,) = asked(town, "services/credential")
    assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["credential_request_encryption", "credential_response_encryption"])
async def test_an_encryption_that_nobody_here_knows_is_not_left_out_where_it_is_demanded(
    town: Town, maya: Person, name: str
) -> None:
    foreign = {
        "jwks": {"keys": [{"kty": "RSA", "kid": "1", "alg": "RSA-OAEP-256", "n": "AQ", "e": "AQAB"}]},
        "alg_values_supported": ["RSA-OAEP-256"],
        "enc_values_supported": ["A128CBC-HS256"],
    }
    offer = await town.offer()
    for required, status in ((True, 400), (False, 201)):  # the code is not used up by what cannot work
        said = {name: {**foreign, "encryption_required": required}}
        town.net.afterwards(WELL_KNOWN, metadata_saying(town, **said))
        answer = await maya.post("credentials", offer=offer["link"])
        assert answer.status_code == status, answer.text
