"""What a counter shows about one check: a signal, the words' codes, every check, how old the copies were.

A report goes in, a smaller JSON document comes out: without the holder's key, without the registry's chain, and with
only those values that were asked for (and, for a scan, the name to compare with a photo identity document).
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

import schemas
from comity import dcql
from comity.credential import CredentialType, Format
from comity.errors import Code
from comity.verification.checks import Verdict
from verifier.presets import Preset

NAMES = ("given_names", "family_name", "latin_name")
"""Shown for a scan: nothing but a look at the person and a photo binds the document to them."""


class Signal(StrEnum):
    """The colour of the screen; never alone, always with a word and a sign.

    Green only for an accepted presentation by the holder's own wallet. Red when a check failed. Amber for everything
    that is not known: undetermined, declined, or a genuine document that anybody could have brought.
    """

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Means(StrEnum):
    """How the credential came."""

    WALLET = "wallet"
    SCAN = "scan"


def signal_of(verdict: str, codes: list[str], means: Means) -> Signal:
    """Return the signal for a verdict; anything unforeseen is amber."""
    if verdict == Verdict.REJECTED:
        return Signal.AMBER if codes == [Code.WALLET_REFUSED.value] else Signal.RED
    is_green = verdict == Verdict.ACCEPTED and means is Means.WALLET
    return Signal.GREEN if is_green else Signal.AMBER


def view(report: Mapping[str, Any], preset: Preset | None, means: Means) -> dict[str, Any]:
    """Return what a counter keeps of a report for its page.

    Args:
        report: the report as :mod:`comity.verification.report` writes it, with ``registry_read_at`` beside; or what is
            left of one that was erased.
        preset: what was asked; None when the place no longer has such a rule.
        means: how the credential came.
    """
    codes = [str(code) for code in report["codes"]]
    claims = report.get("claims", {})
    return {
        "signal": signal_of(report["verdict"], codes, means).value,
        "verdict": report["verdict"],
        "code": _code(report["verdict"], codes, means),
        "registry_at": report.get("registry_read_at"),
        "checks": [_check(each) for each in report.get("checks", ())],
        "credentials": [_credential(each, claims, preset, means) for each in report.get("credentials", ())],
    }


def issuer_of(shown: Mapping[str, Any]) -> str:
    """Return the authorities whose keys verified, for the history; empty when none did."""
    return ", ".join(dict.fromkeys(each["authority"] for each in shown["credentials"] if each["authority"]))


@cache
def type_id_of(name: str) -> str:
    """Return ``person/1`` for the name by which a credential calls its type; empty when it is none of ours."""
    for slug, version in schemas.all_types():
        kind = CredentialType(slug=slug, version=version)
        if any(name in (kind.vct, *dcql.type_names(each, kind)) for each in (Format.DC_SD_JWT, Format.VC_JWT)):
            return f"{slug}/{version}"
    return ""


def _code(verdict: str, codes: list[str], means: Means) -> str:
    if verdict == Verdict.ACCEPTED:
        return Code.HELD_WITHOUT_PROOF.value if means is Means.SCAN else Code.OK.value
    return codes[0] if codes else Code.INTERNAL.value


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    return {name: check[name] for name in ("name", "outcome", "code")}


def _credential(
    each: Mapping[str, Any], claims: Mapping[str, Any], preset: Preset | None, means: Means
) -> dict[str, Any]:
    about, type_id = each["about"], type_id_of(each["type"])
    disclosed: Mapping[str, Any] = next(iter(claims.get(each["query_id"], [])), {})
    return {
        "type_id": type_id,
        "authority": about.get("authority", ""),
        "issuer_name": about.get("issuer_name"),
        "checks": [_check(check) for check in each["checks"]],
        "status_at": min(_list_times(each), default=None),
        "claims": [
            {"claim": name, "value": disclosed[name]}
            for name in _shown_claims(type_id, preset, means)
            if name in disclosed
        ],
    }


def _shown_claims(type_id: str, preset: Preset | None, means: Means) -> tuple[str, ...]:
    asked = next((each.claims for each in preset.asked if each.type_id == type_id), ()) if preset else ()
    return tuple(dict.fromkeys((*(NAMES if means is Means.SCAN else ()), *asked)))


def _list_times(each: Mapping[str, Any]) -> Iterator[str]:
    for check in each["checks"]:
        for fact in check["facts"].get("lists", ()):
            yield str(fact["fetched_at"])
