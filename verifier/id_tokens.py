"""What a website is told of a presentation: the claims that its policy asked for, and a name that says no more.

``sub`` is a new random one at each sign-in (decision record 0038). Where the operator set it so, it is made of one
disclosed number by a secret of that website: the same person is the same there, and somebody else elsewhere.
"""

import hmac
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from comity import base64url, dcql, strict_json
from comity.errors import Code, Denied
from comity.openid.provider import RESERVED

ACR = "urn:comity:presented:"
"""Before the policy's name: what was asked is part of what a website checks."""
AMR = ("pop",)
"""RFC 8176: possession of a key was proven, the one in the person's wallet."""
_MISSING = object()


def acr_of(policy: str) -> str:
    """Return the ``acr`` of a sign-in by this policy."""
    return ACR + policy


def claims_of(report: Mapping[str, Any], query: dcql.Query) -> dict[str, Any]:
    """Return the disclosed claims that were asked for, by name.

    Left out, rather than told ambiguously, are a name that two credentials fill differently and the names that mean
    something in every token.

    Args:
        report: that of an accepted presentation (:mod:`comity.verification.report`).
        query: what was asked.
    """
    asked = {each.id: {str(part) for claim in each.claims for part in claim.path} for each in query.credentials}
    found: dict[str, Any] = {}
    ambiguous: set[str] = set(RESERVED)
    for credential, disclosed in _presented(report):
        for name, value in disclosed.items():
            if name not in asked.get(credential["query_id"], ()):
                continue
            if found.setdefault(name, value) != value:
                ambiguous.add(name)
    return {name: value for name, value in found.items() if name not in ambiguous}


def subject_of(report: Mapping[str, Any], claim: str, salt: bytes) -> str:
    """Return the ``sub`` of a sign-in (OpenID Connect Core 1.0 §8.1: not reversible, another one at each website).

    Args:
        report: that of an accepted presentation.
        claim: the number that it is made of; empty for a random one.
        salt: the website's secret bytes.

    Raises:
        Denied: ``claims_invalid``: not exactly one presented credential states that number as text.
    """
    if not claim:
        return base64url.encode(secrets.token_bytes(32))
    stated = [
        [credential["about"].get("authority", ""), credential["type"], claim, value]
        for credential, disclosed in _presented(report)
        if (value := disclosed.get(claim, _MISSING)) is not _MISSING
    ]
    if len(stated) != 1 or not isinstance(stated[0][3], str) or not stated[0][3] or not stated[0][0]:
        raise Denied(Code.CLAIMS_INVALID, "the presented credential does not state the number that names the person")
    return base64url.encode(hmac.digest(salt, strict_json.serialise(stated[0]), "sha256"))


def _presented(report: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each credential of a report with the claims that it disclosed; both are in the order of presentation."""
    left = {query_id: iter(claims) for query_id, claims in report.get("claims", {}).items()}
    for credential in report["credentials"]:
        yield credential, next(left.get(credential["query_id"], iter(())), {})
