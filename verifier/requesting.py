"""Requesting: a relying party starts, a wallet opens."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from comity import base64url, dcql, jwe, strict_json
from comity.errors import Code, Conflict, Malformed, NotFound
from comity.openid import endpoint
from comity.openid.presentation import digital_credentials, transaction_data
from comity.openid.presentation import request as request_object
from comity.openid.presentation.client_metadata import ClientMetadata, formats_supported
from comity.openid.presentation.link import RequestLink, RequestUriMethod, RequestUriPost, as_parameters
from comity.openid.presentation.parameters import RequestObject, ResponseMode
from comity.openid.presentation.verifier_info import VerifierInfo
from comity.openid.presentation.wallet_metadata import WalletMetadata
from comity.ports import Clock
from comity.runtime.database import Database
from comity.runtime.keystore import seal, unseal
from comity.trust.places import place_of
from comity.trust.snapshot import RegistrySnapshot
from verifier import particulars, policies, store
from verifier.identity import Identity
from verifier.particulars import Particulars
from verifier.policies import Ask, Builder
from verifier.states import Fetched, Requested, require_open
from verifier.store import RequestRow

SECRET_BYTES = 32
MAX_REDIRECT_URI, MAX_WALLET_NONCE = 2048, 512
ENCRYPTIONS = ("A256GCM", "A128GCM")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class Flow(StrEnum):
    """Where the wallet is: on another device (QR code), on this one (link), or where the browser finds it (DC API)."""

    CROSS_DEVICE = "cross_device"
    SAME_DEVICE = "same_device"
    DIGITAL_CREDENTIALS = "digital_credentials"


class Started(Struct, frozen=True, kw_only=True):
    """What the relying party is told; ``transaction_id`` and ``link`` are secrets between it and its customer.

    ``messages`` are the requests for the Digital Credentials API, in place of a link that can be opened.
    """

    request_id: str
    transaction_id: str
    flow: Flow
    link: str
    request_uri: str
    expires_at: datetime
    messages: tuple[Mapping[str, Any], ...] = ()


class Terms(Struct, frozen=True, kw_only=True):
    """What a relying party asks for.

    Attributes:
        policy: name of the policy.
        place: place of use, such as ``ca-on``; None takes the installation's. Without either nothing is asked:
            whether a credential is recognised there is part of every answer.
        flow: with :attr:`Flow.SAME_DEVICE` the result needs the response code that the wallet brings back.
        same_holder: ask for one holder key although the policy does not.
        redirect_uri: same device: where the wallet sends the person, instead of this verifier's own page.
        transactions: what the person is to authorise, each ``{type, …}``.
        trusted_only: ask only for credentials of authorities that the registry accredits.
        origins: Digital Credentials API: the websites that may ask.
    """

    policy: str
    place: str | None = None
    flow: Flow = Flow.CROSS_DEVICE
    same_holder: bool = False
    redirect_uri: str | None = None
    transactions: tuple[Mapping[str, Any], ...] = ()
    trusted_only: bool = False
    origins: tuple[str, ...] = ()


class Requesting(Struct, frozen=True, kw_only=True):
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
        snapshot: returns the registry as last verified; raises when none was ever seen.
        trusted_authorities: whether every request names the accredited authorities.
        verifier_info: what others attest of this verifier; sent along.
        own_policies: further policies of the installation, by name.
    """

    database: Database
    identity: Identity
    clock: Clock
    public_url: str
    place: str | None
    response_mode: ResponseMode
    lifetime: timedelta
    on_change: Callable[[str], None]
    snapshot: Callable[[], RegistrySnapshot]
    trusted_authorities: bool = False
    verifier_info: tuple[VerifierInfo, ...] = ()
    own_policies: Mapping[str, Builder] = field(default_factory=dict)

    async def start(self, terms: Terms, *, relying_party: str) -> Started:
        """Start a request and return what leads a wallet to it.

        Raises:
            Malformed: unknown policy or place, a redirect address or an origin that is none, a transaction that is not
                as its type demands.
            Unreachable: the accredited authorities are to be named, and the registry was never seen.
        """
        now = self.clock.now().replace(microsecond=0)
        place = self._place(terms)
        ask = self.prepare(terms.policy, place, now.date())
        self._check_redirect(terms)
        request_id, transaction_id = _secret(), _secret()
        sealed = self._sealed(request_id, self._particulars(terms, ask.query))
        row = RequestRow(
            id=request_id,
            transaction_hash=digest(transaction_id),
            relying_party=relying_party,
            policy=terms.policy,
            place=place,
            flow=terms.flow.value,
            same_holder=terms.same_holder,
            client_id=self.identity.client_for(self._response_uri(request_id)).text,
            nonce=_secret(),
            state=_secret(),
            response_mode=self._mode(terms.flow).value,
            sealed_key=self._encryption_key(request_id),
            redirect_uri=terms.redirect_uri,
            response_code_hash=None,
            created_at=now,
            expires_at=now + self.lifetime,
            sealed_particulars=sealed,
        )
        messages = self._messages(row)
        await self.database.write(partial(store.save_request, row=row))
        return Started(
            request_id=request_id,
            transaction_id=transaction_id,
            flow=terms.flow,
            link=self._link(row),
            request_uri=self._request_uri(row),
            expires_at=row.expires_at,
            messages=messages,
        )

    async def open(self, request_id: str, posted: RequestUriPost | None = None) -> str:
        """Return the signed request object for a wallet; may be asked for again until the request is answered.

        Encrypted as well, where what the wallet posted asks for it.

        Raises:
            NotFound: there is no such request, or none that is fetched.
            Conflict: it was answered, its time ended, or this verifier has taken another name since it was started.
            Malformed: the wallet's nonce is longer than 512 characters, or it cannot do what this verifier does.
        """
        nonce = posted.wallet_nonce if posted else None
        if nonce is not None and len(nonce) > MAX_WALLET_NONCE:
            raise Malformed(Code.REQUEST_INVALID, f"wallet_nonce may have {MAX_WALLET_NONCE} characters at most")
        state = await self.find_open(request_id)
        if not self.identity.signs or not ResponseMode(state.row.response_mode).is_posted:
            raise NotFound(Code.REQUEST_UNKNOWN, "this request is not one that a wallet fetches")
        if state.row.client_id != self.identity.client.text:
            raise Conflict(Code.REQUEST_EXPIRED, "the verifier has taken another name since; start a new request")
        asked = replace(self.request_of(state.row), wallet_nonce=nonce)
        wallet = WalletMetadata.parse(posted.wallet_metadata if posted else None)
        wallet.check(asked, signing_algorithm=self.identity.signer.algorithm)
        encoded = wallet.encrypted(request_object.sign(asked, self.identity.signer, self.identity.key))
        if isinstance(state, Requested):  # only now: a wallet that is refused the request has not fetched it
            await self.database.write(partial(store.mark_fetched, request_id=request_id, at=self.clock.now()))
            self.on_change(request_id)
        return encoded

    async def link_of(self, request_id: str) -> str:
        """Return the link of an open request, for drawing its QR code; raises as :meth:`find_open`."""
        return self._link((await self.find_open(request_id)).row)

    async def find_open(self, request_id: str) -> Requested | Fetched:
        """Return a request that can still be answered.

        Raises:
            NotFound: there is no such request.
            Conflict: it was answered, or its time ended.
        """
        row = await self.find(request_id)
        if row is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        return require_open(row, self.clock.now())

    async def find(self, request_id: str) -> RequestRow | None:
        """Return the request that wallets know by this name, in whatever state, or None."""
        if not _REQUEST_ID.fullmatch(request_id):  # anything else never reaches a database (catalogue W14)
            return None
        return await self.database.read(partial(store.find_request, request_id=request_id))

    def request_of(self, row: RequestRow) -> RequestObject:
        """Return the parameters of a request, the same each time."""
        ask = self.prepare(row.policy, row.place, row.created_at.date())
        mode, also = ResponseMode(row.response_mode), self.particulars_of(row)
        query = also.narrowed(ask.query)
        return RequestObject(
            client_id=self.identity.client_for(self._response_uri(row.id)),
            response_mode=mode,
            response_uri=self._response_uri(row.id) if mode.is_posted else None,
            nonce=row.nonce,
            query=query,
            state=row.state if mode.is_posted else None,
            client_metadata=self._client_metadata(row),
            issued_at=row.created_at,
            expires_at=row.expires_at,
            transactions=transaction_data.parse(list(also.transactions), query) if also.transactions else (),
            verifier_info=self.verifier_info,
            expected_origins=also.origins,
        )

    def prepare(self, policy: str, place: str, today: date) -> Ask:
        """Return a policy, built in or the installation's own; raises as :func:`verifier.policies.prepare`."""
        return policies.prepare(policy, place=place, today=today, own=self.own_policies)

    def particulars_of(self, row: RequestRow) -> Particulars:
        """Return what a request asks beyond its policy; nothing once that was erased."""
        if row.sealed_particulars is None:
            return particulars.NONE
        opened = unseal(self.identity.seal, row.sealed_particulars, context=_particulars_context(row.id))
        return Particulars.from_bytes(opened)

    def private_jwk(self, row: RequestRow) -> dict[str, Any] | None:
        """Return the decryption key of this one request; None when it has none, or no longer."""
        if row.sealed_key is None:
            return None
        return strict_json.parse_object(unseal(self.identity.seal, row.sealed_key, context=_key_context(row.id)))

    def _link(self, row: RequestRow) -> str:
        uri = self._request_uri(row)
        if not self.identity.signs and ResponseMode(row.response_mode).is_posted:
            return RequestLink(client_id=row.client_id, parameters=as_parameters(self.request_of(row))).link()
        return RequestLink(client_id=row.client_id, request_uri=uri, method=RequestUriMethod.POST).link()

    def _request_uri(self, row: RequestRow) -> str:
        return f"{self.public_url}/openid/requests/{row.id}"

    def _response_uri(self, request_id: str) -> str:
        return f"{self.public_url}/openid/responses/{request_id}"

    def _mode(self, flow: Flow) -> ResponseMode:
        """Return how the wallet answers in this flow; encrypted or not is what the installation sets."""
        if flow is not Flow.DIGITAL_CREDENTIALS:
            return self.response_mode
        return ResponseMode.DC_API_JWT if self.response_mode.is_encrypted else ResponseMode.DC_API

    def _messages(self, row: RequestRow) -> tuple[Mapping[str, Any], ...]:
        """Return the requests for the Digital Credentials API, the signed one first; a wallet answers one of them."""
        if ResponseMode(row.response_mode).is_posted:
            return ()
        asked = self.request_of(row)
        unsigned = digital_credentials.unsigned(asked)
        if not self.identity.signs:
            return (unsigned,)
        return (digital_credentials.signed(asked, self.identity.signer, self.identity.key), unsigned)

    def _particulars(self, terms: Terms, query: dcql.Query) -> Particulars:
        is_api = terms.flow is Flow.DIGITAL_CREDENTIALS
        if terms.origins and not is_api:
            raise Malformed(Code.REQUEST_INVALID, "origins belong to the flow digital_credentials")
        is_narrowed = terms.trusted_only or self.trusted_authorities
        return Particulars(
            transactions=particulars.transactions_of(terms.transactions, query),
            authorities=particulars.authorities_of(query, self.snapshot()) if is_narrowed else {},
            origins=particulars.origins_of(terms.origins) if is_api else (),
        )

    def _sealed(self, request_id: str, also: Particulars) -> bytes | None:
        if also == particulars.NONE:
            return None
        return seal(self.identity.seal, also.to_bytes(), context=_particulars_context(request_id))

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
        if not self.response_mode.is_encrypted:
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


def _particulars_context(request_id: str) -> bytes:
    return f"verifier/request/{request_id}/particulars".encode()


def _key_context(request_id: str) -> bytes:
    return f"verifier/request/{request_id}/key".encode()
