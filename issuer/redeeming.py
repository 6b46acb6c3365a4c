"""Redeeming: a pre-authorized code, with the transaction code told apart from it, gives a token (OpenID4VCI §6)."""

from collections.abc import Callable, Mapping
from functools import partial

from comity.errors import Code
from comity.openid import dpop
from comity.openid.issuance import attempts
from comity.openid.oauth import TokenRequest, TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer import clients, granted, tokens, wanted
from issuer.authorities import Authority
from issuer.clients import Client
from issuer.deployment import Deployment
from issuer.secrecy import hashed, new_secret
from issuer.store import Connection, given, offers, redemption
from issuer.store.redemption import Missed, Redeemed, Redemption
from issuer.tokens import Proof

_Error = OAuthErrorCode


async def exchange_code(
    deployment: Deployment,
    authority: Authority,
    request: TokenRequest,
    proof: Proof | None,
    client: Client,
) -> TokenResponse:
    """Exchange a pre-authorized code for an access token (OpenID4VCI §6), bound to the key of ``proof`` (RFC 9449 §5).

    Raises:
        OAuthError: ``invalid_request`` for a transaction code that is missing or not expected, ``invalid_grant`` for
            everything that is wrong with a code, ``invalid_dpop_proof`` for a proof that was used before,
            ``invalid_authorization_details`` for more than was offered.
            ``invalid_client_attestation`` or ``invalid_client`` for a proof of the client that was.
    """
    wanted.require_resource(authority, request.resource)
    narrowed = tuple(each.configuration_id for each in request.details)
    token, now = new_secret(), deployment.now()
    code_hash = hashed(request.pre_authorized_code)
    typed = request.tx_code
    typed_hash = None if typed is None else deployment.secrecy.transaction_code_hash(code_hash, typed)

    limit = deployment.limits.transaction_code_attempts

    def redeem(connection: Connection) -> tuple[Redemption, Redeemed | Missed | None]:
        done = redemption.redeem(
            connection,
            authority=authority.path,
            code_hash=code_hash,
            transaction_code_hash=typed_hash,
            token_hash=hashed(token),
            token_expires_at=now + deployment.limits.token_seconds,
            token_key=None if proof is None else proof.thumbprint,
            attempt_limit=limit,
            now=now,
            deferred_until=now + deployment.limits.deferred_seconds,
        )
        if done[0] in _EFFECTIVE:
            tokens.use_up(connection, proof)
            clients.use_up(connection, client)
            offers.note_client(connection, hashed(token), client_id=client.client_id, client_key=client.key)
        if isinstance(done[1], Redeemed) and narrowed:  # refused, and with it undone, where it is more than was offered
            offer = offers.find(connection, done[1].offer_id, now=now)
            wanted.require_subset(narrowed, offer.configuration_ids if offer else ())
            given.narrow(connection, done[1].offer_id, narrowed)
        return done

    outcome, redeemed = await deployment.database.write(redeem)
    if isinstance(redeemed, Missed) and outcome is Redemption.TRANSACTION_CODE_WRONG:
        detail = "the transaction code is wrong"
        raise attempts.refusal(Code.TRANSACTION_CODE_WRONG, detail, left=limit - redeemed.attempts)
    if not isinstance(redeemed, Redeemed):
        refused = _REFUSED_CODE[outcome]
        raise refused()
    return TokenResponse(
        access_token=token,
        expires_in=redeemed.token_expires_at - now,
        is_bound=proof is not None,
        granted=granted.identified(redeemed.offer_id, narrowed),
    )


_EFFECTIVE = {Redemption.GRANTED, Redemption.TRANSACTION_CODE_WRONG, Redemption.CODE_DEAD}
"""What may have changed an offer, and so uses the proofs of the request up."""


def _refused_code(code: Code, detail: str, error: OAuthErrorCode = _Error.INVALID_GRANT) -> Callable[[], OAuthError]:
    return partial(OAuthError, code, detail, error=error)


_REFUSED_CODE: Mapping[Redemption, Callable[[], OAuthError]] = {
    Redemption.CODE_UNKNOWN: _refused_code(Code.OFFER_UNKNOWN, "the pre-authorized code is not known"),
    Redemption.CODE_EXPIRED: _refused_code(Code.OFFER_EXPIRED, "the pre-authorized code has ended"),
    Redemption.CODE_USED: _refused_code(Code.CODE_ALREADY_USED, "the pre-authorized code was used before"),
    Redemption.CODE_DEAD: partial(
        attempts.refusal,
        Code.TRANSACTION_CODE_ATTEMPTS_EXHAUSTED,
        "too many wrong transaction codes; ask for a new offer",
        left=0,
    ),
    Redemption.TRANSACTION_CODE_MISSING: _refused_code(
        Code.TRANSACTION_CODE_REQUIRED, "a transaction code is needed", _Error.INVALID_REQUEST
    ),
    Redemption.TRANSACTION_CODE_UNEXPECTED: _refused_code(
        Code.REQUEST_INVALID, "no transaction code is expected", _Error.INVALID_REQUEST
    ),
    Redemption.PROOF_NEEDED: dpop.refuse_missing,  # a token that lives for days is bound to a key (VCI-24)
}
"""How each is made, anew for every answer: a raised exception keeps its traceback, and with it what was sent."""
