"""Signed issuer metadata (OpenID4VCI 1.0 §12.2.3): the same parameters as a JWT, signed under a certificate.

The signer's leaf names the metadata's own URL, so that it can sign metadata of this one issuer and nothing else: a
credential needs a leaf that names the issuer identifier.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from comity import jose, x509
from comity.credential import X5c
from comity.errors import Code, Malformed
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.members import Members
from comity.openid.refusal import Refusal
from comity.ports import Signer

TYP = "openidvci-issuer-metadata+jwt"
CONTENT_TYPE = "application/jwt"
CONTEXT = "issuer_metadata"
CLOCK_SKEW = timedelta(seconds=60)
_REFUSE = Refusal(code=Code.METADATA_INVALID)


def build(metadata: IssuerMetadata, signer: Signer, chain: X5c, *, at: datetime, lifetime: timedelta) -> str:
    """Return the metadata as a compact JWT.

    Args:
        metadata: all of its parameters become top-level claims.
        signer: the issuer's metadata key.
        chain: leaf first, without the anchor.
        at: the current instant.
        lifetime: how long the signature holds.
    """
    issuer = metadata.credential_issuer
    claims = {"iss": issuer, "sub": issuer, "iat": int(at.timestamp()), "exp": int((at + lifetime).timestamp())}
    return jose.sign({"typ": TYP, "x5c": list(chain.chain)}, {**metadata.to_dict(), **claims}, signer)


def read(token: str, *, credential_issuer: str, anchors: "list[x509.Certificate]", at: datetime) -> IssuerMetadata:
    """Verify signed metadata and read them (VCI-5).

    Args:
        token: the compact JWT.
        credential_issuer: whose metadata were asked for.
        anchors: what the registry trusts for this issuer; a signer under none of them is refused.
        at: the current instant.

    Raises:
        OAuthError: ``metadata_invalid``, or the code of what is wrong with signature or certificate.
    """
    try:
        # §12.2.3: explicitly typed, an asymmetric algorithm, and x5c names the key.
        jws = jose.parse(token)
        jose.require(jws, typ=TYP, context=CONTEXT)
        chain = x509.parse_chain(_chain(jws.header))
        x509.validate_chain(chain, anchors, at)
        jose.verify(jws, x509.public_key(chain[0]))
        payload = jose.payload_object(jws)
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    if x509.uri_sans(chain[0]) != (IssuerMetadata.url(credential_issuer),):
        raise _REFUSE("signed issuer metadata: the certificate is not one for the metadata of this issuer")
    _check_claims(Members(payload, "signed issuer metadata", _REFUSE), credential_issuer, at)
    return IssuerMetadata.parse(payload, credential_issuer=credential_issuer)


def _chain(header: Mapping[str, Any]) -> tuple[str, ...]:
    chain = header.get("x5c")
    if not isinstance(chain, list) or not all(isinstance(each, str) for each in chain):
        raise _REFUSE("signed issuer metadata: the signer is not named by x5c")
    return tuple(chain)


def _check_claims(claims: Members, issuer: str, at: datetime) -> None:
    # §12.2.3: sub is the issuer identifier; iss, where present, is whoever vouches: here nobody but the issuer.
    if claims.string("sub") != issuer or claims.optional_string("iss") not in {None, issuer}:
        raise _REFUSE("signed issuer metadata: they are signed for another issuer")
    ends = claims.optional_instant("exp")
    if claims.instant("iat") > at + CLOCK_SKEW:
        raise _REFUSE("signed issuer metadata: they are signed in the future", Code.NOT_YET_VALID)
    if ends is not None and ends <= at - CLOCK_SKEW:
        raise _REFUSE("signed issuer metadata: the signature has ended", Code.EXPIRED)
