"""The parameters of a presentation request, wherever they came from (OpenID4VP 1.0 §5.1 to §5.6; VP-2, VP-4)."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from comity import dcql
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.presentation import client_id
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.refusal import OAuthErrorCode, Refusal

AUDIENCE = "https://self-issued.me/v2"
"""The ``aud`` of a request to a wallet that was not discovered (VP-1)."""

REFUSE = Refusal(code=Code.REQUEST_INVALID)
_TRANSACTION_DATA = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_TRANSACTION_DATA)
_SCOPE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_SCOPE)
_URL_SAFE = re.compile(r"[A-Za-z0-9\-._~]+\Z")


class ResponseMode(StrEnum):
    """How the wallet answers: a form, or a form that holds one encrypted token."""

    DIRECT_POST = "direct_post"
    DIRECT_POST_JWT = "direct_post.jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestObject:
    """A request for a presentation.

    Attributes:
        client_id: full client identifier; the audience of every presentation.
        response_mode: how to answer.
        response_uri: where to post the answer.
        nonce: URL-safe text that every presentation must carry.
        query: what is asked for.
        state: URL-safe text to be sent back; None when there is none.
        client_metadata: the verifier's encryption keys and formats.
        issued_at: instant of the request; None when not said.
        expires_at: last instant at which it is answered; None when not said.
        wallet_nonce: echo of what the wallet posted to ``request_uri``.
    """

    client_id: ClientId
    response_mode: ResponseMode
    response_uri: str
    nonce: str
    query: dcql.Query
    state: str | None = None
    client_metadata: ClientMetadata | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    wallet_nonce: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the claims of the request object."""
        metadata = self.client_metadata.to_dict() if self.client_metadata else None
        claims = {
            "client_id": self.client_id.text,
            "aud": AUDIENCE,
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
        }
        return {name: value for name, value in claims.items() if value is not None}


def read(members: Members, client: ClientId) -> RequestObject:
    """Read and check the parameters of a request by ``client``. Members nobody knows are ignored.

    Not checked: signature, ``aud``, times and ``wallet_nonce`` (:mod:`comity.openid.presentation.request`), whether
    the verifier may ask for this (the registry), whether anything answers the query.

    Raises:
        OAuthError: ``invalid_request``, ``invalid_transaction_data``, ``invalid_scope`` or
            ``vp_formats_not_supported`` (profile 6.8).
    """
    # VP-2 step 1: what is asked for, and nothing this wallet would silently leave out.
    if members.has("transaction_data"):
        raise _TRANSACTION_DATA("this wallet does not authorise transactions")
    if members.string("response_type") != "vp_token":
        raise REFUSE("the request asks for something else than a presentation")
    query = _query(members)
    # VP-2 step 2: how and where to answer.
    mode, response_uri = _where(members, client)
    # VP-2 step 3: freshness. A credential that shows no holder is bound to the session by state alone.
    nonce, state = _url_safe(members, "nonce"), _url_safe(members, "state") if members.has("state") else None
    if state is None and any(not wanted.require_holder_binding for wanted in query.credentials):
        raise REFUSE("a request for a credential without holder binding needs a state")
    return RequestObject(
        client_id=client,
        response_mode=mode,
        response_uri=response_uri,
        nonce=nonce,
        query=query,
        state=state,
        client_metadata=_client_metadata(members, mode),
        issued_at=members.optional_instant("iat"),
        expires_at=members.optional_instant("exp"),
        wallet_nonce=members.optional_string("wallet_nonce"),
    )


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


def _where(members: Members, client: ClientId) -> tuple[ResponseMode, str]:
    name = members.string("response_mode")
    if name not in set(ResponseMode):
        raise REFUSE("the request wants its answer in a way that this wallet does not support")
    if members.has("redirect_uri"):
        raise REFUSE("redirect_uri does not go together with direct_post")
    # §5.9.3: under the prefix redirect_uri the identifier is the address, which may then be left out.
    if client.prefix is Prefix.REDIRECT_URI and not members.has("response_uri"):
        return ResponseMode(name), client.identifier
    response_uri = members.url("response_uri")
    client_id.check_response_uri(client, response_uri)
    return ResponseMode(name), response_uri


def _url_safe(members: Members, name: str) -> str:
    value = members.string(name)
    if not _URL_SAFE.match(value):
        raise REFUSE(f"request: {name} must be made of URL-safe characters")
    return value


def _client_metadata(members: Members, mode: ResponseMode) -> ClientMetadata | None:
    found = members.optional_members("client_metadata")
    metadata = ClientMetadata.parse(found) if found else None
    if metadata is not None:
        metadata.require_known_format()
    if mode is ResponseMode.DIRECT_POST_JWT and not (
        metadata and metadata.encryption_key() and metadata.encryption_method()
    ):
        raise REFUSE("the request wants an encrypted answer but gives no key that this wallet can encrypt to")
    return metadata
