"""Compact JWE (RFC 7516) for encrypted answers: ECDH-ES with A128GCM or A256GCM and nothing else (HAIP 1.0 §5).

Every header is judged here before joserfc, which does the arithmetic, sees the token: key wrapping, PBES2, RSA, CBC
and compression never start to work (catalogue J16 to J18).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from cryptography.exceptions import InvalidTag

from comity import base64url, keys, strict_json
from comity.errors import Code, Malformed
from comity.ports import Jwk
from comity.record import Discreet

if TYPE_CHECKING:
    from joserfc.jwe import JWERegistry
    from joserfc.jwk import ECKey

MAX_BYTES = 1 << 20
"""Largest token read, in characters."""

_MAX_HEADER_LENGTH = 4096
_IV_BYTES = 12
_TAG_BYTES = 16
_PUBLIC_MEMBERS = ("kty", "crv", "x", "y")


class EncryptionKey(Discreet, frozen=True, kw_only=True):
    """A P-256 key pair to which one answer is encrypted; made for one request and dropped with it. Never printed.

    Attributes:
        kid: names the key inside one exchange.
        public_jwk: what the other side gets: with ``use`` ``enc``, ``alg`` ``ECDH-ES`` and ``kid``.
    """

    UNPRINTED = frozenset({"private_members"})
    kid: str
    public_jwk: Jwk
    private_members: Mapping[str, str]

    @classmethod
    def generate(cls, kid: str) -> "EncryptionKey":
        """Return a new random key called ``kid``."""
        from joserfc.jwk import ECKey  # noqa: PLC0415  (comity.web.later says why)

        key = ECKey.generate_key("P-256")
        public = cast("dict[str, str]", key.as_dict(private=False))
        names = {"use": "enc", "alg": "ECDH-ES", "kid": kid}
        members = {name: public[name] for name in _PUBLIC_MEMBERS}
        secret = cast("dict[str, str]", key.as_dict(private=True))["d"]
        return cls(kid=kid, public_jwk={**members, **names}, private_members={**members, **names, "d": secret})

    @classmethod
    def from_private_jwk(cls, members: Mapping[str, str]) -> "EncryptionKey":
        """Return the key of which :meth:`private_jwk` gave ``members``."""
        public = {name: value for name, value in members.items() if name != "d"}
        return cls(kid=members["kid"], public_jwk=public, private_members=dict(members))

    def private_jwk(self) -> dict[str, str]:
        """Return the private JWK. The caller keeps it secret."""
        return dict(self.private_members)


def encrypt(
    payload: bytes, recipient_jwk: Jwk, *, enc: str = "A256GCM", apu: bytes | None = None, apv: bytes | None = None
) -> str:
    """Return ``payload`` encrypted to ``recipient_jwk`` (RFC 7516 §5.1, RFC 7518 §4.6 direct key agreement).

    The recipient's ``kid`` goes into the header. ``apu`` and ``apv`` are the parties' info, as bytes.

    Raises:
        Malformed: ``algorithm_not_allowed`` for ``enc``; as :func:`comity.keys.public_key` for the recipient's key.
    """
    from joserfc.jwe import encrypt_compact  # noqa: PLC0415  (comity.web.later says why)
    from joserfc.jwk import ECKey  # noqa: PLC0415

    keys.public_key(recipient_jwk, use="enc")
    header: dict[str, Any] = {"alg": "ECDH-ES", "enc": enc}
    _check_algorithms(header)
    if "kid" in recipient_jwk:
        header["kid"] = recipient_jwk["kid"]
    for name, value in (("apu", apu), ("apv", apv)):
        if value is not None:
            header[name] = base64url.encode(value)
    public = {name: recipient_jwk[name] for name in _PUBLIC_MEMBERS}
    return encrypt_compact(header, payload, ECKey.import_key(public), registry=_registry())


def header(token: str) -> dict[str, Any]:
    """Return the protected header of ``token``, judged: what this house would refuse to decrypt raises here.

    Raises:
        Malformed: ``malformed_jwe``, ``algorithm_not_allowed``, ``critical_header``, ``malformed_key`` or
            ``private_key_exposed`` (``epk``), ``malformed_base64url``, ``too_large`` or a code of strict JSON.
    """
    return _opened(token)


def decrypt(token: str, private_jwk: Mapping[str, Any]) -> bytes:
    """Return the plaintext of ``token`` (RFC 7516 §5.2). Says nothing about who encrypted it: anybody can.

    Raises:
        Malformed: as :func:`header`; ``decryption_failed`` when the token was not made for this key or was changed;
            ``malformed_key`` when ``private_jwk`` is not an EC private key.
    """
    from joserfc.errors import JoseError  # noqa: PLC0415  (comity.web.later says why)
    from joserfc.jwe import decrypt_compact  # noqa: PLC0415

    protected = _opened(token)
    # A token for the key of another request is refused by name before it is refused by arithmetic.
    if "kid" in protected and "kid" in private_jwk and protected["kid"] != private_jwk["kid"]:
        raise _failed("the answer was encrypted to another key")
    key = _private_key(private_jwk)
    try:
        plaintext = decrypt_compact(token, key, registry=_registry()).plaintext
    except (JoseError, InvalidTag, ValueError, TypeError):
        raise _failed("the answer cannot be decrypted") from None
    return plaintext or b""


def _opened(token: str) -> dict[str, Any]:
    if len(token) > MAX_BYTES:
        raise Malformed(Code.TOO_LARGE, f"the encrypted token is larger than {MAX_BYTES} characters")
    # RFC 7516 §7.1: header . encrypted key . initialisation vector . ciphertext . tag, each in base64url.
    segments = token.split(".")
    if len(segments) != 5 or len(segments[0]) > _MAX_HEADER_LENGTH:
        raise _malformed("an encrypted token has exactly five parts and a short header")
    protected = strict_json.parse_object(base64url.decode(segments[0]), max_depth=4)
    # Before any work: the algorithms are ours, nothing is compressed, nothing is critical.
    _check_algorithms(protected)
    if "zip" in protected:
        raise Malformed(Code.ALGORITHM_NOT_ALLOWED, "compressed encrypted tokens are not read")
    if "crit" in protected:
        raise Malformed(Code.CRITICAL_HEADER, "the token's header demands an extension that is not supported")
    _check_agreement(protected)
    # RFC 7516 §5.2 step 10: with direct key agreement the encrypted key is empty. RFC 7518 §5.3: iv 96, tag 128 bits.
    encrypted_key, vector, _, tag = (base64url.decode(segment) for segment in segments[1:])
    if encrypted_key or len(vector) != _IV_BYTES or len(tag) != _TAG_BYTES:
        raise _malformed("the parts of the encrypted token do not have the lengths of its algorithms")
    return protected


def _private_key(private_jwk: Mapping[str, Any]) -> "ECKey":
    from joserfc.errors import JoseError  # noqa: PLC0415  (comity.web.later says why)
    from joserfc.jwk import ECKey  # noqa: PLC0415

    public: dict[str, Any] = {name: private_jwk.get(name) for name in _PUBLIC_MEMBERS}
    keys.public_key(public, use="enc")
    try:
        return ECKey.import_key({**public, "d": private_jwk["d"]})
    except (JoseError, ValueError, TypeError, KeyError):
        raise Malformed(Code.MALFORMED_KEY, "the decryption key is not an EC private key") from None


def _check_algorithms(protected: Mapping[str, Any]) -> None:
    for member, context in (("alg", "response_encryption"), ("enc", "content_encryption")):
        value = protected.get(member)
        if not isinstance(value, str) or value not in keys.allowed_algorithms(context):
            raise Malformed(Code.ALGORITHM_NOT_ALLOWED, f"the encrypted token's {member} is not allowed")


def _check_agreement(protected: Mapping[str, Any]) -> None:
    """RFC 7518 §4.6.1: a public ephemeral key on its curve, and party info in canonical base64url."""
    ephemeral = protected.get("epk")
    if not isinstance(ephemeral, dict):
        raise _malformed("the encrypted token has no ephemeral key")
    keys.public_key(ephemeral, use="enc")
    for name in ("apu", "apv", "kid"):
        value = protected.get(name, "")
        if not isinstance(value, str):
            raise _malformed(f"the header member {name} is not text")
        if name != "kid":
            base64url.decode(value)


def _registry() -> "JWERegistry":
    """Return joserfc's own limits, with ours for size: its 64 KiB are less than an answer with several portraits."""
    from joserfc.jwe import JWERegistry  # noqa: PLC0415  (comity.web.later says why)

    allowed = keys.allowed_algorithms("response_encryption") | keys.allowed_algorithms("content_encryption")
    registry = JWERegistry(algorithms=allowed, strict_check_header=False)
    registry.max_protected_header_length = _MAX_HEADER_LENGTH
    registry.max_ciphertext_length = MAX_BYTES
    return registry


def _malformed(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED_JWE, detail)


def _failed(detail: str) -> Malformed:
    return Malformed(Code.DECRYPTION_FAILED, detail)
