"""Which client sends a request to the token endpoint, or pushes an authorization request, and how it proved that.

A client that proved nothing is served only where the deployment says so, and never under the name of one that could.
Decision record 0018 says why, and what is remembered so that no proof passes twice.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from comity.errors import Code
from comity.openid import client_assertion, client_attestation, dpop
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.record import Discreet
from issuer.authorities import Authority
from issuer.client_trust import LONGEST_NAME
from issuer.deployment import Deployment
from issuer.store import Connection, proofs

Method = Literal["none", "attest_jwt_client_auth", "attest_jwt_client_auth_dpop", "private_key_jwt"]
"""Names of the registry of RFC 7591 §2, and of the attestation draft."""

Fields = Callable[[str], Sequence[str]]
"""Returns the values of all header fields of a name, such as ``request.headers.getlist``."""

_MARGIN_SECONDS = 120
"""How much longer a used proof is remembered than it could pass: twice the skew that clocks of workers may have."""

_REFUSE = Refusal(code=Code.CLIENT_NOT_AUTHENTICATED, error=OAuthErrorCode.INVALID_CLIENT)
_TWICE = _NAME = Refusal(code=Code.REQUEST_INVALID)


class Spent(Struct, frozen=True, kw_only=True):
    """What to remember of a proof, so that it does not pass twice."""

    digest: str
    expires_at: int


class Client(Discreet, frozen=True, kw_only=True):
    """The client that sent a request.

    Attributes:
        client_id: None for an anonymous one.
        method: how it proved who it is; with ``none`` the name is what it says, not proven.
        key: thumbprint of the client instance key (attestation only). Codes and refresh tokens are bound to it: whoever
            redeems one shows the same key.
        spent: what :func:`use_up` notes in the transaction of what the request brings about.
    """

    UNPRINTED = frozenset({"spent"})
    client_id: str | None = None
    method: Method = "none"
    key: str | None = None
    spent: Spent | None = None

    @property
    def dpop_key(self) -> str | None:
        """The key that must have signed the DPoP proof of the request, where that proof is the client's as well."""
        return self.key if self.method == client_attestation.METHOD_DPOP else None

    def is_bound_to(self, client_id: str | None, key: str | None) -> bool:
        """Tell whether this is the client, and the instance of it, that something was given to."""
        return self.client_id == client_id and self.key == key


def new_challenge(deployment: Deployment, authority: Authority) -> str:
    """Return a challenge for one proof of possession. Nothing is stored until it is used."""
    expires_at = deployment.now() + deployment.limits.nonce_seconds
    return deployment.secrecy.new_nonce(authority.path, expires_at=expires_at, purpose="client challenge")


async def authenticate(deployment: Deployment, authority: Authority, form: Mapping[str, str], fields: Fields) -> Client:
    """Return the client that sends ``form`` to the authorization server of ``authority`` (RFC 6749 §2.3, §3.2.1).

    Nothing is written: whoever lets the request have an effect calls :func:`use_up` in the same transaction.

    Args:
        deployment: the deployment.
        authority: whose token or pushed authorization endpoint is asked; its issuer id is the audience.
        form: the parameters of the body.
        fields: reads the header.

    Raises:
        OAuthError: ``invalid_client``, ``invalid_client_attestation``, ``use_attestation_challenge``,
            ``use_fresh_attestation``; ``invalid_request`` for two methods at once; ``temporarily_unavailable`` where it
            cannot be looked up whether an attestation was taken back.
    """
    attestations = fields(client_attestation.HEADER)
    possession = fields(client_attestation.POP_HEADER)
    is_attested = bool(attestations or possession)
    is_asserted = "client_assertion" in form or "client_assertion_type" in form
    # RFC 6749 §2.3: not more than one method in each request.
    if is_attested and is_asserted:
        raise _TWICE("a client authenticates in one way at a time")
    # "Verification and Processing" of -09: with a proof of possession of its own, that is judged, whatever DPoP says.
    if attestations and not possession and fields(dpop.HEADER):
        return await _combined(deployment, attestations, fields(dpop.HEADER), form.get("client_id"))
    if is_attested:
        return await _attested(deployment, authority, attestations, possession, form.get("client_id"))
    if is_asserted:
        return _asserted(deployment, authority, form)
    client_id, trust = form.get("client_id"), deployment.client_trust
    if trust.is_required:
        raise _REFUSE("a client must show here who it is")
    # Nobody takes the name of a client that can show who it is, just by showing nothing.
    if client_id in trust.named:
        raise _REFUSE("this client must show who it is")
    if client_id is not None and not (len(client_id) <= LONGEST_NAME and client_id.isprintable()):
        raise _NAME(f"client_id must have 1 to {LONGEST_NAME} printable characters")
    return Client(client_id=client_id)


async def _attested(
    deployment: Deployment,
    authority: Authority,
    attestations: Sequence[str],
    possession: Sequence[str],
    client_id: str | None,
) -> Client:
    trust, at = deployment.client_trust, deployment.clock.now()
    now, path = int(at.timestamp()), authority.path

    def is_good(challenge: str) -> bool:
        expiry = deployment.secrecy.nonce_expiry(path, challenge, purpose="client challenge")
        return expiry is not None and expiry > now

    found = client_attestation.check(
        attestations,
        possession,
        audience=authority.issuer_id,
        client_id=client_id,
        trusted=trust.attesters,
        max_age=trust.attestation_age,
        check_challenge=is_good if trust.gives_challenges else None,
        at=at,
    )
    # Last, and only for what a trusted attester signed: was it taken back?
    await deployment.attestation_status.require_valid((found.status,), client_attestation.refuse_status)
    # A challenge is good once, whoever uses it; without one it is the proof's own name that is.
    if found.challenge is not None:
        digest = deployment.secrecy.client_proof_digest("challenge", path, found.challenge)
        lasts = deployment.limits.nonce_seconds
    else:
        digest = deployment.secrecy.client_proof_digest(found.thumbprint, path, found.jti)
        lasts = int((client_attestation.MAX_AGE + client_attestation.CLOCK_SKEW).total_seconds())
    spent = Spent(digest=digest, expires_at=now + lasts + _MARGIN_SECONDS)
    return Client(client_id=found.client_id, method="attest_jwt_client_auth", key=found.thumbprint, spent=spent)


async def _combined(
    deployment: Deployment, attestations: Sequence[str], proofs: Sequence[str], client_id: str | None
) -> Client:
    """Return the client whose DPoP proof is its proof of possession; whoever checks that proof demands its key."""
    found = client_attestation.check_combined(
        attestations,
        proofs,
        client_id=client_id,
        trusted=deployment.client_trust.attesters,
        max_age=deployment.client_trust.attestation_age,
        at=deployment.clock.now(),
    )
    await deployment.attestation_status.require_valid((found.status,), client_attestation.refuse_status)
    return Client(client_id=found.client_id, method="attest_jwt_client_auth_dpop", key=found.thumbprint)


def _asserted(deployment: Deployment, authority: Authority, form: Mapping[str, str]) -> Client:
    found = client_assertion.check(
        form,
        audience=authority.issuer_id,
        registered=deployment.client_trust.registered,
        at=deployment.clock.now(),
    )
    digest = deployment.secrecy.client_proof_digest(found.client_id, authority.path, found.jti)
    spent = Spent(digest=digest, expires_at=int(found.expires_at.timestamp()) + _MARGIN_SECONDS)
    return Client(client_id=found.client_id, method="private_key_jwt", spent=spent)


def use_up(connection: Connection, client: Client) -> None:
    """Note, in the transaction of what a request brings about, that the client's proof was used.

    Raises:
        OAuthError: it was used before; the transaction is undone.
    """
    spent = client.spent
    if spent is not None and not proofs.use_up_client(connection, spent.digest, expires_at=spent.expires_at):
        is_attested = client.method == client_attestation.METHOD
        raise client_attestation.refuse_replay() if is_attested else client_assertion.refuse_replay()
