"""did:key (W3C CCG, v0.9): the identifier is the key. For holders only; such a key can never be rotated."""

from comity.did.document import SIGNING_RELATIONSHIPS, DidDocument, from_members
from comity.did.multibase import decode_key, encode_key
from comity.did.syntax import Did
from comity.errors import Code, Malformed
from comity.ports import Jwk


def did_of(jwk: Jwk) -> str:
    """Return the did:key of a public key.

    Raises:
        Malformed: as :func:`comity.keys.public_key`.
    """
    return f"did:key:{encode_key(jwk)}"


def document(did: Did) -> DidDocument:
    """Return the document that a did:key stands for: one method, whose fragment repeats the identifier.

    No ``keyAgreement`` key is derived from an Ed25519 key: the house never encrypts to a DID.

    Raises:
        Malformed: ``malformed_did`` when the identifier is not the Multikey text of a supported key.
    """
    try:
        decode_key(did.identifier)
    except Malformed:
        raise Malformed(Code.MALFORMED_DID, "the did:key holds no supported key") from None
    url = f"{did.did}#{did.identifier}"
    method = {"id": url, "type": "Multikey", "controller": did.did, "publicKeyMultibase": did.identifier}
    members = {"id": did.did, "verificationMethod": [method], **{name: [url] for name in SIGNING_RELATIONSHIPS}}
    return from_members(did, members)
