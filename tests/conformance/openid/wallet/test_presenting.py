"""The modules of the plan oid4vp-1final-wallet, derived from their names (no certification).

The verifier is ours; what it asks is changed on the way and signed again with its own key, so that every request is one
that a verifier might send.
"""

from typing import Any

import pytest

from comity import base64url, formats, jose, jwe, strict_json
from comity.credential import Format
from comity.keys import KeySigner
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.test_requests import REQUESTS, refused, signed_again
from tests.services.wallet.town import Ground, Person, Town, running
from tests.support.in_process import Change, fetched

RESPONSES = "/openid/responses/"
VCT = "https://types.comity.example/person/1"


def asking(query_id: str, *claims: str, **members: Any) -> dict[str, Any]:
    """Return one credential query for a person credential; without claims it asks for none."""
    listed = {"claims": [{"path": [name]} for name in claims]} if claims else {}
    return {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, **listed, **members}


async def answered(town: Town, maya: Person, **claims: Any) -> dict[str, Any]:
    """Answer a request that was changed on the way; return what the wallet posted, as the verifier reads it."""
    started = await town.ask()
    keys = jwe.EncryptionKey.generate("of-this-request")
    metadata = {
        "jwks": {"keys": [keys.public_jwk]},
        "encrypted_response_enc_values_supported": ["A256GCM"],
        "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}},
    }
    town.net.afterwards(REQUESTS, signed_again(town, **{"client_metadata": metadata, **claims}))
    taken = posted(town)
    agreed = await maya.agree(await maya.consent(started["link"]))
    assert agreed.status_code == 200, agreed.text
    (body,) = taken
    token = body.decode().removeprefix("response=")
    return strict_json.parse_object(jwe.decrypt(token, keys.private_jwk()))


def posted(town: Town) -> list[bytes]:
    """Answer in the verifier's stead; return where the bodies of the answers will be."""
    taken: list[bytes] = []

    def keep(request: FetchRequest, _answer: Fetched | None) -> Fetched:
        taken.append(request.body or b"")
        return fetched(request.url, b"{}", town.clock)

    town.net.instead(RESPONSES, keep)
    return taken


def disclosed(vp_token: dict[str, list[str]], query_id: str) -> set[str]:
    """Return the names of the claims that one presentation discloses."""
    (presented,) = vp_token[query_id]
    kind = formats.FORMATS[Format.DC_SD_JWT]
    processed = kind.process(kind.open(presented).credentials[0])
    return set(processed.claims)


@pytest.mark.derived("oid4vp-1final-wallet-happy-flow")
@pytest.mark.clause("HAIP-wallet")
async def test_happy_flow(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask()
    agreed = await maya.agree(await maya.consent(started["link"]))
    assert agreed.status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"


@pytest.mark.derived("oid4vp-1final-wallet-alternate-happy-flow")
async def test_alternate_happy_flow(town: Town, maya: Person, held: dict[str, Any]) -> None:
    long = "n" * 256
    inner = await answered(
        town, maya, nonce=long, state=long, iss="https://another.example", unknown_parameter={"a": 1}
    )
    assert inner["state"] == long
    (presented,) = next(iter(inner["vp_token"].values()))
    assert jose.payload_object(jose.parse(presented.rpartition("~")[2]))["nonce"] == long


@pytest.mark.derived("oid4vp-1final-wallet-request-uri-method-post")
async def test_request_uri_method_post(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask()
    assert "request_uri_method=post" in started["link"]
    await maya.agree(await maya.consent(started["link"]))
    (fetch,) = [each for each in town.net.asked if REQUESTS in each.url]
    assert fetch.method == "POST"
    assert b"wallet_nonce=" in (fetch.body or b"")
    assert (await town.result(started))["result"]["verdict"] == "accepted"


@pytest.mark.derived("oid4vp-1final-wallet-fewer-claims-than-available")
async def test_fewer_claims_than_available(town: Town, maya: Person, held: dict[str, Any]) -> None:
    inner = await answered(town, maya, dcql_query={"credentials": [asking("a", "age_over_19")]})
    assert disclosed(inner["vp_token"], "a") == {"age_over_19"}


@pytest.mark.derived("oid4vp-1final-wallet-no-claims-in-dcql-query")
async def test_no_claims_in_the_query(town: Town, maya: Person, held: dict[str, Any]) -> None:
    inner = await answered(town, maya, dcql_query={"credentials": [asking("a")]})
    assert disclosed(inner["vp_token"], "a") == set()


@pytest.mark.derived("oid4vp-1final-wallet-optional-credential-set")
async def test_optional_credential_set(town: Town, maya: Person, held: dict[str, Any]) -> None:
    other = {**asking("b", "class"), "meta": {"vct_values": ["https://types.comity.example/drivers-licence/1"]}}
    sets = [{"options": [["a"]]}, {"options": [["b"]], "required": False}]
    query = {"credentials": [asking("a", "age_over_19"), other], "credential_sets": sets}
    inner = await answered(town, maya, dcql_query=query)
    assert set(inner["vp_token"]) == {"a"}


@pytest.mark.derived("oid4vp-1final-wallet-ignores-unusable-encryption-key")
async def test_an_unusable_encryption_key_is_ignored(town: Town, maya: Person, held: dict[str, Any]) -> None:
    good = jwe.EncryptionKey.generate("good")
    unusable = {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "bad", "use": "enc", "alg": "ECDH-ES"}
    metadata = {
        "jwks": {"keys": [unusable, good.public_jwk]},
        "encrypted_response_enc_values_supported": ["A256GCM"],
        "vp_formats_supported": {"dc+sd-jwt": {}},
    }
    town.net.afterwards(REQUESTS, signed_again(town, client_metadata=metadata))
    taken = posted(town)
    await maya.agree(await maya.consent((await town.ask())["link"]))
    (body,) = taken
    assert "vp_token" in strict_json.parse_object(
        jwe.decrypt(body.decode().removeprefix("response="), good.private_jwk())
    )


# --- what is refused


async def turned_down(town: Town, maya: Person, code: str, change: Change) -> None:
    """The changed request is refused for ``code``; the same request unchanged is shown."""
    link = (await town.ask())["link"]
    town.net.afterwards(REQUESTS, change)
    await refused(town, maya, link, code)
    town.net.heal()
    await maya.consent(link)


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-invalid-request-object-signature")
async def test_invalid_request_object_signature(town: Town, maya: Person, held: dict[str, Any]) -> None:
    await turned_down(town, maya, "signature_invalid", signed_again(town, by=KeySigner.generate()))


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-mismatched-client-id")
async def test_mismatched_client_id(town: Town, maya: Person, held: dict[str, Any]) -> None:
    await turned_down(town, maya, "client_mismatch", signed_again(town, client_id="x509_hash:somebody-else"))


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-missing-nonce")
async def test_missing_nonce(town: Town, maya: Person, held: dict[str, Any]) -> None:
    await turned_down(town, maya, "request_invalid", signed_again(town, nonce=None))


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-redirect-uri-with-direct-post")
async def test_redirect_uri_with_direct_post(town: Town, maya: Person, held: dict[str, Any]) -> None:
    change = signed_again(town, redirect_uri="http://localhost:8103/elsewhere")
    await turned_down(town, maya, "request_invalid", change)


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-invalid-client-id-prefix")
async def test_invalid_client_id_prefix(town: Town, maya: Person, held: dict[str, Any]) -> None:
    link = (await town.ask())["link"]
    await refused(town, maya, link.replace("x509_hash", "no_such_prefix"), "request_invalid")
    await maya.consent(link)


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-required-non-matching-credential")
async def test_required_non_matching_credential(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """What cannot be answered whole is not answered in part, and the verifier learns no more than a no."""
    other = {**asking("b", "class"), "meta": {"vct_values": ["https://types.comity.example/drivers-licence/1"]}}
    query = {"credentials": [asking("a", "age_over_19"), other]}
    town.net.afterwards(REQUESTS, signed_again(town, dcql_query=query))
    started = await town.ask()
    answer = await maya.post("presentations", request=started["link"])
    assert (answer.status_code, answer.json()["code"]) == (403, "no_matching_credential")
    told = [each.body or b"" for each in town.net.asked if RESPONSES in each.url]
    assert not any(b"vp_token" in body for body in told)
    town.net.heal()
    await maya.consent(started["link"])


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-unknown-transaction-data-type")
async def test_unknown_transaction_data_type(town: Town, maya: Person, held: dict[str, Any]) -> None:
    unknown = {"type": "org.example.unknown", "credential_ids": ["person_sdjwt"]}
    data = base64url.encode(strict_json.serialise(unknown))
    await turned_down(town, maya, "transaction_data_invalid", signed_again(town, transaction_data=[data]))


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-response-uri-not-client-id")
@pytest.mark.clause("6-2-x509_san_dns")
@pytest.mark.attack("P15")
@pytest.mark.good_twin("P15")
async def test_response_uri_of_another_host(ground: Ground) -> None:
    async with running(ground, verifier_client_id_prefix="x509_san_dns") as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        change = signed_again(town, response_uri="http://elsewhere.localhost:8103/openid/responses/x")
        await turned_down(town, maya, "request_invalid", change)


@pytest.mark.derived("oid4vp-1final-wallet-negative-test-wrong-expected-origins")
@pytest.mark.clause("VP-24")
async def test_wrong_expected_origins(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask(flow="digital_credentials", origins=["https://shop.example"])
    signed = started["digital"]["requests"][0]
    answer = await maya.post("digital-credentials", origin="https://attacker.example", **signed)
    assert (answer.status_code, answer.json()["code"]) == (400, "origin_mismatch")
    assert (await maya.post("digital-credentials", origin="https://shop.example", **signed)).status_code == 201
