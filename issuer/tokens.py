"""Access tokens: what a wallet shows to use one, and the proof that a bound one is its own (RFC 9449).

Decision record 0016 says why a proof is used up by what it changes, and why the nonce and not the clock judges its age.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from comity.errors import Code
from comity.openid import dpop
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.record import Discreet
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.secrecy import NoncePurpose, hashed
from issuer.store import Connection, offers, proofs
from issuer.store.offers import Offer

_MARGIN_SECONDS = 120
"""How much longer a used proof is remembered than its nonce holds: twice the skew that clocks of workers may have."""


class Shown(Discreet, frozen=True, kw_only=True):
    """What a request to a protected endpoint carries: nothing of it is checked.

    Attributes:
        token: from the ``Authorization`` header.
        is_dpop: the scheme was ``DPoP``, not ``Bearer``.
        proofs: the values of all ``DPoP`` header fields.
    """

    UNPRINTED = frozenset({"proofs", "token"})
    token: str
    is_dpop: bool = False
    proofs: tuple[str, ...] = ()


class Proof(Struct, frozen=True, kw_only=True):
    """A DPoP proof that passed, and what to remember so that it does not pass twice."""

    thumbprint: str
    digest: str
    expires_at: int


class Access(Struct, frozen=True, kw_only=True):
    """A token that is alive, of this authority, and in the hands of whom it was given to.

    Attributes:
        token_hash: recognises the token in the store.
        offer: what it was given for, as it stood a moment ago.
        proof: None for a bearer token.
    """

    token_hash: str
    offer: Offer
    proof: Proof | None


def new_nonce(deployment: Deployment, authority: Authority) -> str:
    """Return a nonce for DPoP proofs (RFC 9449 §8); good for any number of proofs until it ends. Nothing is stored."""
    expires_at = deployment.now() + deployment.limits.nonce_seconds
    return deployment.secrecy.new_nonce(authority.path, expires_at=expires_at, purpose="dpop nonce")


def check_for_token(
    deployment: Deployment, authority: Authority, fields: Sequence[str], *, attested_key: str | None = None
) -> Proof | None:
    """Check the proof of a token request (RFC 9449 §5); None when there is none and none is needed.

    With an ``attested_key`` the proof also shows possession of that key, and its nonce may be a client's challenge.

    Raises:
        OAuthError: ``invalid_dpop_proof``, ``use_dpop_nonce``.
    """
    if not fields and deployment.require_dpop:
        raise dpop.refuse_missing()
    return _check(deployment, authority, fields, "token", attested=attested_key) if fields else None


def check_for_push(
    deployment: Deployment, authority: Authority, fields: Sequence[str], *, attested_key: str | None = None
) -> Proof | None:
    """Check the proof of a pushed authorization request (RFC 9449 §10.1); None when there is none.

    ``attested_key`` as for :func:`check_for_token`.

    Raises:
        OAuthError: ``invalid_dpop_proof``, ``use_dpop_nonce``.
    """
    return _check(deployment, authority, fields, "par", attested=attested_key) if fields else None


def require_key(bound: str | None, proof: Proof | None) -> None:
    """Check that what is bound to a key comes with a proof by that key (RFC 9449 §5, §10).

    Raises:
        OAuthError: ``invalid_dpop_proof``.
    """
    if bound is None:
        return
    if proof is None:
        raise dpop.refuse_missing()
    if proof.thumbprint != bound:
        detail = "this is bound to another key than the DPoP proof is signed by"
        raise OAuthError(Code.DPOP_PROOF_INVALID, detail, error=OAuthErrorCode.INVALID_DPOP_PROOF)


async def require(deployment: Deployment, authority: Authority, shown: Shown, endpoint: str) -> Access:
    """Check that a token is alive, this authority's, and proven to be the wallet's own where it is bound.

    Args:
        deployment: the deployment.
        authority: who gave the token.
        shown: what the request carries.
        endpoint: the last segment of the address that was asked, such as ``credential``.

    Raises:
        OAuthError: ``invalid_token``, also for a bound token sent as Bearer and a bearer token sent as DPoP
            (RFC 9449 §7.1, §7.2); ``invalid_dpop_proof``, ``use_dpop_nonce``.
    """
    now, token_hash = deployment.now(), hashed(shown.token)
    offer = await offers.look_by_token(deployment.database, authority=authority.path, token_hash=token_hash, now=now)
    if offer is None or shown.is_dpop != (offer.token_key is not None):
        raise refuse()
    if deployment.require_dpop and not shown.is_dpop:  # given out before the setting was made
        raise refuse()
    proof = None
    if shown.is_dpop:
        proof = _check(deployment, authority, shown.proofs, endpoint, token=shown.token, bound=offer.token_key)
    return Access(token_hash=token_hash, offer=offer, proof=proof)


def use_up(connection: Connection, proof: Proof | None) -> None:
    """Note, in the transaction of what a proof brings about, that it was used.

    Raises:
        OAuthError: ``invalid_dpop_proof``: it was used before; the transaction is undone.
    """
    if proof is not None and not proofs.use_up(connection, proof.digest, expires_at=proof.expires_at):
        raise dpop.refuse_replay()


def refuse() -> OAuthError:
    """Return what to raise for a token that is of no use here; it does not say why."""
    detail = "the access token is not known, has ended, or is sent in another way than it was given"
    return OAuthError(Code.TOKEN_INVALID, detail, error=OAuthErrorCode.INVALID_TOKEN)


def _check(
    deployment: Deployment,
    authority: Authority,
    fields: Sequence[str],
    endpoint: str,
    *,
    token: str | None = None,
    bound: str | None = None,
    attested: str | None = None,
) -> Proof:
    at = deployment.clock.now()
    checked = dpop.check(
        fields,
        method="POST",
        url=f"{authority.issuer_id}/{endpoint}",
        at=at,
        check_nonce=_nonce_judge(deployment, authority, int(at.timestamp()), takes_challenges=attested is not None),
        access_token=token,
        bound_thumbprint=bound or attested,
    )
    return Proof(
        thumbprint=checked.thumbprint,
        digest=deployment.secrecy.proof_digest(checked.thumbprint, checked.jti),
        expires_at=int(at.timestamp()) + deployment.limits.nonce_seconds + _MARGIN_SECONDS,
    )


def _nonce_judge(
    deployment: Deployment, authority: Authority, now: int, *, takes_challenges: bool
) -> Callable[[str], bool]:
    # "DPoP Combined Mode" of -09, step 5: a challenge of this server stands in the nonce.
    purposes: tuple[NoncePurpose, ...] = ("dpop nonce", "client challenge") if takes_challenges else ("dpop nonce",)

    def is_good(nonce: str) -> bool:
        known = (deployment.secrecy.nonce_expiry(authority.path, nonce, purpose=each) for each in purposes)
        return any(expiry is not None and expiry > now for expiry in known)

    return is_good
