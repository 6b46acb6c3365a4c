"""Encrypted credential requests and responses (OpenID4VCI 1.0 §10): what is offered, what is asked for, and the tokens.

ECDH-ES with A128GCM or A256GCM and nothing else; compression is neither offered nor read (catalogue J16, J17). A
response is encrypted only if the request was, and an error response never is.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity import jwe, keys, strict_json
from comity.errors import Code, Malformed
from comity.jwe import EncryptionKey
from comity.openid.members import Members
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.ports import Jwk

CONTENT_TYPE = "application/jwt"
"""Media type of an encrypted request or response (§10)."""

ALGORITHM = "ECDH-ES"
CONTENT_ALGORITHMS = ("A256GCM", "A128GCM")
"""What we encrypt content with, the one we prefer first."""

_METADATA = Refusal(code=Code.METADATA_INVALID)
_PARAMETERS = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_ENCRYPTION_PARAMETERS)
_ANSWER = Refusal(code=Code.RESPONSE_NOT_ENCRYPTED)


# --- issuer metadata


class RequestEncryption(Struct, frozen=True, kw_only=True):
    """``credential_request_encryption`` of the issuer metadata (§12.2.4).

    Attributes:
        keys: public keys, each with ``kid`` and ``alg``.
        enc_values: content encryption algorithms that the issuer reads.
        is_required: the issuer refuses plain requests.
    """

    keys: tuple[Jwk, ...]
    enc_values: tuple[str, ...]
    is_required: bool = False

    @classmethod
    def parse(cls, members: Members) -> "RequestEncryption":
        """Read the member; keys of other algorithms than ours are kept, :func:`choose` passes them over.

        Raises:
            OAuthError: ``metadata_invalid``: a key without ``kid`` or ``alg``, or a member of the wrong type.
        """
        found = members.members("jwks").array("keys")
        for key in found:
            key.string("kid")
            key.string("alg")
        return cls(
            keys=tuple(dict(key.value) for key in found),
            enc_values=members.strings("enc_values_supported"),
            is_required=members.boolean("encryption_required", default=False),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "jwks": {"keys": [dict(key) for key in self.keys]},
            "enc_values_supported": list(self.enc_values),
            "encryption_required": self.is_required,
        }


class ResponseEncryption(Struct, frozen=True, kw_only=True):
    """``credential_response_encryption`` of the issuer metadata (§12.2.4)."""

    alg_values: tuple[str, ...] = (ALGORITHM,)
    enc_values: tuple[str, ...] = CONTENT_ALGORITHMS
    is_required: bool = False

    @classmethod
    def parse(cls, members: Members) -> "ResponseEncryption":
        """Read the member; raises as :meth:`RequestEncryption.parse`."""
        return cls(
            alg_values=members.strings("alg_values_supported"),
            enc_values=members.strings("enc_values_supported"),
            is_required=members.boolean("encryption_required", default=False),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "alg_values_supported": list(self.alg_values),
            "enc_values_supported": list(self.enc_values),
            "encryption_required": self.is_required,
        }


class Choice(Struct, frozen=True, kw_only=True):
    """How a wallet encrypts its requests to one issuer, and asks for the answers.

    Attributes:
        request_jwk: the issuer's key.
        request_enc: content encryption of the request.
        response_enc: content encryption of the answer; None when the issuer encrypts none.
    """

    request_jwk: Jwk
    request_enc: str
    response_enc: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, for a wallet to keep."""
        return {
            "request_jwk": dict(self.request_jwk),
            "request_enc": self.request_enc,
            "response_enc": self.response_enc,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "Choice":
        """Return what :meth:`to_dict` gave."""
        return cls(request_jwk=kept["request_jwk"], request_enc=kept["request_enc"], response_enc=kept["response_enc"])


def choose(request: RequestEncryption | None, response: ResponseEncryption | None) -> Choice | None:
    """Return how to encrypt, as far as the issuer offers it; None for plain messages.

    Raises:
        OAuthError: ``metadata_invalid``: the issuer demands what this house cannot do, or an encrypted response but
            offers no way to encrypt the request (§8.2: the first needs the second).
    """
    chosen = _request_choice(request)
    response_enc = _response_enc(response)
    if request is not None and request.is_required and chosen is None:
        raise _METADATA("issuer metadata: requests must be encrypted in a way this software does not know")
    if response is not None and response.is_required and (chosen is None or response_enc is None):
        raise _METADATA("issuer metadata: responses must be encrypted in a way this software cannot ask for")
    if chosen is None:
        return None
    jwk, enc = chosen
    return Choice(request_jwk=jwk, request_enc=enc, response_enc=response_enc)


def _request_choice(offered: RequestEncryption | None) -> tuple[Jwk, str] | None:
    if offered is None:
        return None
    jwk = next((key for key in offered.keys if _is_usable(key)), None)
    enc = next((each for each in CONTENT_ALGORITHMS if each in offered.enc_values), None)
    return None if jwk is None or enc is None else (jwk, enc)


def _response_enc(offered: ResponseEncryption | None) -> str | None:
    if offered is None or ALGORITHM not in offered.alg_values:
        return None
    return next((each for each in CONTENT_ALGORITHMS if each in offered.enc_values), None)


def _is_usable(jwk: Jwk) -> bool:
    if jwk.get("alg") != ALGORITHM or jwk.get("crv") != "P-256":
        return False
    try:
        keys.public_key(jwk, use="enc")
    except Malformed:
        return False
    return True


# --- one exchange


class AnswerKey(Struct, frozen=True, kw_only=True):
    """``credential_response_encryption`` of a request: how its answer is to be encrypted (§8.2)."""

    jwk: Jwk
    enc: str

    @classmethod
    def parse(cls, members: Members, *, is_encrypted: bool) -> "AnswerKey":
        """Read the parameters (§8.2, §10); everything is judged before anything is encrypted.

        Args:
            members: the value of ``credential_response_encryption``.
            is_encrypted: whether the request that carries it was encrypted.

        Raises:
            OAuthError: ``invalid_encryption_parameters``.
        """
        members = Members(members.value, members.where, _PARAMETERS)
        # §8.2: an encrypted response is had by an encrypted request only, or anybody on the way could put in a key.
        if not is_encrypted:
            raise _PARAMETERS("an encrypted response can be asked for in an encrypted request only")
        if members.has("zip"):
            raise _PARAMETERS("compressed responses are not offered")
        jwk, enc = members.members("jwk"), members.string("enc")
        # §10: the JWK names its alg, and it is one of the metadata's.
        if jwk.string("alg") != ALGORITHM or enc not in keys.allowed_algorithms("content_encryption"):
            raise _PARAMETERS("the response encryption is not one of those in the issuer's metadata")
        try:
            keys.public_key(jwk.value, use="enc")
        except Malformed as problem:
            raise _PARAMETERS.of(problem) from None
        if jwk.value.get("crv") != "P-256":
            raise _PARAMETERS("the response encryption key must be on P-256")
        jwk.optional_string("kid")
        return cls(jwk=dict(jwk.value), enc=enc)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object.

        ``alg`` stands in the JWK (§8.2, §10). The drafts until 15 had it beside the JWK, and EUDIPLO refuses a request
        without it there; so it is said twice, and :meth:`parse` reads the one in the JWK.
        """
        return {"jwk": dict(self.jwk), "alg": self.jwk["alg"], "enc": self.enc}

    def seal(self, body: Mapping[str, Any]) -> str:
        """Return a response encrypted to the key; its ``kid`` goes into the header (§10)."""
        return jwe.encrypt(strict_json.serialise(dict(body)), self.jwk, enc=self.enc)


def require_answer_key(wanted: AnswerKey | None) -> None:
    """Refuse a request that does not say how its answer is to be encrypted, where an issuer demands it.

    Raises:
        OAuthError: ``invalid_encryption_parameters``.
    """
    if wanted is None:
        raise _PARAMETERS("this issuer sends encrypted responses only; name a key in an encrypted request")


def refuse_plain() -> Exception:
    """Return what to raise for a plain request where an issuer demands encrypted ones."""
    return _PARAMETERS("this issuer reads encrypted requests only")


def seal_request(body: Mapping[str, Any], choice: Choice) -> str:
    """Return a request encrypted to the issuer's key (§10)."""
    return jwe.encrypt(strict_json.serialise(dict(body)), choice.request_jwk, enc=choice.request_enc)


def kid_of_request(token: bytes) -> str:
    """Return the ``kid`` of an encrypted request, whose header is judged (§10: it is copied from the issuer's key).

    Raises:
        OAuthError: ``invalid_encryption_parameters``.
    """
    try:
        kid = jwe.header(_compact(token)).get("kid")
    except Malformed as problem:
        raise _PARAMETERS.of(problem) from None
    if not isinstance(kid, str):
        raise _PARAMETERS("the encrypted request does not name the issuer's key by its kid")
    return kid


def open_request(token: bytes, key: EncryptionKey | None) -> bytes:
    """Return the JSON text of an encrypted request; ``key`` is that of its ``kid``, None when there is none (any more).

    Raises:
        OAuthError: ``invalid_encryption_parameters``.
    """
    if key is None:
        raise _PARAMETERS("the request is encrypted to a key that is not, or no longer, in the issuer's metadata")
    try:
        return jwe.decrypt(_compact(token), key.private_jwk())
    except Malformed as problem:
        raise _PARAMETERS.of(problem) from None


def _compact(token: bytes) -> str:
    try:
        return token.decode("ascii")
    except UnicodeDecodeError:
        raise _PARAMETERS("the encrypted request is not a compact JWE") from None


def open_response(body: bytes, content_type: str, key: EncryptionKey, enc: str) -> dict[str, Any]:
    """Return the JSON object of an encrypted response.

    Args:
        body: as received.
        content_type: lower case, without parameters.
        key: made for this one request.
        enc: the content encryption that was asked for.

    Raises:
        OAuthError: ``response_not_encrypted``: it came in the clear, or otherwise encrypted than was asked for.
        Malformed: it cannot be decrypted.
    """
    if content_type != CONTENT_TYPE:
        raise _ANSWER("the issuer sent in the clear what was to be encrypted")
    try:
        token = body.decode("ascii")
    except UnicodeDecodeError:
        raise _ANSWER("the encrypted response is not a compact JWE") from None
    if jwe.header(token).get("enc") != enc:
        raise _ANSWER("the response is not encrypted as was asked for")
    return strict_json.parse_object(jwe.decrypt(token, key.private_jwk()))
