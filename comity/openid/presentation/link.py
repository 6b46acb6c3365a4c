"""How a request reaches the wallet: a link or QR code, and the POST that may fetch it (OpenID4VP §5.7, §5.10)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from comity import keys, strict_json
from comity.errors import Code
from comity.openid import endpoint, form
from comity.openid.members import Members
from comity.openid.presentation import client_id
from comity.openid.presentation.client_id import Prefix
from comity.openid.presentation.client_metadata import formats_supported
from comity.openid.presentation.parameters import RequestObject
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.ports import Jwk

SCHEMES = ("openid4vp", "haip-vp")
_REFUSE = Refusal(code=Code.REQUEST_INVALID)
_METHOD = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_REQUEST_URI_METHOD)


class RequestUriMethod(StrEnum):
    """How the wallet fetches the request object; the names are case-sensitive."""

    GET = "get"
    POST = "post"


class RequestLink(Struct, frozen=True, kw_only=True):
    """A link that asks for a presentation.

    Exactly one of ``request_uri`` (fetch it, no redirects, after the person said yes), ``request`` (a signed request
    by value) and ``parameters`` (an unsigned request, only under the prefix ``redirect_uri``) is set.
    """

    client_id: str
    request_uri: str | None = None
    method: RequestUriMethod = RequestUriMethod.GET
    request: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def link(self) -> str:
        """Return the link."""
        fields = {"client_id": self.client_id, **self.parameters}
        if self.request_uri is not None:
            fields["request_uri"] = self.request_uri
            if self.method is RequestUriMethod.POST:
                fields["request_uri_method"] = self.method.value
        if self.request is not None:
            fields["request"] = self.request
        return f"{SCHEMES[0]}://?{form.encode(fields)}"


def parse_link(link: str) -> RequestLink:
    """Read what was scanned, pasted or clicked (VP-3). Parameters beside a request object are ignored.

    Raises:
        OAuthError: ``invalid_request``: another scheme, an unsupported client identifier, both ``request`` and
            ``request_uri``, neither of them under a prefix that signs (attack P13), ``request_uri_method`` without
            ``request_uri``; ``invalid_request_uri_method`` for a method other than ``get`` and ``post``.
    """
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        raise _REFUSE("this is not a link") from None
    if parts.scheme not in (*SCHEMES, "https"):
        raise _REFUSE("this link does not ask for a presentation")
    fields = form.decode(parts.query, _REFUSE)
    client = client_id.parse(fields.get("client_id", ""))
    reference, value = fields.get("request_uri"), fields.get("request")
    if reference is not None and value is not None:
        raise _REFUSE("the link carries a request and the address of one")
    method = _method(fields)
    if reference is not None:
        if not endpoint.is_endpoint(reference):
            raise _REFUSE("the address of the request must be an https URL")
        return RequestLink(client_id=client.text, request_uri=reference, method=method)
    if value is not None:
        return RequestLink(client_id=client.text, request=value)
    if client.prefix is not Prefix.REDIRECT_URI:
        raise _REFUSE("the request is not signed, so it does not say who asks")
    return RequestLink(client_id=client.text, parameters=fields)


def _method(fields: Mapping[str, str]) -> RequestUriMethod:
    name = fields.get("request_uri_method")
    if name is None:
        return RequestUriMethod.GET
    if "request_uri" not in fields:
        raise _REFUSE("request_uri_method comes only with request_uri")
    if name not in set(RequestUriMethod):
        raise _METHOD("request_uri_method must be get or post")
    return RequestUriMethod(name)


class RequestUriPost(Struct, frozen=True, kw_only=True):
    """What the wallet posts to ``request_uri``: a nonce to be echoed, and what it can do. Nothing about the person.

    Attributes:
        wallet_nonce: the request object must carry it (attack P16); None when the wallet sent none.
        wallet_metadata: JSON object; None when the wallet sent none.
    """

    wallet_nonce: str | None = None
    wallet_metadata: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, body: bytes | str) -> "RequestUriPost":
        """Read the form body, which may be empty. Parameters nobody knows are ignored.

        Raises:
            OAuthError: ``invalid_request``.
        """
        fields = form.decode(body, _REFUSE)
        metadata = fields.get("wallet_metadata")
        return cls(
            wallet_nonce=fields.get("wallet_nonce"),
            wallet_metadata=None if metadata is None else Members.read(metadata, "wallet_metadata", _REFUSE).value,
        )

    def to_form(self) -> str:
        """Return the form body."""
        fields = {} if self.wallet_nonce is None else {"wallet_nonce": self.wallet_nonce}
        if self.wallet_metadata is not None:
            fields["wallet_metadata"] = strict_json.serialise(dict(self.wallet_metadata)).decode()
        return form.encode(fields)


def as_parameters(asked: RequestObject) -> dict[str, str]:
    """Return an unsigned request as the parameters of a link: objects as JSON, without times, which nothing proves."""
    claims = {name: value for name, value in asked.to_dict().items() if name not in {"aud", "iat", "exp"}}
    return {
        name: value if isinstance(value, str) else strict_json.serialise(value).decode()
        for name, value in claims.items()
    }


def wallet_metadata(encryption_key: Jwk | None = None) -> dict[str, Any]:
    """Return what this wallet can do (OpenID4VP §10); the same for everyone, so it tells nothing about a person.

    With an ``encryption_key``, made for one request, the request object is to be encrypted to it (§5.10).
    """
    encrypted: dict[str, Any] = {}
    if encryption_key is not None:
        encrypted = {
            "jwks": {"keys": [dict(encryption_key)]},
            "request_object_encryption_alg_values_supported": sorted(keys.allowed_algorithms("response_encryption")),
            "request_object_encryption_enc_values_supported": sorted(keys.allowed_algorithms("content_encryption")),
        }
    return {
        **encrypted,
        "vp_formats_supported": formats_supported(),
        "client_id_prefixes_supported": [each.value for each in Prefix if each is not Prefix.ORIGIN],
        "request_object_signing_alg_values_supported": sorted(keys.allowed_algorithms("request_object")),
    }
