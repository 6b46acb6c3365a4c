"""A result as a JSON document: what services answer, what ``--json`` prints and what the terminal view reads."""

from typing import Any

from comity.verification.checks import Check, CredentialResult, Result, Verdict


def document(result: Result, *, with_claims: bool = True) -> dict[str, Any]:
    """Return ``result`` as JSON values.

    Members: ``verdict``, ``codes`` (of everything that failed or is unknown), ``credentials`` and ``checks`` (over
    all of them), each check as ``{name, outcome, code, detail, facts}``. ``claims`` (by query id, a list, since a
    query may ask for several) is there only for an accepted result, and only when ``with_claims``.
    """
    answer: dict[str, Any] = {
        "verdict": result.verdict.value,
        "codes": [code.value for code in result.codes],
        "credentials": [_credential(each) for each in result.credentials],
        "checks": [_check(each) for each in result.checks],
    }
    if with_claims and result.verdict is Verdict.ACCEPTED:
        answer["claims"] = {query_id: list(claims) for query_id, claims in result.claims().items()}
    return answer


def _credential(credential: CredentialResult) -> dict[str, Any]:
    return {
        "query_id": credential.query_id,
        "format": credential.format,
        "issuer": credential.issuer,
        "type": credential.credential_type,
        "verdict": credential.verdict.value,
        "about": dict(credential.about),
        "checks": [_check(each) for each in credential.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name.value,
        "outcome": check.outcome.value,
        "code": check.code.value,
        "detail": check.detail,
        "required": check.required,
        "facts": dict(check.facts),
    }
