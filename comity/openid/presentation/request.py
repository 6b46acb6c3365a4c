"""The signed request object (JAR, RFC 9101): built by the verifier, verified by the wallet (OpenID4VP 1.0 §5).

:func:`verify` says by which certificate chain or DID key the request was signed. Who that is, is asked of the registry
with exactly this :data:`RequestProof`; nothing else in the request, its ``client_metadata`` included, names anybody.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import did, jose, keys, strict_json, x509
from comity.credential import KeyReference, X5c
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.presentation import client_id, parameters, refused, verifier_attestation
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.link import RequestLink, RequestUriMethod, RequestUriPost, parse_link, wallet_metadata
from comity.openid.presentation.parameters import AUDIENCE, REFUSE, RequestObject, ResponseMode
from comity.openid.presentation.proof import (
    AttestationKey,
    RequestProof,
    SignedByAttested,
    SignedByCertificate,
    SignedByDid,
    Unsigned,
)
from comity.openid.refusal import OAuthError
from comity.ports import Jwk, Signer

__all__ = [
    "AUDIENCE", "CLOCK_SKEW", "TYP", "Needs", "NeedsAttester", "NeedsDocument", "RequestLink", "RequestObject",
    "RequestProof", "RequestUriMethod", "RequestUriPost", "ResponseMode", "SignedByAttested", "SignedByCertificate",
    "SignedByDid", "Unsigned", "VerifiedRequest", "parse_link", "read_unsigned", "sign", "verify", "wallet_metadata",
]  # fmt: skip

TYP = "oauth-authz-req+jwt"
CLOCK_SKEW = timedelta(seconds=60)
_RELATIONSHIPS = ("authentication", "assertionMethod")


class VerifiedRequest(Struct, frozen=True, kw_only=True):
    """A request whose parameters hold together, and the proof of who made it."""

    request: RequestObject
    proof: RequestProof


class NeedsDocument(Struct, frozen=True, kw_only=True):
    """The request is by a DID whose document must be fetched first.

    Attributes:
        did: whose document; ask the registry whether it lists this DID before fetching anything.
        url: where the document is.
        resume: continues with the fetched bytes; raises as :func:`verify`.
    """

    did: str
    url: str
    resume: Callable[[bytes], VerifiedRequest]


class NeedsAttester(Struct, frozen=True, kw_only=True):
    """The request shows an attestation; whether its issuer may attest verifiers is for the registry to say.

    Attributes:
        issuer: who issued it, by its own word.
        resume: continues with the keys that the registry lists for ``issuer``; raises as :func:`verify`. Where it lists
            nobody of that name the request MUST be refused (§5.9.3).
    """

    issuer: str
    resume: Callable[[Sequence[Jwk]], VerifiedRequest]


Needs = NeedsDocument | NeedsAttester
"""What somebody else has to say before a request is verified."""


def sign(request: RequestObject, signer: Signer, key: KeyReference | AttestationKey) -> str:
    """Return the signed request object.

    Args:
        request: what is asked; ``client_id`` must be the one that ``key`` proves.
        signer: the verifier's key.
        key: the chain of that key for ``x509_*`` prefixes, its DID URL for ``decentralized_identifier``, its
            attestation for ``verifier_attestation``.
    """
    named: dict[str, Any]
    if isinstance(key, AttestationKey):
        named = {verifier_attestation.HEADER: key.encoded}
    else:
        named = {"x5c": list(key.chain)} if isinstance(key, X5c) else {"kid": key.did_url}
    return jose.sign({"typ": TYP, **named}, request.to_dict(), signer)


def verify(
    encoded: str, *, client: str | None, at: datetime, wallet_nonce: str | None = None, origin: str | None = None
) -> VerifiedRequest | Needs:
    """Verify a request object that was fetched or came by value.

    Args:
        encoded: the compact JWT.
        client: ``client_id`` of the link (outside the object); None on the Digital Credentials API, which has none.
        at: the current instant.
        wallet_nonce: what the wallet posted to ``request_uri``; None when it posted none.
        origin: the website that asks by the Digital Credentials API; None for a request that came otherwise.

    Raises:
        OAuthError: the request is refused; nothing is sent to anybody by this (attack P15).
        RefusedRequest: the same, where it is known who asks and where to tell so.
    """
    # RFC 9101 §6.1, VP-1 step 1: explicitly typed, an allowed asymmetric algorithm, no private key.
    try:
        jws = jose.parse(encoded)
        jose.require(jws, typ=TYP, context="request_object")
        members = Members(jose.payload_object(jws), "request", REFUSE)
    except Malformed as problem:
        raise REFUSE.of(problem) from None
    # VP-1 step 2: one client identifier, prefix included, outside and inside (attack P14).
    inner = members.string("client_id")
    if client is not None and inner != client:
        raise REFUSE("the request is by another client than the link", Code.CLIENT_MISMATCH)
    named = client_id.parse(inner)
    asked = _Asked(jws=jws, members=members, client=named, at=at, wallet_nonce=wallet_nonce, origin=origin)
    # VP-1 step 3: the prefix, and only the prefix, says which key verifies the signature.
    if not asked.client.prefix.can_sign:
        raise REFUSE("a request under the prefix redirect_uri cannot be signed")
    if asked.client.prefix is Prefix.DECENTRALIZED_IDENTIFIER:
        return _by_did(asked)
    if asked.client.prefix is Prefix.VERIFIER_ATTESTATION:
        return _by_attestation(asked)
    return _finish(asked, _by_certificate(asked))


def read_unsigned(link: RequestLink) -> VerifiedRequest:
    """Read an unsigned request from the parameters of a link (prefix ``redirect_uri`` only).

    Raises:
        OAuthError: as :func:`verify`.
    """
    client = client_id.parse(link.client_id)
    if client.prefix.can_sign:
        raise REFUSE("the request is not signed, so it does not say who asks")
    claims: dict[str, Any] = dict(link.parameters)
    try:
        for name in {"dcql_query", "client_metadata", "transaction_data", "verifier_info"} & set(claims):
            claims[name] = strict_json.parse(claims[name])
    except Malformed as problem:
        raise REFUSE.of(problem) from None
    # These are claims of a signed object; as plain parameters they mean nothing.
    plain = {name: value for name, value in claims.items() if name not in {"iat", "exp", "wallet_nonce"}}
    request = parameters.read(Members(plain, "request", REFUSE), client)
    return VerifiedRequest(request=request, proof=Unsigned(response_uri=client.identifier))


class _Asked(Struct, frozen=True, kw_only=True):
    """A request on its way through the steps; nothing in it is verified."""

    jws: jose.Jws
    members: Members
    client: ClientId
    at: datetime
    wallet_nonce: str | None
    origin: str | None


def _by_certificate(asked: _Asked) -> SignedByCertificate:
    """§5.9.3 x509_hash and x509_san_dns: the key is that of the leaf, and the leaf is the one the client names.

    The certificate of a pre-registered verifier is named by nothing but the registry, which is asked by the caller.
    """
    try:
        chain = x509.parse_chain(asked.jws.header.get("x5c", ()))
        client_id.check_certificate(asked.client, chain)
        jose.verify(asked.jws, x509.public_key(chain[0]))
    except Malformed as problem:
        raise REFUSE.of(problem) from None
    return SignedByCertificate(chain=chain)


def _by_did(asked: _Asked) -> VerifiedRequest | NeedsDocument:
    """§5.9.3 decentralized_identifier: the key is the one ``kid`` names in the document of the client's DID."""
    identifier = asked.client.identifier
    kid = asked.jws.header.get("kid", "")
    if kid.split("#", maxsplit=1)[0] != identifier or "#" not in kid:
        raise REFUSE("the key of the request does not belong to the client's DID", Code.CLIENT_MISMATCH)

    def resume(body: bytes) -> VerifiedRequest:
        try:
            document = did.document(identifier, body)
        except Malformed as problem:
            raise REFUSE.of(problem) from None
        return _with_document(asked, document, kid)

    try:
        local, url = did.local_document(identifier), did.document_url(identifier)
    except Malformed as problem:
        raise REFUSE.of(problem) from None
    if local is not None:
        return _with_document(asked, local, kid)
    if url is None:
        raise REFUSE("the client's DID is of a method that is not supported", Code.DID_METHOD_UNSUPPORTED)
    return NeedsDocument(did=identifier, url=url, resume=resume)


def _with_document(asked: _Asked, document: did.DidDocument, kid: str) -> VerifiedRequest:
    try:
        found = did.verification_key(document, kid, relationships=_RELATIONSHIPS, at=asked.at)
        jose.verify(asked.jws, keys.public_key(found.jwk))
    except Malformed as problem:
        raise REFUSE.of(problem) from None
    return _finish(asked, SignedByDid(did=asked.client.identifier, did_url=kid, jwk=found.jwk))


def _by_attestation(asked: _Asked) -> NeedsAttester:
    """§5.9.3 verifier_attestation: the key is the one in the attestation that the header shows."""
    shown = verifier_attestation.read(asked.jws.header.get(verifier_attestation.HEADER))

    def resume(trusted: Sequence[Jwk]) -> VerifiedRequest:
        found = verifier_attestation.verify(shown, trusted, subject=asked.client.identifier, at=asked.at)
        # The request MUST be signed with the key in cnf: whoever only copied the attestation gets no further.
        try:
            jose.verify(asked.jws, keys.public_key(found.jwk))
        except Malformed as problem:
            raise REFUSE.of(problem) from None
        # Before any other parameter, so that a refusal is told to no other address either (attack P15).
        if asked.origin is None and not found.allows(asked.members.value.get("response_uri")):
            raise REFUSE("the attestation does not allow answers to this address", Code.CLIENT_MISMATCH)
        return _finish(asked, SignedByAttested(attestation=found))

    return NeedsAttester(issuer=shown.issuer, resume=resume)


def _finish(asked: _Asked, proof: RequestProof) -> VerifiedRequest:
    """Judge the claims, after the signature."""
    members = asked.members
    # RFC 9101 §4: a request object carries no other one.
    if members.has("request") or members.has("request_uri"):
        raise REFUSE("a request object may not carry another request")
    # VP-1: aud of static discovery. iss is ignored.
    if members.value.get("aud") not in (AUDIENCE, [AUDIENCE]):
        raise REFUSE("the request is not meant for a wallet", Code.AUDIENCE_MISMATCH)
    try:
        request = parameters.read(members, asked.client, origin=asked.origin)
    except OAuthError as problem:
        raise refused.tellable(problem, members, asked.client, proof) from None
    # VP-3: what the wallet posted comes back (attack P16).
    if asked.wallet_nonce is not None and request.wallet_nonce != asked.wallet_nonce:
        raise REFUSE("the request does not carry the nonce this wallet sent", Code.NONCE_MISMATCH)
    if request.issued_at is not None and request.issued_at > asked.at + CLOCK_SKEW:
        raise REFUSE("the request was made in the future", Code.NOT_YET_VALID)
    if request.expires_at is not None and request.expires_at <= asked.at - CLOCK_SKEW:
        raise REFUSE("the request has expired", Code.REQUEST_EXPIRED)
    return VerifiedRequest(request=request, proof=proof)
