"""From offer to credential, in both formats, as a wallet sees it."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from comity import did, jose, keys, x509
from comity.credential import Format, Kid, X5c
from comity.formats import FORMATS
from comity.formats.opened import OpenedCredential, ProcessedCredential
from comity.keys import KeySigner
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.offer import CredentialOffer, OfferReference, parse_link
from comity.web import qr
from tests.services.issuer.deployed import BC, GRANT, ON, PERSON, PUBLIC_URL, Deployed


def opened(encoded: str, name: Format) -> tuple[OpenedCredential, ProcessedCredential]:
    """Open a bare credential; the caller checks the signature."""
    presentation = FORMATS[name].open(encoded)
    (credential,) = presentation.credentials
    FORMATS[name].check_header(credential)
    return credential, FORMATS[name].process(credential)


async def test_an_sd_jwt_credential_is_issued_and_is_the_authoritys(issuer: Deployed) -> None:
    offer, holder = await issuer.offer(), KeySigner.generate()
    answer = await issuer.receive(offer, holder)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    credential, processed = opened(answer.json()["credentials"][0]["credential"], Format.DC_SD_JWT)
    assert isinstance(credential.key, X5c)
    chain = x509.parse_chain(credential.key.chain)
    x509.validate_chain(chain, [issuer.deployment.authority(ON).anchor], issuer.clock.now())
    assert x509.uri_sans(chain[0]) == (f"{PUBLIC_URL}/{ON}",) == (credential.issuer,)
    jose.verify(credential.jws, x509.public_key(chain[0]))
    assert dict(processed.claims) == PERSON
    assert processed.holder_jwk is not None
    assert keys.thumbprint(processed.holder_jwk) == holder.thumbprint
    (entry,) = processed.status
    assert entry.list_uri.startswith(f"http://localhost:8105/{ON}/status/")
    (record,) = await issuer.records(name=f"maya  {PERSON['family_name'].upper()}")
    assert (record["status_list"], record["status_index"]) == (entry.list_uri, entry.index)


async def test_a_w3c_credential_is_issued_and_its_key_stands_in_the_did_document(issuer: Deployed) -> None:
    offer = await issuer.offer(formats=["vc+jwt"])
    answer = await issuer.receive(offer)
    credential, processed = opened(answer.json()["credentials"][0]["credential"], Format.VC_JWT)
    assert isinstance(credential.key, Kid)
    published = await issuer.client.get(f"/{ON}/did.json")
    assert published.headers["content-type"] == "application/did+json"
    document = did.document(f"did:web:localhost%3A8101:{ON.replace('/', ':')}", published.content)
    key = did.verification_key(
        document, credential.key.did_url, relationships=("assertionMethod",), at=issuer.clock.now()
    )
    jose.verify(credential.jws, key.key)
    assert dict(processed.claims) == PERSON
    assert {entry.purpose for entry in processed.status} == {"revocation", "suspension"}
    assert len({entry.index for entry in processed.status}) == 1


async def test_an_offer_is_read_by_reference_by_value_and_from_its_qr_code(issuer: Deployed) -> None:
    offer = await issuer.offer()
    by_value = parse_link(offer["link_by_value"])
    by_reference = parse_link(offer["link"])
    assert isinstance(by_reference, OfferReference)
    assert isinstance(by_value, CredentialOffer)
    fetched = await issuer.client.get(urlsplit(by_reference.url).path)
    assert CredentialOffer.parse(fetched.content) == by_value
    assert fetched.json() == offer["credential_offer"]
    image = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}/qr.png", headers=issuer.as_role("clerk"))
    assert qr.read(image.content) == offer["link"]
    assert parse_qs(urlsplit(offer["link"]).query)["credential_offer_uri"] == [offer["credential_offer_uri"]]


@pytest.mark.attack("I25")
@pytest.mark.good_twin("I25")
async def test_an_offer_cannot_be_fetched_by_its_id_after_its_end_or_from_another_authority(issuer: Deployed) -> None:
    offer = await issuer.offer()
    path = urlsplit(offer["credential_offer_uri"]).path
    assert (await issuer.client.get(path)).status_code == 200
    assert (await issuer.client.get(f"/{ON}/offers/{offer['offer_id']}")).status_code == 404
    assert (await issuer.client.get(path.replace(ON, BC))).status_code == 404
    assert (await issuer.client.get(path[:-1] + ("A" if path[-1] != "A" else "B"))).status_code == 404
    await issuer.token(offer)
    assert (await issuer.client.get(path)).status_code == 404


@pytest.mark.attack("I25")
@pytest.mark.good_twin("I25")
async def test_an_offer_is_long_to_guess_short_lived_and_kept_by_no_cache(issuer: Deployed) -> None:
    offers = [await issuer.offer() for _ in range(2)]
    paths = [urlsplit(each["credential_offer_uri"]).path for each in offers]
    codes = [each["credential_offer"]["grants"][GRANT]["pre-authorized_code"] for each in offers]
    assert all(len(each.rpartition("/")[2]) >= 22 for each in (*paths, *codes))  # 128 bits in base64url
    assert len({*paths, *codes}) == 4
    shown = await issuer.client.get(paths[0])
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert shown.headers["referrer-policy"] == "no-referrer"
    issuer.clock.advance(timedelta(minutes=10))
    assert (await issuer.client.get(paths[0])).status_code == 404
    cancelled = f"/api/v1/offers/{offers[1]['offer_id']}/cancel"
    issuer.clock.advance(timedelta(minutes=-10))
    assert (await issuer.client.post(cancelled, headers=issuer.as_role("clerk"))).status_code == 200
    assert [(await issuer.client.get(each)).status_code for each in paths] == [200, 404]


@pytest.mark.clause("VCI-1")
async def test_the_metadata_are_what_a_wallet_reads(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/openid-credential-issuer/{ON}")
    assert answer.headers["content-type"] == "application/json"
    metadata = IssuerMetadata.parse(answer.content, credential_issuer=f"{PUBLIC_URL}/{ON}")
    assert set(metadata.configurations) == {
        "person.1.sdjwt",
        "person.1.vcjwt",
        "drivers-licence.1.sdjwt",
        "drivers-licence.1.vcjwt",
    }
    assert metadata.batch_size == 8
    assert {entry.locale for entry in metadata.display} == {"en-CA", "fr-CA"}
    for configuration in metadata.configurations.values():
        assert {entry.locale for entry in configuration.display} == {"en-CA", "fr-CA"}
    server = (await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")).json()
    assert server["issuer"] == f"{PUBLIC_URL}/{ON}"
    assert server["token_endpoint"] == f"{PUBLIC_URL}/{ON}/token"
    assert server["grant_types_supported"] == [GRANT, "authorization_code", "refresh_token"]
    assert server["pre-authorized_grant_anonymous_access_supported"] is True


async def test_an_unknown_authority_is_not_found_anywhere(issuer: Deployed) -> None:
    for method, path in (
        ("GET", "/.well-known/openid-credential-issuer/ca-qc/services"),
        ("GET", "/.well-known/oauth-authorization-server/ca-qc/services"),
        ("GET", "/ca-qc/services/did.json"),
        ("GET", "/ca-qc/services/offers/x.y"),
        ("POST", "/ca-qc/services/token"),
        ("POST", "/ca-qc/services/nonce"),
        ("POST", "/ca-qc/services/credential"),
        ("POST", "/ca-qc/services/notification"),
    ):
        answer = await issuer.client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "authority_unknown"), path


@pytest.mark.both_databases
@pytest.mark.clause("TSL-7", "VCI-45")
@pytest.mark.attack("X01")
async def test_a_batch_has_distinct_keys_indices_and_signatures(issuer: Deployed) -> None:
    holders = [KeySigner.generate() for _ in range(8)]
    answer = await issuer.receive(await issuer.offer(), *holders)
    parts = [opened(entry["credential"], Format.DC_SD_JWT) for entry in answer.json()["credentials"]]
    bound = [keys.thumbprint(processed.holder_jwk or {}) for _, processed in parts]
    assert bound == [holder.thumbprint for holder in holders]
    places = {(processed.status[0].list_uri, processed.status[0].index) for _, processed in parts}
    assert len(places) == 8
    assert len({credential.jws.signature for credential, _ in parts}) == 8


@pytest.mark.both_databases
@pytest.mark.clause("VCI-46")
@pytest.mark.good_twin("X07")
async def test_a_lost_answer_gets_the_same_index_again(issuer: Deployed) -> None:
    offer, holders = await issuer.offer(), [KeySigner.generate(), KeySigner.generate()]
    token, nonce = await issuer.token(offer), await issuer.nonce()
    proofs = [issuer.proof(holder, nonce) for holder in holders]
    first = (await issuer.request(token, "person.1.sdjwt", proofs)).json()
    again = (await issuer.request(token, "person.1.sdjwt", proofs)).json()
    turned = await issuer.receive(offer, *reversed(holders), token=token)
    places = [
        [opened(entry["credential"], Format.DC_SD_JWT)[1].status[0] for entry in body["credentials"]]
        for body in (first, again, turned.json())
    ]
    assert places[0] == places[1] == places[2][::-1]
    assert first["notification_id"] == again["notification_id"]
    assert len(await issuer.records(name=f"Maya {PERSON['family_name']}")) == 2
    log = await issuer.client.get("/api/v1/audit", params={"authority": ON}, headers=issuer.as_role("auditor"))
    assert [line["action"] for line in log.json()["events"]] == ["credential_issued", "offer_created"]


@pytest.mark.both_databases
@pytest.mark.clause("VCI-46")
@pytest.mark.attack("I05")
@pytest.mark.good_twin("I05")
async def test_other_keys_get_nothing_with_the_same_token(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)
    assert (await issuer.receive(offer, token=token)).status_code == 200
    refused = await issuer.receive(offer, token=token)
    assert (refused.status_code, refused.json()["error"]) == (400, "credential_request_denied")
    assert len(await issuer.records(name=f"Maya {PERSON['family_name']}")) == 1


async def test_both_formats_come_from_one_offer(issuer: Deployed) -> None:
    offer, holder = await issuer.offer(formats=["dc+sd-jwt", "vc+jwt"]), KeySigner.generate()
    token = await issuer.token(offer)
    for configuration in offer["configuration_ids"]:
        answer = await issuer.receive(offer, holder, configuration=configuration, token=token)
        assert answer.status_code == 200, answer.text
    shown = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    assert shown.json()["state"] == "delivered"
    assert {entry["format"] for entry in shown.json()["credentials"]} == {"dc+sd-jwt", "vc+jwt"}
    assert "link" not in shown.json()


async def test_an_offer_is_made_from_the_authoritys_own_record(issuer: Deployed) -> None:
    offer = await issuer.offer(claims=None, record_reference="file-7")
    answer = await issuer.receive(offer)
    assert dict(opened(answer.json()["credentials"][0]["credential"], Format.DC_SD_JWT)[1].claims) == PERSON
    assert [record["record_reference"] for record in await issuer.records(record_reference="file-7")] == ["file-7"]


@pytest.mark.both_databases
@pytest.mark.clause("VCI-22")
@pytest.mark.attack("I01")
@pytest.mark.good_twin("I01")
async def test_fifty_wallets_with_one_code_get_one_token(issuer: Deployed) -> None:
    offer = await issuer.offer()
    answers = await asyncio.gather(*(issuer.redeem(offer) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 49]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
