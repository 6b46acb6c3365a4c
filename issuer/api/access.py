"""What every route needs: the deployment behind it, and the bearer token in front."""

import re

from fastapi import Request

from comity.errors import Code, ComityError, Denied
from comity.openid import dpop
from comity.web.counted import endpoint_of
from issuer.deployment import Deployment
from issuer.operators import Operator, Operators
from issuer.tokens import Shown

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
"""``b64token`` of RFC 6750 §2.1, ``token68`` of RFC 9110 §11.2."""


def deployment_of(request: Request) -> Deployment:
    """Return the deployment that the application opened at start."""
    found: Deployment = request.app.state.deployment
    return found


def bearer_token(request: Request) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header (RFC 6750 §2.1); None for anything else."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def shown_by(request: Request) -> Shown | None:
    """Return the token of an ``Authorization`` header and the proofs beside it; None without a token.

    Bearer is RFC 6750 §2.1, DPoP is RFC 9449 §7.1; two ``Authorization`` headers are as good as none, and so is what
    holds characters that no token has.
    """
    scheme, _, token = ", ".join(request.headers.getlist("authorization")).partition(" ")
    token, scheme = token.strip(), scheme.lower()
    if not _TOKEN.match(token) or scheme not in {"bearer", "dpop"}:
        return None
    return Shown(token=token, is_dpop=scheme == "dpop", proofs=tuple(request.headers.getlist(dpop.HEADER)))


def count_refusal(request: Request, error: ComityError) -> None:
    """Note a refusal under its authority and endpoint; one at an authority that is not here under no name at all."""
    deployment, named = deployment_of(request), str(request.path_params.get("path", ""))
    authority = named if named in deployment.authorities else ""  # or whoever asks could fill the tables with names
    deployment.refusals.note(error, endpoint=endpoint_of(request), scope=authority)


def operator_of(request: Request) -> Operator:
    """Return the operator who asks.

    Raises:
        Denied: ``not_authenticated``.
    """
    token = bearer_token(request)
    if token is None:
        raise Denied(Code.NOT_AUTHENTICATED, "an operator token is needed")
    operators: Operators = request.app.state.operators
    return operators.authenticate(token)
