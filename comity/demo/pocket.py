"""A holder without our wallet: a key, a credential, and full control over what is sent. The attacker of the demo.

It speaks the protocols through the library, over the same public endpoints as any foreign wallet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from comity import base64url, formats, strict_json
from comity.credential import Format, SignedCredential
from comity.demo.clients import Offered, answer_of
from comity.keys import KeySigner
from comity.openid import dpop, key_proof
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.offer import CredentialOffer, OfferReference, parse_link
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest, TokenResponse
from comity.openid.presentation import link as request_link
from comity.openid.presentation import request, response
from comity.openid.presentation.parameters import RequestObject
from comity.runtime.clock import SystemClock


@dataclass(slots=True, kw_only=True)
class Pocket:
    """A key and, once one was taken, a credential bound to it."""

    client: httpx.AsyncClient
    key: KeySigner
    held: SignedCredential | None = None

    @property
    def now(self) -> datetime:
        """The current instant."""
        return SystemClock().now().astimezone(UTC)

    async def take(self, offered: Offered) -> None:
        """Take an offer as OpenID4VCI 1.0 says: metadata, token, nonce, proof, credential."""
        offer = parse_link(offered.link)
        if isinstance(offer, OfferReference):
            offer = CredentialOffer.parse(answer_of(await self.client.get(offer.url)))
        issuer = offer.credential_issuer
        metadata = IssuerMetadata.parse(
            answer_of(await self.client.get(IssuerMetadata.url(issuer))), credential_issuer=issuer
        )
        found = answer_of(await self.client.get(AuthorizationServerMetadata.url(issuer)))
        server = AuthorizationServerMetadata.parse(found, issuer=issuer)
        if offer.pre_authorized is None or metadata.nonce_endpoint is None:
            raise AssertionError("the demo's issuer offers pre-authorized codes and nonces")
        asked = TokenRequest(pre_authorized_code=offer.pre_authorized.code, tx_code=offered.transaction_code)
        given = await self.client.post(metadata.nonce_endpoint)
        nonce, own = answer_of(given)["c_nonce"], given.headers[dpop.NONCE_HEADER]
        bound_to = KeySigner.generate(server.dpop_algorithms[0])
        proven = dpop.build(bound_to, method="POST", url=server.token_endpoint, at=self.now, nonce=own)
        told = answer_of(await self._form(server.token_endpoint, asked.to_form(), {dpop.HEADER: proven}))
        token = TokenResponse.parse(told, with_dpop=True).access_token
        proof = key_proof.build(self.key, audience=issuer, nonce=nonce, issued_at=self.now)
        wanted = CredentialRequest(configuration_id=offer.configuration_ids[0], proofs=(proof,))
        url = metadata.credential_endpoint
        proven = dpop.build(bound_to, method="POST", url=url, at=self.now, nonce=own, access_token=token)
        issued = await self.client.post(
            url,
            content=strict_json.serialise(wanted.to_dict()),
            headers={"content-type": "application/json", "authorization": f"DPoP {token}", dpop.HEADER: proven},
        )
        encoded = answer_of(issued)["credentials"][0]["credential"]
        self.held = SignedCredential(format=formats.of(encoded), encoded=encoded)

    async def open(self, link: str) -> RequestObject:
        """Fetch and verify a request object."""
        parsed = request_link.parse_link(link)
        fetched = await self.client.get(parsed.request_uri or "")
        verified = request.verify(fetched.text, client=parsed.client_id, at=self.now)
        if not isinstance(verified, request.VerifiedRequest):
            raise AssertionError("the demo's verifier signs by certificate")
        return verified.request

    def present(self, asked: RequestObject, disclose: list[str], **otherwise: Any) -> str:
        """Return a presentation for ``asked``, with anything in it said otherwise."""
        if self.held is None:
            raise AssertionError("take a credential first")
        said = {"audience": asked.client_id.text, "nonce": asked.nonce, "at": self.now, **otherwise}
        return formats.FORMATS[Format(self.held.format)].present(self.held, disclose, self.key, **said)

    async def send(self, asked: RequestObject, query_id: str, presentation: str) -> dict[str, Any]:
        """Post a presentation as the answer to ``asked``."""
        return answer_of(await self._form(asked.response_uri or "", response.build(asked, {query_id: [presentation]})))

    async def _form(self, url: str, body: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.client.post(url, content=body, headers={**kind, **(headers or {})})


def tampered(presentation: str, claim: str, value: Any) -> str:
    """Return an SD-JWT presentation in which the Disclosure of ``claim`` says ``value``; its salt and place stay."""
    parts = presentation.split("~")
    for position, part in enumerate(parts[1:-1], start=1):
        salt, name, _ = strict_json.parse(base64url.decode(part))
        if name == claim:
            parts[position] = base64url.encode(strict_json.serialise([salt, name, value]))
    return "~".join(parts)
