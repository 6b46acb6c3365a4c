"""Requests to one issuer with an access token, which is proven to be ours wherever the issuer can check it (RFC 9449).

A key is made for each exchange, so that no two issuers, and no two visits to one, can be linked by it (catalogue I21).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from comity import keys
from comity.keys import KeySigner
from comity.openid import dpop
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest, TokenResponse
from comity.ports import Clock, Fetched
from wallet.outbound import FORM, Outbound, accepted, error_of

_ASKS_FOR_NONCE = re.compile(r'\bDPoP\b.*\berror="?use_dpop_nonce\b', re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One exchange with an issuer.

    Attributes:
        outbound: sends.
        clock: the time.
        key: what tokens are bound to; None when the issuer binds none, and then they are bearer tokens.
        nonces: the latest DPoP nonce of each origin, from any of its answers (RFC 9449 §8.2).
    """

    outbound: Outbound
    clock: Clock
    key: KeySigner | None = field(default=None, repr=False)
    nonces: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def begin(cls, outbound: Outbound, clock: Clock, metadata: AuthorizationServerMetadata) -> "Exchange":
        """Return a new exchange, with a key where the server lists an algorithm that this wallet has."""
        known = [each for each in keys.ALGORITHMS if each in metadata.dpop_algorithms]
        return cls(outbound=outbound, clock=clock, key=KeySigner.generate(known[0]) if known else None)

    @classmethod
    def resume(cls, outbound: Outbound, clock: Clock, line: Mapping[str, Any]) -> "Exchange":
        """Return the exchange that a line of the journal tells of; lines of before DPoP have no key."""
        kept = line.get("dpop_key")
        key = None if kept is None else KeySigner.from_private_jwk(kept)
        return cls(outbound=outbound, clock=clock, key=key, nonces=dict(line.get("dpop_nonces", {})))

    def for_journal(self, token: str) -> dict[str, Any]:
        """Return what a line of the journal needs to go on: the token, the key it is bound to, the latest nonces."""
        key = None if self.key is None else self.key.private_jwk()
        return {"token": token, "dpop_key": key, "dpop_nonces": dict(self.nonces)}

    async def send_code(self, url: str, request: TokenRequest) -> Fetched:
        """Ask for a token; returns the answer, whatever its status."""
        return await self.post(url, request.to_form().encode(), content_type=FORM, proven=True)

    def token_of(self, answer: Fetched) -> str:
        """Return the token that was asked for.

        Raises:
            OAuthError: the answer is malformed, or a token that is not bound although a proof was sent.
            Denied, Unreachable: as :func:`wallet.outbound.accepted`.
        """
        return self.tokens_of(answer).access_token

    def tokens_of(self, answer: Fetched) -> TokenResponse:
        """Return everything that came with the token; raises as :meth:`token_of`."""
        return TokenResponse.parse(accepted(answer), with_dpop=self.key is not None)

    async def post(
        self, url: str, body: bytes, *, content_type: str | None = None, token: str | None = None, proven: bool = False
    ) -> Fetched:
        """Post ``body`` and return the answer, whatever its status; once more when only a DPoP nonce was missing.

        A token goes out with a proof, or as Bearer when it is not bound; ``proven`` sends a proof without a token.
        """
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        used = self.nonces.get(origin)
        proof = self._proof(url, token, used) if proven or token is not None else None
        answer = await self.outbound.post(url, body, content_type=content_type, token=token, proof=proof)
        self._remember(origin, answer)
        if proof is not None and self.nonces.get(origin) != used and _asks_for_nonce(answer):
            proof = self._proof(url, token, self.nonces[origin])
            answer = await self.outbound.post(url, body, content_type=content_type, token=token, proof=proof)
            self._remember(origin, answer)
        return answer

    def _remember(self, origin: str, answer: Fetched) -> None:
        if (given := _header(answer, dpop.NONCE_HEADER)) is not None:
            self.nonces[origin] = given

    def _proof(self, url: str, token: str | None, nonce: str | None) -> str | None:
        if self.key is None:
            return None
        return dpop.build(self.key, method="POST", url=url, at=self.clock.now(), nonce=nonce, access_token=token)


def _asks_for_nonce(answer: Fetched) -> bool:
    """Tell whether only a nonce was missing: RFC 9449 §8 (in the body, 400) or §9 (in the challenge, 401)."""
    if answer.status == 401 and _ASKS_FOR_NONCE.search(_header(answer, "www-authenticate") or ""):
        return True
    return answer.status in {400, 401} and error_of(answer) == "use_dpop_nonce"


def _header(answer: Fetched, name: str) -> str | None:
    return next((value for key, value in answer.headers.items() if key.lower() == name), None)
