"""did:jwk: the identifier is the base64url of a JWK, and the one key is ``#0``. For holders only."""

from comity import base64url, keys, strict_json
from comity.did.document import RELATIONSHIPS, SIGNING_RELATIONSHIPS, DidDocument, from_members
from comity.did.syntax import Did
from comity.errors import Code, Malformed
from comity.ports import Jwk


def did_of(jwk: Jwk) -> str:
    """Return the did:jwk of a public key, from the members of its thumbprint in their order.

    Other members are left out, so that one key has one DID here. Others may write the same key differently: compare
    thumbprints, never DIDs.

    Raises:
        Malformed: as :func:`comity.keys.public_key`.
    """
    public = keys.public_jwk(keys.public_key(jwk))
    return f"did:jwk:{base64url.encode(strict_json.serialise(dict(sorted(public.items()))))}"


def document(did: Did) -> DidDocument:
    """Return the document that a did:jwk stands for (did:jwk §Read): ``use`` decides the relationships.

    Raises:
        Malformed: ``private_key_exposed`` when the identifier holds a private key; ``malformed_did`` when it is not the
            base64url of a JWK of a supported type.
    """
    try:
        jwk = strict_json.parse_object(base64url.decode(did.identifier), max_depth=2)
        keys.thumbprint(jwk)
    except Malformed as error:
        if error.code is Code.PRIVATE_KEY_EXPOSED:
            raise
        raise Malformed(Code.MALFORMED_DID, "the did:jwk holds no supported key") from None
    allowed = {"sig": SIGNING_RELATIONSHIPS, "enc": ("keyAgreement",), None: RELATIONSHIPS}
    use = jwk.get("use")
    if use not in ("sig", "enc", None):
        raise Malformed(Code.MALFORMED_DID, "the did:jwk holds a key for an unknown use")
    url = f"{did.did}#0"
    method = {"id": url, "type": "JsonWebKey2020", "controller": did.did, "publicKeyJwk": jwk}
    members = {"id": did.did, "verificationMethod": [method], **{name: [url] for name in allowed[use]}}
    return from_members(did, members)
