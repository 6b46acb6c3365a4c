"""Attesters: whose word about a wallet, or about where a key lies, is taken, and which of their keys signed it.

Who is trusted is the caller's list, never what a token says of itself: attestation-based client authentication (draft)
"Client Attestation JWT" step 4, OpenID4VCI 1.0 appendices D and E, HAIP 1.0 §4.4 and §4.5.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from comity import jose, keys, x509
from comity.errors import Code, Malformed
from comity.keys import PublicKey
from comity.ports import Jwk
from comity.x509 import Certificate


class Attester(Struct, frozen=True, kw_only=True):
    """A wallet provider, or the maker of a key storage, that is trusted.

    Attributes:
        name: for people and logs.
        client_ids: the clients it may vouch for; none for one that attests keys only.
        keys: its keys by the names a ``kid`` may call them; the RFC 7638 thumbprint is always one of them.
        anchors: certificates that a chain in ``x5c`` may lead to.
        status_lists: below which addresses its status lists lie, where attestations that it takes back are told.
        ignores_status: attestations that name a status list are taken without looking there. Without either, they are
            refused: nobody looked whether they were revoked.
    """

    name: str
    client_ids: frozenset[str] = frozenset()
    keys: Mapping[str, Jwk] = field(default_factory=dict)
    anchors: tuple[Certificate, ...] = ()
    status_lists: tuple[str, ...] = ()
    ignores_status: bool = False


class Signed(Struct, frozen=True, kw_only=True):
    """A token that a trusted attester signed: its claims, who signed, and with which key."""

    claims: Mapping[str, object]
    attester: Attester
    key: PublicKey


def verify(
    encoded: str, *, typ: str, context: str, trusted: Sequence[Attester], at: datetime, max_bytes: int
) -> Signed:
    """Return what an attester signed.

    Not checked: every claim in it.

    Args:
        encoded: the compact JWT.
        typ: what it must say it is.
        context: names the list of allowed algorithms.
        trusted: whose word is taken.
        at: the instant at which certificates must be valid.
        max_bytes: longest token that is read.

    Raises:
        Malformed: with the code of what is wrong; ``key_not_found`` when no trusted attester has the key it names.
    """
    jws = jose.parse(encoded, max_bytes=max_bytes)
    jose.require(jws, typ=typ, context=context)
    attester, key = key_of(jws, trusted, at)
    jose.verify(jws, key)
    return Signed(claims=jose.payload_object(jws), attester=attester, key=key)


def key_of(jws: jose.Jws, trusted: Sequence[Attester], at: datetime) -> tuple[Attester, PublicKey]:
    """Return the trusted key that the header names; ``jku`` and ``x5u`` are never followed. No signature is checked.

    Raises:
        Malformed: ``key_not_found`` when no trusted attester has it; what is wrong with a certificate.
    """
    if "x5c" in jws.header:
        return _certified(jws, trusted, at)
    name = jws.header.get("kid")
    if "jwk" in jws.header:  # a key in the header is only a name: it counts when it is one of a trusted attester's
        name = keys.thumbprint(jws.header["jwk"])
    for attester in trusted:
        if isinstance(name, str) and name in attester.keys:
            return attester, keys.public_key(attester.keys[name])
    raise Malformed(Code.KEY_NOT_FOUND, "it is not signed with a key of an attester that is trusted here")


def _certified(jws: jose.Jws, trusted: Sequence[Attester], at: datetime) -> tuple[Attester, PublicKey]:
    # HAIP 1.0 §4.4.1, §4.5.1: the leaf is not self-signed, and the trust anchor is not in the chain.
    chain = x509.parse_chain(jws.header["x5c"])
    problem = Malformed(Code.CERTIFICATE_UNTRUSTED, "the certificate chain does not lead to a trusted anchor")
    for attester in trusted:
        try:
            x509.validate_chain(chain, attester.anchors, at)
        except Malformed as found:
            problem = problem if found.code is Code.CERTIFICATE_UNTRUSTED else found
        else:
            return attester, x509.public_key(chain[0])
    raise problem
