"""What a verifier can send by setting: its names, accredited authorities, and what a wallet's own metadata asks."""

from typing import Any

import pytest

from comity import base64url, jwe, strict_json, x509
from comity.jwe import EncryptionKey
from comity.openid.presentation import link, request, response
from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Place, running


async def posted(verifier: Deployed, started: dict[str, Any], **metadata: Any) -> Any:
    path = f"/openid/requests/{started['request_id']}"
    fields = {"wallet_nonce": "n-1", "wallet_metadata": strict_json.serialise(metadata).decode()}
    return await verifier.client.post(path, data=fields)


# --- request_uri_method=post


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
@pytest.mark.clause("VP-3")
async def test_the_request_is_encrypted_where_the_wallet_asks_for_it(verifier: Deployed, enc: str) -> None:
    key, started = EncryptionKey.generate("mine"), await verifier.start()
    metadata = {**link.wallet_metadata(key.public_jwk), "request_object_encryption_enc_values_supported": [enc]}
    answer = await posted(verifier, started, **metadata)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
    head = jwe.header(answer.text)
    assert (head["enc"], head["kid"]) == (enc, "mine")
    inner = jwe.decrypt(answer.text, key.private_jwk()).decode()
    client = link.parse_link(started["link"]).client_id
    found = request.verify(inner, client=client, at=verifier.clock.now(), wallet_nonce="n-1")
    assert isinstance(found, request.VerifiedRequest)
    plain = await posted(verifier, started, **link.wallet_metadata())
    assert plain.text.count(".") == 2


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"client_id_prefixes_supported": ["redirect_uri"]}, "invalid_request"),
        ({"request_object_signing_alg_values_supported": ["RS256"]}, "invalid_request"),
        ({"vp_formats_supported": {"mso_mdoc": {}}}, "vp_formats_not_supported"),
        ({"jwks": {"keys": [{"kty": "RSA"}]}}, "invalid_request"),
        ({"jwks": "text"}, "invalid_request"),
        ({"client_id_prefixes_supported": "x509_hash"}, "invalid_request"),
    ],
)
async def test_a_wallet_that_could_not_use_the_request_is_told(
    verifier: Deployed, metadata: dict[str, Any], error: str
) -> None:
    started = await verifier.start()
    refused = await posted(verifier, started, **metadata)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert (await posted(verifier, started, vp_formats_supported={"dc+sd-jwt": {}})).status_code == 200


# --- names


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns", "decentralized_identifier"])
async def test_it_names_itself_as_it_is_set_up(place: Place, prefix: str) -> None:
    async with running(place, client_id_prefix=prefix) as verifier:
        started = await verifier.start()
        asked = await verifier.fetch(started, wallet_nonce="n")
        assert asked.client_id.prefix == prefix
        assert (await verifier.answer(started)).status_code == 200
        assert (await verifier.result(started))["verdict"] == "accepted"


async def test_without_a_signature_the_address_is_the_name(place: Place) -> None:
    async with running(place, client_id_prefix="redirect_uri") as verifier:
        started = await verifier.start()
        assert (await verifier.client.get(started["qr_url"].removeprefix(PUBLIC_URL))).status_code == 200
        parsed = link.parse_link(started["link"])
        assert (parsed.request_uri, parsed.request) == (None, None)
        asked = request.read_unsigned(parsed).request
        assert asked.client_id.text == f"redirect_uri:{PUBLIC_URL}/openid/responses/{started['request_id']}"
        assert (await verifier.client.get(f"/openid/requests/{started['request_id']}")).status_code == 404
        answer = await verifier.post(started, response.build(asked, verifier.vp_token(asked, verifier.licence())))
        assert answer.status_code == 200, answer.text
        assert (await verifier.result(started))["verdict"] == "accepted"


def test_unsigned_requests_do_not_reach_production(place: Place) -> None:
    def reasons(prefix: str) -> list[str]:
        return [each for each in place.settings(client_id_prefix=prefix).refuse_in_production() if "PREFIX" in each]

    assert len(reasons("redirect_uri")) == 1
    assert reasons("x509_hash") == []


# --- trusted_authorities


@pytest.mark.clause("TR-8")
async def test_accredited_authorities_are_named(verifier: Deployed) -> None:
    """DQ-7: the key identifier of every anchor whose authority may issue the type; none for W3C formats."""
    started = await verifier.start(trusted_only=True)
    asked = {each.id: each.trusted_authorities for each in (await verifier.fetch(started)).query.credentials}
    (named,) = asked["drivers-licence_sdjwt"]
    own = verifier.held()
    chain = x509.parse_chain(_header(own.encoded)["x5c"])
    assert named.type == "aki"
    assert base64url.encode(x509.authority_key_identifier(chain[0])) in named.values
    assert asked["drivers-licence_vcjwt"] == ()
    assert (await verifier.answer(started)).status_code == 200
    assert (await verifier.result(started))["verdict"] == "accepted"
    plain = (await verifier.fetch(await verifier.start())).query.credentials
    assert [each.trusted_authorities for each in plain] == [(), ()]


@pytest.mark.clause("DQ-7")
async def test_every_request_names_them_where_that_is_set(place: Place) -> None:
    async with running(place, trusted_authorities=True) as verifier:
        asked = (await verifier.fetch(await verifier.start())).query.credential("drivers-licence_sdjwt")
        assert asked is not None
        assert asked.trusted_authorities[0].type == "aki"


@pytest.mark.clause("TR-8")
async def test_the_hint_is_checked_again_and_never_makes_trust(verifier: Deployed) -> None:
    """P08: an answer from an authority that was not asked for does not satisfy the query."""
    started = await verifier.start(trusted_only=True)
    stranger = verifier.held(authority=verifier.federation.stranger)
    token = {"drivers-licence_sdjwt": (stranger, ("class", "expires_on"))}
    assert (await verifier.answer(started, token)).status_code == 200
    assert (await verifier.result(started))["verdict"] == "rejected"


def _header(encoded: str) -> dict[str, Any]:
    return strict_json.parse_object(base64url.decode(encoded.partition(".")[0]))
