"""Which client sends a request to the token endpoint, or pushes an authorization request, and how it proved that.

A client that proved nothing is served only where the deployment says so, and never under the name of one that could.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from comity.errors import Code
from comity.openid.refusal import OAuthErrorCode, Refusal
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.store import Connection

Method = Literal["none", "attest_jwt_client_auth", "private_key_jwt"]
"""Names of the registry of RFC 7591 §2 and of the attestation draft."""

Fields = Callable[[str], Sequence[str]]
"""Returns the values of all header fields of a name, such as ``request.headers.getlist``."""

_REFUSE = Refusal(code=Code.CLIENT_NOT_AUTHENTICATED, error=OAuthErrorCode.INVALID_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What to remember of a proof, so that it does not pass twice."""

    digest: str
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The client that sent a request.

    Attributes:
        client_id: None for an anonymous one.
        method: how it proved who it is; ``none`` is what it says, not proven.
        key: thumbprint of the client instance key (attestation only). Codes and refresh tokens are bound to it: whoever
            redeems one shows the same key.
        spent: what :func:`use_up` notes in the transaction of what the request brings about.
    """

    client_id: str | None
    method: Method = "none"
    key: str | None = None
    spent: Spent | None = field(default=None, repr=False)

    def is_bound_to(self, client_id: str | None, key: str | None) -> bool:
        """Tell whether this is the client, and the instance of it, that something was given to."""
        return self.client_id == client_id and self.key == key


def authenticate(deployment: Deployment, authority: Authority, form: Mapping[str, str], fields: Fields) -> Client:
    """Return the client that sends ``form`` to the authorization server of ``authority`` (RFC 6749 §2.3, §3.2.1).

    Nothing is written: whoever lets the request have an effect calls :func:`use_up` in the same transaction.

    Args:
        deployment: the deployment.
        authority: whose token or pushed authorization endpoint is asked; its issuer id is the audience.
        form: the parameters of the body.
        fields: reads the header.

    Raises:
        OAuthError: ``invalid_client``, ``invalid_client_attestation``, ``use_attestation_challenge``,
            ``use_fresh_attestation``; ``invalid_request`` for two methods at once.
    """
    if fields("oauth-client-attestation") or "client_assertion" in form:
        raise _REFUSE("this client is not known here")
    return Client(client_id=form.get("client_id"))


def use_up(connection: Connection, client: Client) -> None:
    """Note, in the transaction of what a request brings about, that the client's proof was used.

    Raises:
        OAuthError: it was used before; the transaction is undone.
    """
    if client.spent is not None:
        raise _REFUSE("the client's proof was used before")
