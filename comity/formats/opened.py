"""What a received credential is, first as read and then as processed, whatever its format."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from comity.credential import CredentialType, Format, KeyReference, Kid, StatusEntry, X5c
from comity.errors import Code, Malformed
from comity.jose import Jws
from comity.ports import Jwk
from comity.record import Discreet

Path = tuple[str | int, ...]
"""Where a value stands in a JSON document: member names and array positions, from the root."""

WantedPath = tuple[str | int | None, ...]
"""A path to disclose; None stands for every element of an array (OpenID4VP §7)."""


class OpenedCredential(Discreet, frozen=True, kw_only=True):
    """A credential as read from its bytes. Nothing in it is verified yet.

    Attributes:
        format: its format.
        encoded: the credential alone, without the holder's proof: ``jwt~disclosure~…~`` or one compact JWS.
        issuer: who it *says* issued it: the ``iss`` URL, or the id of the W3C ``issuer``.
        type_name: its ``vct``; for ``vc+jwt`` the name that context and type stand for, else its first own type term.
        jws: the issuer-signed JWS.
        key: how it *says* its key is found.
        payload: the issuer-signed payload, digests and all.
        disclosures: the Disclosures as received, base64url; empty for formats without them.
    """

    UNPRINTED = frozenset({"encoded", "payload", "disclosures"})

    format: Format
    encoded: str
    issuer: str
    type_name: str
    jws: Jws
    key: KeyReference
    payload: Mapping[str, Any]
    disclosures: tuple[str, ...] = ()


class HolderProof(Discreet, frozen=True, kw_only=True):
    """The holder's signature over a presentation: a KB-JWT, or the JWS of a ``vp+jwt``. Not verified yet.

    Attributes:
        jws: the proof itself.
        payload: what it says.
    """

    UNPRINTED = frozenset({"payload"})

    jws: Jws
    payload: Mapping[str, Any]


class OpenedPresentation(Discreet, frozen=True, kw_only=True):
    """What came in: one bare credential, or a presentation with the holder's proof. Nothing is verified yet.

    Attributes:
        format: format of the credentials in it.
        encoded: the text as received.
        credentials: exactly one for ``dc+sd-jwt``, one or more for ``vp+jwt``.
        proof: the holder's proof, or None for a bare credential.
    """

    UNPRINTED = frozenset({"encoded"})

    format: Format
    encoded: str
    credentials: tuple[OpenedCredential, ...]
    proof: HolderProof | None

    @property
    def is_as_issued(self) -> bool:
        """Whether this is what an issuer may hand over: one credential, and no holder's proof (RFC 9901 §7.2)."""
        return self.proof is None and len(self.credentials) == 1


class ProcessedCredential(Discreet, frozen=True, kw_only=True):
    """What a credential says, read after its signature was found good.

    Attributes:
        format: its format.
        issuer: the issuer named in it.
        type: the federation's type, or None when the name is not one of ours.
        type_name: the name of its type, as in :class:`OpenedCredential`.
        claims: claims about the subject that are in the clear or disclosed, without the protocol's own members.
        document: the whole processed payload, the thing that a DCQL claims path walks over.
        disclosable: names of those top-level claims that came in a Disclosure.
        always_disclosed: names of the other claims.
        holder_jwk: the public key it is bound to, or None.
        issued_at: instant of issue as stated, often rounded to the day.
        valid_from: first instant of validity; None when it states none.
        valid_until: last instant of validity; None when it states none.
        status: where its status stands; every entry counts.
        unknown_status: whether it names a status mechanism that we do not understand: its status is then not known.
        disclosed: the Disclosure behind each disclosed value, by the value's path; empty for formats without them.
    """

    UNPRINTED = frozenset({"claims", "document", "disclosed"})

    format: Format
    issuer: str
    type: CredentialType | None
    type_name: str
    claims: Mapping[str, Any]
    document: Mapping[str, Any]
    disclosable: frozenset[str]
    always_disclosed: frozenset[str]
    holder_jwk: Jwk | None
    issued_at: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None
    status: tuple[StatusEntry, ...]
    unknown_status: bool
    disclosed: Mapping[Path, str] = field(default_factory=dict)


class HeldCredential(Struct, frozen=True, kw_only=True):
    """A credential that its holder has read from its bytes, to present from without reading it again.

    Attributes:
        opened: as it was opened.
        processed: what it says, from the same bytes.
    """

    opened: OpenedPresentation
    processed: ProcessedCredential


def key_reference(header: Mapping[str, Any]) -> KeyReference:
    """Return how the JOSE ``header`` says that its key is found: ``x5c`` when present, else ``kid``.

    A hint only: which mechanism counts for an issuer and a format is the registry's to say, never the token's.

    Raises:
        Malformed: ``key_not_found`` when neither is there or readable.
    """
    chain = header.get("x5c")
    if isinstance(chain, list) and chain and all(isinstance(item, str) for item in chain):
        return X5c(chain=tuple(chain))
    kid = header.get("kid")
    if chain is None and isinstance(kid, str) and kid:
        return Kid(did_url=kid)
    raise Malformed(Code.KEY_NOT_FOUND, "the header names no key by certificate chain or by key id")


def key_header(key: KeyReference) -> dict[str, Any]:
    """Return the JOSE header members that name ``key``."""
    return {"x5c": list(key.chain)} if isinstance(key, X5c) else {"kid": key.did_url}
