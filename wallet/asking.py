"""Asking an issuer: for a credential, and after one that it promised. What is asked for is a line of the journal."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from comity.openid.issuance import credential_response
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.issuance.deferred import DeferredRequest
from comity.openid.oauth import parse_nonce_response
from comity.ports import Clock, Fetched, Signer
from wallet import attesting
from wallet.attesting import WalletProvider
from wallet.envelopes import Envelope
from wallet.journal import Line, keys_of
from wallet.offers import Offers
from wallet.outbound import Outbound, accepted, error_of
from wallet.tokens import Exchange

_NONCE, _ENCRYPTION, _PROOFS = "invalid_nonce", "invalid_encryption_parameters", "invalid_proof"


class Asking(Struct, frozen=True, kw_only=True):
    """Sends the questions, encrypted wherever the issuer offers that."""

    outbound: Outbound
    clock: Clock
    offers: Offers
    provider: WalletProvider | None = None

    async def for_credentials(self, line: Line, signers: Sequence[Signer]) -> Issued | Deferred:
        """Send a credential request with a proof for each key (OpenID4VCI §8).

        A nonce that is refused is fetched once more (profile 4.7), and so is a key of the issuer that was exchanged
        meanwhile. An issuer that does not want so many keys is asked with the first one alone.

        Raises:
            Denied, Malformed, Unreachable: the issuer refuses, answers with something unusable, or does not answer.
        """
        exchange = Exchange.resume(self.outbound, self.clock, line)
        kept, once_more = line.get("encryption"), {_NONCE, _ENCRYPTION}
        while True:
            envelope = Envelope.begin(kept)
            answer = await self._request(exchange, line, signers, envelope)
            refusal = error_of(answer) if answer.status == 400 else ""
            if refusal in once_more:
                once_more.remove(refusal)
                kept = kept if refusal == _NONCE else await self._encryption(line)
            elif refusal == _PROOFS and len(signers) > 1:
                signers = signers[:1]
            else:
                return credential_response.parse(envelope.open(answer), proofs_sent=len(signers))

    async def _request(self, exchange: Exchange, line: Line, signers: Sequence[Signer], envelope: Envelope) -> Fetched:
        nonce, now = None, self.clock.now()
        if line["nonce_endpoint"] is not None:
            nonce = parse_nonce_response(accepted(await exchange.post(line["nonce_endpoint"], b"")))
        request = attesting.request_for(line, signers, nonce=nonce, at=now, provider=self.provider)
        request = _by_identifier(request, line)
        body, content_type = envelope.seal(request.to_dict())
        return await exchange.post(line["credential_endpoint"], body, content_type=content_type, token=line["token"])

    async def for_deferred(self, line: Line) -> Issued | Deferred | None:
        """Ask after what was promised (OpenID4VCI §9); None when the id is spent: an answer was lost.

        Raises:
            Denied, Malformed, Unreachable: as :meth:`for_credentials`; ``Denied`` also for the issuer's final no.
        """
        exchange = Exchange.resume(self.outbound, self.clock, line)
        kept = line.get("encryption")
        for attempt in (1, 2):
            envelope = Envelope.begin(kept)
            body, content_type = envelope.seal(DeferredRequest(transaction_id=line["transaction_id"]).to_dict())
            answer = await exchange.post(
                line["deferred_endpoint"], body, content_type=content_type, token=line["token"]
            )
            refusal = error_of(answer) if answer.status == 400 else ""
            if refusal == "invalid_transaction_id":
                return None
            if refusal != _ENCRYPTION or attempt == 2:
                return credential_response.parse(envelope.open(answer), proofs_sent=len(keys_of(line)))
            kept = await self._encryption(line)
        return None

    async def _encryption(self, line: Line) -> dict[str, Any] | None:
        """Return how to encrypt by the issuer's metadata of today."""
        choice = (await self.offers.metadata(line["issuer"])).encryption()
        return None if choice is None else choice.to_dict()


def _by_identifier(request: CredentialRequest, line: Line) -> CredentialRequest:
    """Ask by the identifier where the token came with one, else by the configuration (VCI-23, VCI-40)."""
    identifier = (line.get("identifiers") or {}).get(line["configuration_id"])
    return request if identifier is None else replace(request, configuration_id=None, credential_identifier=identifier)
