"""Requesting: a relying party starts, a wallet opens. The states of a request are types."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from comity import base64url, jwe, strict_json
from comity.errors import Code, Conflict, Malformed, NotFound
from comity.openid import endpoint
from comity.openid.presentation import request as request_object
from comity.openid.presentation.client_metadata import ClientMetadata, formats_supported
from comity.openid.presentation.link import RequestLink, RequestUriMethod
from comity.openid.presentation.parameters import RequestObject, ResponseMode
from comity.ports import Clock
from comity.runtime.database import Database
from comity.runtime.keystore import seal, unseal
from comity.trust.places import place_of
from verifier import policies, store
from verifier.identity import Identity
from verifier.store import RequestRow

SECRET_BYTES = 32
MAX_REDIRECT_URI, MAX_WALLET_NONCE = 2048, 512
ENCRYPTIONS = ("A256GCM", "A128GCM")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class Flow(StrEnum):
    """Where the wallet is: on another device (QR code), or on the one that shows the request (link)."""

    CROSS_DEVICE = "cross_device"
    SAME_DEVICE = "same_device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """Waiting for a wallet."""

    name: ClassVar[str] = "requested"
    row: RequestRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A wallet has opened it."""

    name: ClassVar[str] = "fetched"
    row: RequestRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """It has its verdict; nothing can change it any more."""

    name: ClassVar[str] = "answered"
    row: RequestRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Its time ended without an answer."""

    name: ClassVar[str] = "expired"
    row: RequestRow


PresentationRequest = Requested | Fetched | Answered | Expired


def state_of(row: RequestRow, now: datetime) -> PresentationRequest:
    """Return the state in which the request is at ``now``."""
    if row.answered_at is not None:
        return Answered(row=row)
    if row.expires_at <= now:
        return Expired(row=row)
    return Fetched(row=row) if row.fetched_at is not None else Requested(row=row)


def require_open(row: RequestRow, now: datetime) -> Requested | Fetched:
    """Return the state of a request that can still be answered at ``now``.

    Raises:
        Conflict: ``request_already_answered`` or ``request_expired``.
    """
    state = state_of(row, now)
    if isinstance(state, Answered):
        raise Conflict(Code.REQUEST_ALREADY_ANSWERED, "the request was answered already")
    if isinstance(state, Expired):
        raise Conflict(Code.REQUEST_EXPIRED, "the request's time is over")
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What the relying party is told; ``transaction_id`` and ``link`` are secrets between it and its customer."""

    request_id: str
    transaction_id: str
    link: str
    request_uri: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a relying party asks for.

    Attributes:
        policy: name of the policy.
        place: place of use, such as ``ca-on``; None takes the installation's. Without either nothing is asked:
            whether a credential is recognised there is part of every answer.
        flow: with :attr:`Flow.SAME_DEVICE` the result needs the response code that the wallet brings back.
        same_holder: ask for one holder key although the policy does not.
        redirect_uri: same device: where the wallet sends the person, instead of this verifier's own page.
    """

    policy: str
    place: str | None = None
    flow: Flow = Flow.CROSS_DEVICE
    same_holder: bool = False
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requesting:
    """The use case, with what it needs.

    Attributes:
        database: where requests are kept.
        identity: who signs them.
        clock: the time.
        public_url: the verifier's own address.
        place: default place of use, or None.
        response_mode: how wallets are to answer.
        lifetime: how long a request can be answered.
        on_change: told the request id whenever a request changes its state.
    """

    database: Database
    identity: Identity
    clock: Clock
    public_url: str
    place: str | None
    response_mode: ResponseMode
    lifetime: timedelta
    on_change: Callable[[str], None]

    async def start(self, terms: Terms, *, relying_party: str) -> Started:
        """Start a request and return what leads a wallet to it.

        Raises:
            Malformed: unknown policy or place, or a redirect address that is none.
        """
        now = self.clock.now().replace(microsecond=0)
        place = self._place(terms)
        policies.prepare(terms.policy, place=place, today=now.date())
        self._check_redirect(terms)
        request_id, transaction_id = _secret(), _secret()
        row = RequestRow(
            id=request_id,
            transaction_hash=digest(transaction_id),
            relying_party=relying_party,
            policy=terms.policy,
            place=place,
            flow=terms.flow.value,
            same_holder=terms.same_holder,
            client_id=self.identity.client.text,
            nonce=_secret(),
            state=_secret(),
            response_mode=self.response_mode.value,
            sealed_key=self._encryption_key(request_id),
            redirect_uri=terms.redirect_uri,
            response_code_hash=None,
            created_at=now,
            expires_at=now + self.lifetime,
        )
        await self.database.write(partial(store.save_request, row=row))
        return Started(
            request_id=request_id,
            transaction_id=transaction_id,
            link=self._link(row),
            request_uri=self._request_uri(row),
            expires_at=row.expires_at,
        )

    async def open(self, request_id: str, *, wallet_nonce: str | None = None) -> str:
        """Return the signed request object for a wallet; may be asked for again until the request is answered.

        Raises:
            NotFound: there is no such request.
            Conflict: it was answered, its time ended, or this verifier has taken another name since it was started.
            Malformed: the wallet's nonce is longer than 512 characters.
        """
        if wallet_nonce is not None and len(wallet_nonce) > MAX_WALLET_NONCE:
            raise Malformed(Code.REQUEST_INVALID, f"wallet_nonce may have {MAX_WALLET_NONCE} characters at most")
        state = await self.find_open(request_id)
        if state.row.client_id != self.identity.client.text:
            raise Conflict(Code.REQUEST_EXPIRED, "the verifier has taken another name since; start a new request")
        if isinstance(state, Requested):
            await self.database.write(partial(store.mark_fetched, request_id=request_id, at=self.clock.now()))
            self.on_change(request_id)
        asked = replace(self.request_of(state.row), wallet_nonce=wallet_nonce)
        return request_object.sign(asked, self.identity.signer, self.identity.key)

    async def link_of(self, request_id: str) -> str:
        """Return the link of an open request, for drawing its QR code; raises as :meth:`find_open`."""
        return self._link((await self.find_open(request_id)).row)

    async def find_open(self, request_id: str) -> Requested | Fetched:
        """Return a request that can still be answered.

        Raises:
            NotFound: there is no such request.
            Conflict: it was answered, or its time ended.
        """
        row = None
        if _REQUEST_ID.fullmatch(request_id):  # anything else never reaches a database (catalogue W14)
            row = await self.database.read(partial(store.find_request, request_id=request_id))
        if row is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        return require_open(row, self.clock.now())

    def request_of(self, row: RequestRow) -> RequestObject:
        """Return the parameters of a request, the same each time."""
        ask = policies.prepare(row.policy, place=row.place, today=row.created_at.date())
        return RequestObject(
            client_id=self.identity.client,
            response_mode=ResponseMode(row.response_mode),
            response_uri=f"{self.public_url}/openid/responses/{row.id}",
            nonce=row.nonce,
            query=ask.query,
            state=row.state,
            client_metadata=self._client_metadata(row),
            issued_at=row.created_at,
            expires_at=row.expires_at,
        )

    def private_jwk(self, row: RequestRow) -> dict[str, Any] | None:
        """Return the decryption key of this one request; None when it has none, or no longer."""
        if row.sealed_key is None:
            return None
        return strict_json.parse_object(unseal(self.identity.seal, row.sealed_key, context=_key_context(row.id)))

    def _link(self, row: RequestRow) -> str:
        uri = self._request_uri(row)
        return RequestLink(client_id=row.client_id, request_uri=uri, method=RequestUriMethod.POST).link()

    def _request_uri(self, row: RequestRow) -> str:
        return f"{self.public_url}/openid/requests/{row.id}"

    def _place(self, terms: Terms) -> str:
        place = place_of(terms.place or "") if terms.place is not None else self.place
        if place is None:
            raise Malformed(Code.PLACE_UNKNOWN, "name the place of use, a province or territory such as ca-on")
        return place

    def _check_redirect(self, terms: Terms) -> None:
        """Refuse addresses that could run script, be misread, or hold the code already (catalogue P03, W04)."""
        target = terms.redirect_uri
        if target is None:
            return
        if terms.flow is not Flow.SAME_DEVICE:
            raise Malformed(Code.REQUEST_INVALID, "a redirect address belongs to the same-device flow")
        is_plain = not target.startswith("https:") and not self.public_url.startswith("http:")
        if len(target) > MAX_REDIRECT_URI or is_plain or not endpoint.is_endpoint(target):
            detail = "the redirect address must be an absolute https URL without a fragment"
            raise Malformed(Code.URL_NOT_ALLOWED, detail)
        if "response_code" in dict(parse_qsl(urlsplit(target).query, keep_blank_values=True)):
            raise Malformed(Code.URL_NOT_ALLOWED, "the redirect address may not hold a response code already")

    def _encryption_key(self, request_id: str) -> bytes | None:
        """Make a fresh key for each request (HAIP §5), sealed for storage."""
        if self.response_mode is not ResponseMode.DIRECT_POST_JWT:
            return None
        key = jwe.EncryptionKey.generate(request_id)
        return seal(self.identity.seal, strict_json.serialise(key.private_jwk()), context=_key_context(request_id))

    def _client_metadata(self, row: RequestRow) -> ClientMetadata:
        formats = {name: {k: tuple(v) for k, v in limits.items()} for name, limits in formats_supported().items()}
        private = self.private_jwk(row)
        if private is None:
            return ClientMetadata(formats=formats)
        public = {name: value for name, value in private.items() if name != "d"}
        return ClientMetadata(jwks=(public,), encryption_methods=ENCRYPTIONS, formats=formats)


def digest(secret: str) -> str:
    """Return the SHA-256 (hexadecimal) under which a secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _secret() -> str:
    return base64url.encode(secrets.token_bytes(SECRET_BYTES))


def _key_context(request_id: str) -> bytes:
    return f"verifier/request/{request_id}/key".encode()
