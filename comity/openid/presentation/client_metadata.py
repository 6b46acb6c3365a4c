"""What a verifier says of itself inside its request (OpenID4VP 1.0 §5.1 ``client_metadata``, §11).

The keys in it encrypt the answer. They never verify the request: that key comes from the client identifier.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity import keys
from comity.credential import Format
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.ports import Jwk

_REFUSE = Refusal(code=Code.REQUEST_INVALID)
_FORMATS = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.VP_FORMATS_NOT_SUPPORTED)
_PREFERRED_ENCRYPTION = ("A256GCM", "A128GCM")
_DEFAULT_ENCRYPTION = ("A128GCM",)

_CREDENTIAL_ALGORITHMS = {Format.DC_SD_JWT: "sd-jwt_alg_values", Format.VC_JWT: "alg_values"}
_HOLDER_ALGORITHMS = {Format.DC_SD_JWT: "kb-jwt_alg_values", Format.VC_JWT: "alg_values"}

Formats = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Format name to the lists of algorithms it is limited to; a list that is absent limits nothing."""


def formats_supported() -> dict[str, dict[str, list[str]]]:
    """Return ``vp_formats_supported`` of this house, as verifier and as wallet."""
    credential = sorted(keys.allowed_algorithms("credential"))
    holder = sorted(keys.allowed_algorithms("holder_proof"))
    return {
        Format.DC_SD_JWT.value: {"sd-jwt_alg_values": credential, "kb-jwt_alg_values": holder},
        Format.VC_JWT.value: {"alg_values": sorted({*credential, *holder})},
    }


class ClientMetadata(Struct, frozen=True, kw_only=True):
    """A verifier's metadata.

    Attributes:
        jwks: public JWKs as received, usable or not.
        encryption_methods: content encryption the verifier accepts; A128GCM alone when it does not say.
        formats: formats it accepts; None when it does not say.
    """

    jwks: tuple[Jwk, ...] = ()
    encryption_methods: tuple[str, ...] = _DEFAULT_ENCRYPTION
    formats: Formats | None = None

    @classmethod
    def parse(cls, members: Members) -> "ClientMetadata":
        """Read ``client_metadata`` (VP-4). Members nobody knows are ignored.

        Raises:
            OAuthError: ``invalid_request``: malformed, two keys of one ``kid``, a private key.
        """
        jwks = members.optional_members("jwks")
        formats = members.optional_members("vp_formats_supported")
        return cls(
            jwks=_keys(jwks) if jwks else (),
            encryption_methods=members.optional_strings("encrypted_response_enc_values_supported")
            or _DEFAULT_ENCRYPTION,
            formats=_formats(formats) if formats else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {}
        if self.jwks:
            body["jwks"] = {"keys": [dict(jwk) for jwk in self.jwks]}
            body["encrypted_response_enc_values_supported"] = list(self.encryption_methods)
        if self.formats is not None:
            body["vp_formats_supported"] = {
                name: {member: list(values) for member, values in limits.items()}
                for name, limits in self.formats.items()
            }
        return body

    def encryption_key(self) -> Jwk | None:
        """Return the first key an answer can be encrypted to, or None; keys that cannot be used are skipped."""
        return next((jwk for jwk in self.jwks if _is_usable(jwk)), None)

    def encryption_method(self) -> str | None:
        """Return the strongest content encryption that both sides know, or None."""
        allowed = keys.allowed_algorithms("content_encryption") & set(self.encryption_methods)
        return next((name for name in _PREFERRED_ENCRYPTION if name in allowed), None)

    def accepts(self, credential_format: Format, *, credential_algorithm: str, holder_algorithm: str | None) -> bool:
        """Tell whether the verifier accepts a presentation in this format, signed with these algorithms.

        ``holder_algorithm`` is None for a presentation without holder proof.
        """
        if self.formats is None:
            return True
        limits = self.formats.get(credential_format.value)
        if limits is None:
            return False
        wanted = ((_CREDENTIAL_ALGORITHMS, credential_algorithm), (_HOLDER_ALGORITHMS, holder_algorithm))
        return all(
            algorithm is None or algorithm in limits.get(members[credential_format], (algorithm,))
            for members, algorithm in wanted
        )

    def require_known_format(self) -> None:
        """Refuse a request whose verifier accepts none of the formats this house speaks.

        Raises:
            OAuthError: ``vp_formats_not_supported``.
        """
        if self.formats is not None and not any(known.value in self.formats for known in Format):
            raise _FORMATS("the verifier accepts no credential format that this wallet knows")


def _keys(members: Members) -> tuple[Jwk, ...]:
    found = tuple(entry.value for entry in members.array("keys"))
    names = [jwk.get("kid") for jwk in found if jwk.get("kid") is not None]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise _REFUSE("client_metadata: every key needs a kid of its own")
    if any(not keys.PRIVATE_MEMBERS.isdisjoint(jwk) for jwk in found):
        raise _REFUSE("client_metadata: a key is private", Code.PRIVATE_KEY_EXPOSED)
    return found


def _is_usable(jwk: Jwk) -> bool:
    """VP-4: an encryption key has an ``alg`` we know and is not marked for signatures."""
    algorithm = jwk.get("alg")
    if not isinstance(algorithm, str) or algorithm not in keys.allowed_algorithms("response_encryption"):
        return False
    try:
        key = keys.public_key(jwk, use="enc")
    except Malformed:
        return False
    return "kid" in jwk and keys.curve_of(key) in {"P-256", "P-384"}


def _formats(members: Members) -> Formats:
    return {name: _limits(members.members(name)) for name in members.value}


def _limits(members: Members) -> dict[str, tuple[str, ...]]:
    known = ("sd-jwt_alg_values", "kb-jwt_alg_values", "alg_values")
    return {name: members.strings(name) for name in known if members.has(name)}
