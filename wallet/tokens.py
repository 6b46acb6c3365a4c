"""Requests to one issuer with an access token, which is proven to be ours wherever the issuer can check it (RFC 9449).

A key is made for each exchange, so that no two issuers, and no two visits to one, can be linked by it (catalogue I21).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec.structs import replace

from comity import keys
from comity.keys import KeySigner
from comity.openid import client_attestation, dpop
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest, TokenResponse
from comity.ports import Clock, Fetched
from wallet.attesting import Instance, WalletProvider
from wallet.outbound import FORM, Outbound, accepted, error_of, header_of

_NOT_TAKEN = {"invalid_client", "invalid_client_attestation", "use_fresh_attestation"}
_ASKS_FOR_NONCE = re.compile(r'\bDPoP\b.*\berror="?use_dpop_nonce\b', re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One exchange with an issuer.

    Attributes:
        outbound: sends.
        clock: the time.
        key: what tokens are bound to; None when the issuer binds none, and then they are bearer tokens.
        nonces: the latest DPoP nonce of each origin, from any of its answers (RFC 9449 §8.2).
        client: shows who made this wallet; None where it stays anonymous.
        may_be_anonymous: the server serves clients that do not show who they are.
    """

    outbound: Outbound
    clock: Clock
    key: KeySigner | None = field(default=None, repr=False)
    nonces: dict[str, str] = field(default_factory=dict, repr=False)
    client: Instance | None = None
    may_be_anonymous: bool = True

    @classmethod
    def begin(
        cls,
        outbound: Outbound,
        clock: Clock,
        metadata: AuthorizationServerMetadata,
        provider: WalletProvider | None = None,
    ) -> "Exchange":
        """Return a new exchange, with a key where the server lists an algorithm that this wallet has.

        ``provider`` vouches for the wallet where the server takes attestations.
        """
        known = [each for each in keys.ALGORITHMS if each in metadata.dpop_algorithms]
        return cls(
            outbound=outbound,
            clock=clock,
            key=KeySigner.generate(known[0]) if known else None,
            client=Instance.begin(provider, metadata),
            may_be_anonymous=not metadata.client_authentication.is_required,
        )

    @classmethod
    def resume(
        cls, outbound: Outbound, clock: Clock, line: Mapping[str, Any], provider: WalletProvider | None = None
    ) -> "Exchange":
        """Return the exchange that a line of the journal tells of; lines of before DPoP have no key."""
        kept = line.get("dpop_key")
        key = None if kept is None else KeySigner.from_private_jwk(kept)
        client = Instance.resume(provider, line.get("client"))
        nonces = dict(line.get("dpop_nonces", {}))
        return cls(outbound=outbound, clock=clock, key=key, nonces=nonces, client=client)

    @property
    def client_id(self) -> str | None:
        """What requests to the authorization server name as ``client_id``; None for an anonymous wallet."""
        return None if self.client is None else self.client.provider.client_id

    def for_journal(self, token: str) -> dict[str, Any]:
        """Return what a line of the journal needs to go on: the token, the key it is bound to, the latest nonces."""
        key = None if self.key is None else self.key.private_jwk()
        client = None if self.client is None else self.client.for_journal()
        return {"token": token, "dpop_key": key, "dpop_nonces": dict(self.nonces), "client": client}

    async def send_code(self, url: str, request: TokenRequest) -> Fetched:
        """Ask for a token; returns the answer, whatever its status.

        A server that does not know this wallet's maker, and serves anonymous wallets, is asked by one.
        """
        named = replace(request, client_id=self.client_id)
        answer = await self.post(url, named.to_form().encode(), content_type=FORM, proven=True)
        if self.gives_up_name(answer):
            answer = await self.post(url, request.to_form().encode(), content_type=FORM, proven=True)
        return answer

    def gives_up_name(self, answer: Fetched) -> bool:
        """Say whether to ask once more without showing who made this wallet; from then on nothing is shown."""
        if self.client is None or not self.may_be_anonymous or error_of(answer) not in _NOT_TAKEN:
            return False
        self.client = None
        return True

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
        """Post ``body`` and return the answer, whatever its status; once more when only a nonce was missing.

        A token goes out with a proof, or as Bearer when it is not bound. ``proven`` is for the authorization server's
        own endpoints: it sends a proof without a token, and shows who made this wallet; then, once more also when only
        a challenge was missing.

        Raises:
            Denied, Unreachable, OAuthError: the server gives no challenge although it says it does.
        """
        asked_again: set[str] = set()
        while True:
            more = await self._client_headers() if proven else None
            used = self.nonces.get(_origin(url))
            proof = self._proof(url, token, used) if proven or token is not None else None
            answer = await self.outbound.post(url, body, content_type=content_type, token=token, proof=proof, more=more)
            self._remember(url, answer)
            missing = _missing(answer)
            has_it = {"nonce": proof is not None and self.nonces.get(_origin(url)) != used, "challenge": bool(more)}
            if missing is None or missing in asked_again or not has_it[missing]:
                return answer
            asked_again.add(missing)

    async def _client_headers(self) -> dict[str, str] | None:
        """Return what shows who made this wallet; a challenge is fetched where the server has them."""
        client = self.client
        if client is None:
            return None
        if client.challenge is None and client.challenge_endpoint is not None:
            answer = await self.outbound.post(client.challenge_endpoint, b"")
            self._remember(client.challenge_endpoint, answer)
            client.challenge = client_attestation.parse_challenge_response(accepted(answer))
        return client.headers(self.clock.now())

    def _remember(self, url: str, answer: Fetched) -> None:
        if (given := header_of(answer, dpop.NONCE_HEADER)) is not None:
            self.nonces[_origin(url)] = given
        if self.client is not None:
            self.client.remember(answer)

    def _proof(self, url: str, token: str | None, nonce: str | None) -> str | None:
        if self.key is None:
            return None
        return dpop.build(self.key, method="POST", url=url, at=self.clock.now(), nonce=nonce, access_token=token)


def _missing(answer: Fetched) -> Literal["nonce", "challenge"] | None:
    """Tell what alone was missing: RFC 9449 §8 (in the body, 400) or §9 (in the challenge, 401), or the draft's."""
    if answer.status == 401 and _ASKS_FOR_NONCE.search(header_of(answer, "www-authenticate") or ""):
        return "nonce"
    if answer.status not in {400, 401}:
        return None
    error = error_of(answer)
    return "nonce" if error == "use_dpop_nonce" else "challenge" if error == "use_attestation_challenge" else None


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))
