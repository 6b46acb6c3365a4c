"""The parameters of a presentation request, wherever they came from (OpenID4VP 1.0 §5.1 to §5.6; VP-2, VP-4)."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from comity import dcql
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.presentation import client_id, stated_purpose, transaction_data, verifier_info
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.presentation.stated_purpose import StatedPurpose
from comity.openid.presentation.transaction_data import Transaction
from comity.openid.presentation.verifier_info import VerifierInfo
from comity.openid.refusal import OAuthErrorCode, Refusal

AUDIENCE = "https://self-issued.me/v2"
"""The ``aud`` of a request to a wallet that was not discovered (VP-1)."""

REFUSE = Refusal(code=Code.REQUEST_INVALID)
_CLIENT = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_CLIENT)
_SCOPE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_SCOPE)
_URL_SAFE = re.compile(r"[A-Za-z0-9\-._~]+\Z")


class ResponseMode(StrEnum):
    """How the wallet answers: a form that it posts, or an object for the Digital Credentials API; each also encrypted.

    In the encrypted modes the answer is one compact JWE.
    """

    DIRECT_POST = "direct_post"
    DIRECT_POST_JWT = "direct_post.jwt"
    DC_API = "dc_api"
    DC_API_JWT = "dc_api.jwt"

    @property
    def is_encrypted(self) -> bool:
        """Whether the answer is encrypted."""
        return self in {ResponseMode.DIRECT_POST_JWT, ResponseMode.DC_API_JWT}

    @property
    def is_posted(self) -> bool:
        """Whether the wallet posts the answer itself; otherwise it goes through the Digital Credentials API."""
        return self in {ResponseMode.DIRECT_POST, ResponseMode.DIRECT_POST_JWT}


class RequestObject(Struct, frozen=True, kw_only=True):
    """A request for a presentation.

    Attributes:
        client_id: full client identifier.
        response_mode: how to answer.
        response_uri: where to post the answer; None on the Digital Credentials API.
        nonce: URL-safe text that every presentation must carry.
        query: what is asked for.
        state: URL-safe text to be sent back; None when there is none.
        client_metadata: the verifier's encryption keys and formats.
        issued_at: instant of the request; None when not said.
        expires_at: last instant at which it is answered; None when not said.
        wallet_nonce: echo of what the wallet posted to ``request_uri``.
        transactions: what is authorised by answering.
        verifier_info: what others attest of the verifier.
        origin: the website that asks by the Digital Credentials API, as the platform says; None otherwise.
        expected_origins: the websites from which a signed request may be made on that API.
        stated: what the verifier itself says that it is for, unchecked; as it was read, never written.
    """

    client_id: ClientId
    response_mode: ResponseMode
    response_uri: str | None
    nonce: str
    query: dcql.Query
    state: str | None = None
    client_metadata: ClientMetadata | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    wallet_nonce: str | None = None
    transactions: tuple[Transaction, ...] = ()
    verifier_info: tuple[VerifierInfo, ...] = ()
    origin: str | None = None
    expected_origins: tuple[str, ...] = ()
    stated: tuple[StatedPurpose, ...] = ()

    @property
    def audience(self) -> str:
        """The audience of every presentation: the client, or ``origin:…`` on the Digital Credentials API (VP-24)."""
        return self.client_id.text if self.origin is None else client_id.of_origin(self.origin).text

    def to_dict(self) -> dict[str, Any]:
        """Return the claims of the request object."""
        metadata = self.client_metadata.to_dict() if self.client_metadata else None
        is_named = self.client_id.prefix is not Prefix.ORIGIN
        claims = {
            "client_id": self.client_id.text if is_named else None,
            "aud": AUDIENCE if is_named else None,
            "response_type": "vp_token",
            "response_mode": self.response_mode.value,
            "response_uri": self.response_uri,
            "nonce": self.nonce,
            "state": self.state,
            "dcql_query": self.query.to_json(),
            "client_metadata": metadata,
            "iat": int(self.issued_at.timestamp()) if self.issued_at else None,
            "exp": int(self.expires_at.timestamp()) if self.expires_at else None,
            "wallet_nonce": self.wallet_nonce,
            "transaction_data": [each.encoded for each in self.transactions] or None,
            "verifier_info": [each.to_dict() for each in self.verifier_info] or None,
            "expected_origins": list(self.expected_origins) or None,
        }
        return {name: value for name, value in claims.items() if value is not None}


def read(members: Members, client: ClientId, *, origin: str | None = None) -> RequestObject:
    """Read and check the parameters of a request by ``client``. Members nobody knows are ignored.

    Not checked: signature, ``aud``, times and ``wallet_nonce`` (:mod:`comity.openid.presentation.request`), whether
    the verifier may ask for this (the registry), whether anything answers the query.

    Args:
        members: the parameters.
        client: who asks.
        origin: the website that asks by the Digital Credentials API; None for a request that came otherwise.

    Raises:
        OAuthError: ``invalid_request``, ``invalid_client``, ``invalid_transaction_data``, ``invalid_scope`` or
            ``vp_formats_not_supported`` (profile 6.8).
    """
    # VP-2 step 1: what is asked for, and nothing this wallet would silently leave out (VP-30).
    if members.string("response_type") != "vp_token":
        raise REFUSE("the request asks for something else than a presentation")
    query = _query(members)
    transactions = _transactions(members, query)
    # VP-2 step 2: how and where to answer.
    mode, response_uri = _where(members, client) if origin is None else (_mode(members, is_posted=False), None)
    # VP-2 step 3: freshness. A credential that shows no holder is bound to the session by state alone.
    nonce, state = _url_safe(members, "nonce"), _state(members, mode)
    if mode.is_posted and state is None and any(not wanted.require_holder_binding for wanted in query.credentials):
        raise REFUSE("a request for a credential without holder binding needs a state")
    return RequestObject(
        client_id=client,
        response_mode=mode,
        response_uri=response_uri,
        nonce=nonce,
        query=query,
        state=state,
        client_metadata=_client_metadata(members, client, mode),
        issued_at=members.optional_instant("iat"),
        expires_at=members.optional_instant("exp"),
        wallet_nonce=members.optional_string("wallet_nonce"),
        transactions=transactions,
        verifier_info=verifier_info.parse(members),
        origin=origin,
        expected_origins=members.optional_strings("expected_origins") if client.prefix.can_sign else (),
        stated=stated_purpose.read(members),
    )


def again(claims: Mapping[str, Any], *, client: str, origin: str | None) -> RequestObject:
    """Return the request whose :meth:`RequestObject.to_dict` is ``claims``, for who kept it; it was verified before.

    Raises:
        OAuthError: as :func:`read`.
    """
    own = None if origin is None else client_id.of_origin(origin)
    is_unsigned = own is not None and own.text == client
    found = own if own is not None and is_unsigned else client_id.parse(client)
    return read(Members(claims, "request", REFUSE), found, origin=origin)


def _query(members: Members) -> dcql.Query:
    asked = {"dcql_query", "scope"} & set(members.value)
    if len(asked) != 1:
        raise REFUSE("the request needs exactly one of dcql_query and scope")
    if "scope" in asked:
        raise _SCOPE("this wallet knows no scope that stands for a query")
    try:
        return dcql.parse(members.value["dcql_query"])
    except Malformed as problem:
        raise REFUSE.of(problem) from None


def _transactions(members: Members, query: dcql.Query) -> tuple[Transaction, ...]:
    return transaction_data.parse(members.value["transaction_data"], query) if members.has("transaction_data") else ()


def _where(members: Members, client: ClientId) -> tuple[ResponseMode, str]:
    mode = _mode(members, is_posted=True)
    if members.has("redirect_uri"):
        raise REFUSE("redirect_uri does not go together with direct_post")
    # §5.9.3: under the prefix redirect_uri the identifier is the address, which may then be left out.
    if client.prefix is Prefix.REDIRECT_URI and not members.has("response_uri"):
        return mode, client.identifier
    response_uri = members.url("response_uri")
    client_id.check_response_uri(client, response_uri)
    return mode, response_uri


def _mode(members: Members, *, is_posted: bool) -> ResponseMode:
    name = members.string("response_mode")
    if name not in set(ResponseMode) or ResponseMode(name).is_posted is not is_posted:
        raise REFUSE("the request wants its answer in a way that this wallet does not support")
    return ResponseMode(name)


def _state(members: Members, mode: ResponseMode) -> str | None:
    """Return the state; the Digital Credentials API has none (VP-24)."""
    return _url_safe(members, "state") if mode.is_posted and members.has("state") else None


def _url_safe(members: Members, name: str) -> str:
    value = members.string(name)
    if not _URL_SAFE.match(value):
        raise REFUSE(f"request: {name} must be made of URL-safe characters")
    return value


def _client_metadata(members: Members, client: ClientId, mode: ResponseMode) -> ClientMetadata | None:
    found = members.optional_members("client_metadata")
    # VP-4, §8.5: what a pre-registered verifier is, was said when it registered.
    if found is not None and client.prefix is Prefix.PRE_REGISTERED:
        raise _CLIENT("a verifier that is registered sends no metadata of its own")
    metadata = ClientMetadata.parse(found) if found else None
    if metadata is not None:
        metadata.require_known_format()
    if mode.is_encrypted and not (metadata and metadata.encryption_key() and metadata.encryption_method()):
        raise REFUSE("the request wants an encrypted answer but gives no key that this wallet can encrypt to")
    return metadata
