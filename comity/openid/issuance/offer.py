"""Credential offers and the links that carry them (OpenID4VCI 1.0 §4.1).

An offer is never signed: whoever receives one treats it as untrusted. Nothing in it is evidence of who issues.
"""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from comity import strict_json
from comity.errors import Code
from comity.openid import endpoint, form
from comity.openid.code_flow import CODE_GRANT
from comity.openid.members import Document, Members
from comity.openid.oauth import PRE_AUTHORIZED_GRANT
from comity.openid.refusal import Refusal
from comity.record import Discreet

SCHEMES = ("openid-credential-offer", "haip-vci")
MAX_DESCRIPTION = 300

_REFUSE = Refusal(code=Code.OFFER_INVALID)


class TransactionCode(Struct, frozen=True, kw_only=True):
    """What the wallet should ask the person for: a code told to them apart from the offer.

    Attributes:
        input_mode: ``numeric`` or ``text``.
        length: number of characters, when said.
        description: what to tell the person, at most 300 characters.
    """

    input_mode: str = "numeric"
    length: int | None = None
    description: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"input_mode": self.input_mode}
        if self.length is not None:
            body["length"] = self.length
        if self.description is not None:
            body["description"] = self.description
        return body


class PreAuthorizedGrant(Discreet, frozen=True, kw_only=True):
    """The right to a token, held by whoever holds the code (and types the transaction code, if one is asked for)."""

    UNPRINTED = frozenset({"code"})
    code: str
    transaction_code: TransactionCode | None = None
    authorization_server: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"pre-authorized_code": self.code}
        if self.transaction_code is not None:
            body["tx_code"] = self.transaction_code.to_dict()
        if self.authorization_server is not None:
            body["authorization_server"] = self.authorization_server
        return body


class AuthorizationCodeGrant(Discreet, frozen=True, kw_only=True):
    """The person signs in. ``issuer_state`` goes back in the authorization request; it is the issuer's own."""

    UNPRINTED = frozenset({"issuer_state"})
    issuer_state: str | None = None
    authorization_server: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        members = {"issuer_state": self.issuer_state, "authorization_server": self.authorization_server}
        return {name: value for name, value in members.items() if value is not None}


class CredentialOffer(Struct, frozen=True, kw_only=True):
    """A credential offer.

    Attributes:
        credential_issuer: the issuer identifier, not verified by anything.
        configuration_ids: keys of ``credential_configurations_supported`` on offer, distinct, at least one.
        pre_authorized: the pre-authorized grant; None when the offer has none.
        authorization_code: the grant by signing in; None when the offer has none.
        other_grants: names of the grants that this house does not use.
    """

    credential_issuer: str
    configuration_ids: tuple[str, ...]
    pre_authorized: PreAuthorizedGrant | None = None
    authorization_code: AuthorizationCodeGrant | None = None
    other_grants: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, document: Document) -> "CredentialOffer":
        """Read an offer (VCI-11).

        Not checked: that the issuer is trusted, that its metadata know the configurations and the server hint.

        Raises:
            OAuthError: ``offer_invalid``, or the JSON code of what is wrong with the text.
        """
        members = Members.read(document, "credential offer", _REFUSE)
        issuer = members.string("credential_issuer")
        if not endpoint.is_identifier(issuer):
            raise _REFUSE("credential offer: credential_issuer must be an https URL without query and fragment")
        grants = members.optional_members("grants")
        names = frozenset(grants.value) if grants else frozenset[str]()
        return cls(
            credential_issuer=issuer,
            configuration_ids=members.strings("credential_configuration_ids"),
            pre_authorized=_pre_authorized(grants.members(PRE_AUTHORIZED_GRANT))
            if grants and PRE_AUTHORIZED_GRANT in names
            else None,
            authorization_code=_authorization_code(grants.members(CODE_GRANT))
            if grants and CODE_GRANT in names
            else None,
            other_grants=names - {PRE_AUTHORIZED_GRANT, CODE_GRANT},
        )

    @property
    def names_no_grant(self) -> bool:
        """Whether the issuer's metadata say how to go on (VCI-11): the offer names no grant at all."""
        return self.pre_authorized is None and self.authorization_code is None and not self.other_grants

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object. Grants this house does not use are never built."""
        body: dict[str, Any] = {
            "credential_issuer": self.credential_issuer,
            "credential_configuration_ids": list(self.configuration_ids),
        }
        grants: dict[str, Any] = {}
        if self.authorization_code is not None:
            grants[CODE_GRANT] = self.authorization_code.to_dict()
        if self.pre_authorized is not None:
            grants[PRE_AUTHORIZED_GRANT] = self.pre_authorized.to_dict()
        return body | ({"grants": grants} if grants else {})

    def link(self) -> str:
        """Return the link that carries the offer by value."""
        text = strict_json.serialise(self.to_dict()).decode()
        return f"{SCHEMES[0]}://?{form.encode({'credential_offer': text})}"


class OfferReference(Struct, frozen=True, kw_only=True):
    """An offer by reference: fetch ``url`` with GET, application/json, no redirects, after the person said yes."""

    url: str

    def link(self) -> str:
        """Return the link that carries the reference; short enough for a QR code."""
        return f"{SCHEMES[0]}://?{form.encode({'credential_offer_uri': self.url})}"


def parse_link(link: str) -> CredentialOffer | OfferReference:
    """Read what was scanned, pasted or clicked (VCI-10): exactly one of ``credential_offer`` and its ``_uri``.

    Also accepted: an https link of any host with the same parameters (a wallet's own app link).

    Raises:
        OAuthError: ``offer_invalid`` for another scheme, both or neither parameter, or a malformed offer.
    """
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        raise _REFUSE("this is not a link") from None
    if parts.scheme not in (*SCHEMES, "https"):
        raise _REFUSE("this link is not a credential offer")
    fields = form.decode(parts.query, _REFUSE)
    value, reference = fields.get("credential_offer"), fields.get("credential_offer_uri")
    if (value is None) == (reference is None):
        raise _REFUSE("a credential offer link carries either the offer or its address")
    if value is not None:
        return CredentialOffer.parse(value)
    if not endpoint.is_endpoint(reference or ""):
        raise _REFUSE("the address of the credential offer must be an https URL")
    return OfferReference(url=reference or "")


def _authorization_code(members: Members) -> AuthorizationCodeGrant:
    return AuthorizationCodeGrant(
        issuer_state=members.optional_string("issuer_state"),
        authorization_server=members.optional_string("authorization_server"),
    )


def _pre_authorized(members: Members) -> PreAuthorizedGrant:
    # An empty tx_code object still asks for a code (OpenID4VCI §4.1.1): presence decides, not content.
    code = members.optional_members("tx_code")
    return PreAuthorizedGrant(
        code=members.string("pre-authorized_code"),
        transaction_code=_transaction_code(code) if code is not None else None,
        authorization_server=members.optional_string("authorization_server"),
    )


def _transaction_code(members: Members) -> TransactionCode:
    mode = members.optional_string("input_mode") or "numeric"
    if mode not in {"numeric", "text"}:
        raise _REFUSE("credential offer: tx_code input_mode must be numeric or text")
    text = members.optional_string("description")
    if text is not None and len(text) > MAX_DESCRIPTION:
        raise _REFUSE("credential offer: tx_code description is longer than 300 characters")
    return TransactionCode(input_mode=mode, length=members.optional_integer("length", minimum=1), description=text)
