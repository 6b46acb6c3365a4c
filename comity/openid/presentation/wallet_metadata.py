"""What a wallet that posts to ``request_uri`` says it can do, as the verifier reads it (OpenID4VP 1.0 §5.10, §10)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity import jwe
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.presentation.parameters import RequestObject
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.ports import Jwk

_REFUSE = Refusal(code=Code.REQUEST_INVALID)
_FORMATS = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.VP_FORMATS_NOT_SUPPORTED)
_ENCRYPTIONS = "request_object_encryption_enc_values_supported"


class WalletMetadata(Struct, frozen=True, kw_only=True):
    """What one wallet supports; an empty tuple where it does not say, which limits nothing.

    Attributes:
        prefixes: client identifier prefixes.
        signing_algorithms: of request objects.
        formats: credential formats.
        key: the key to which the request object is to be encrypted; None when it is not.
        encryption_method: how, then.
    """

    prefixes: tuple[str, ...] = ()
    signing_algorithms: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    key: Jwk | None = None
    encryption_method: str = "A256GCM"

    @classmethod
    def parse(cls, metadata: Mapping[str, Any] | None) -> "WalletMetadata":
        """Read ``wallet_metadata``; members nobody knows are ignored.

        Raises:
            OAuthError: ``invalid_request``: malformed, or keys none of which can be encrypted to.
        """
        if metadata is None:
            return cls()
        members = Members(metadata, "wallet_metadata", _REFUSE)
        formats = members.optional_members("vp_formats_supported")
        key, method = _encryption(members)
        return cls(
            prefixes=members.optional_strings("client_id_prefixes_supported"),
            signing_algorithms=members.optional_strings("request_object_signing_alg_values_supported"),
            formats=tuple(formats.value) if formats else (),
            key=key,
            encryption_method=method,
        )

    def check(self, asked: RequestObject, *, signing_algorithm: str) -> None:
        """Refuse to send a request that this wallet says it cannot read or answer.

        Raises:
            OAuthError: ``invalid_request`` or ``vp_formats_not_supported``.
        """
        if self.prefixes and asked.client_id.prefix.value not in self.prefixes:
            raise _REFUSE("the wallet does not support the way in which this verifier names itself")
        if self.signing_algorithms and signing_algorithm not in self.signing_algorithms:
            raise _REFUSE("the wallet does not support the algorithm with which this verifier signs")
        if self.formats and not any(each.format in self.formats for each in asked.query.credentials):
            raise _FORMATS("the wallet supports no format of what is asked for")

    def encrypted(self, request_object: str) -> str:
        """Return the signed request object, encrypted where this wallet wants it (RFC 9101 §6.1: signed, then so)."""
        if self.key is None:
            return request_object
        return jwe.encrypt(request_object.encode("ascii"), self.key, enc=self.encryption_method)


def opened(encoded: str, private_jwk: Mapping[str, Any]) -> str:
    """Return the signed request object inside what a verifier sent to a wallet that asked for encryption.

    Raises:
        OAuthError: it is not encrypted to this key; a signed one in the clear is refused too.
    """
    try:
        return jwe.decrypt(encoded, private_jwk).decode("ascii")
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    except UnicodeDecodeError:
        raise _REFUSE("the request is not a signed object inside its encryption") from None


def _encryption(members: Members) -> tuple[Jwk | None, str]:
    """§5.10: ``jwks`` means that the request object is to be encrypted, by what the wallet lists."""
    if not members.has("jwks"):
        return None, "A256GCM"
    methods = members.optional_strings(_ENCRYPTIONS)
    stated = {"jwks": members.value["jwks"]}
    listed = {"encrypted_response_enc_values_supported": list(methods)} if methods else {}
    found = ClientMetadata.parse(Members({**stated, **listed}, "wallet_metadata", _REFUSE))
    key, method = found.encryption_key(), found.encryption_method()
    if key is None or method is None:
        raise _REFUSE("the wallet wants an encrypted request but gives no key that can be encrypted to")
    return key, method
