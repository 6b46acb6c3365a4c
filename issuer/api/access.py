"""What every route needs: the deployment behind it, and the bearer token in front."""

from fastapi import Request

from comity.errors import Code, Denied
from issuer.deployment import Deployment
from issuer.operators import Operator, Operators


def deployment_of(request: Request) -> Deployment:
    """Return the deployment that the application opened at start."""
    found: Deployment = request.app.state.deployment
    return found


def bearer_token(request: Request) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header (RFC 6750 §2.1); None for anything else."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


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
