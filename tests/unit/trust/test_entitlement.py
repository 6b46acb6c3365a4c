"""May this verifier ask for that?"""

from collections.abc import Callable, Collection
from datetime import timedelta

import pytest

from comity import trust
from comity.credential import CredentialType
from comity.errors import Code
from comity.trust import Decision
from tests.unit.trust.federation import (
    AT,
    BUSINESS,
    EXPIRES,
    LICENCE,
    PERSON,
    Documents,
    bar,
    federation_of,
    snapshot,
)

Asked = dict[CredentialType | None, Collection[str]]

ENTITLED = ("passed", Code.OK)
NOT_ENTITLED = ("failed", Code.VERIFIER_NOT_ENTITLED)


def ask(claims: Asked, purpose: str | None, *changes: Callable[[Documents], object]) -> tuple[str, Code]:
    of = snapshot(*changes)
    decision = trust.may_ask(of, bar(of), claims, purpose, at=AT)
    return decision.answer.value, decision.code


@pytest.mark.parametrize(
    ("claims", "purpose", "expected"),
    [
        ({PERSON: ["age_over_19"]}, "age_alcohol", ENTITLED),
        ({PERSON: ["age_over_19", "portrait"]}, "age_alcohol", ENTITLED),
        ({PERSON: ["age_over_19", "given_names"]}, "age_alcohol", ENTITLED),  # entitlements add up
        ({PERSON: ["birthdate"]}, "age_alcohol", NOT_ENTITLED),
        ({PERSON: ["age_over_19", "birthdate"]}, "age_alcohol", NOT_ENTITLED),
        ({PERSON: ["age_over_19"]}, "employment", NOT_ENTITLED),
        ({PERSON: ["given_names"]}, "employment", ENTITLED),  # that one is for any purpose
        ({LICENCE: ["class"]}, "employment", ENTITLED),
        ({LICENCE: ["class"]}, "age_alcohol", NOT_ENTITLED),
        ({LICENCE: ["class"], PERSON: ["given_names"]}, "employment", ENTITLED),
        ({LICENCE: ["class"], PERSON: ["age_over_19"]}, "employment", NOT_ENTITLED),
        ({BUSINESS: []}, "age_alcohol", NOT_ENTITLED),  # asking for the type as such
        ({PERSON: []}, "age_alcohol", ENTITLED),
        ({PERSON: ["age_over_19"]}, None, ENTITLED),
        ({LICENCE: ["class"]}, None, ENTITLED),
        ({LICENCE: ["class"], PERSON: ["age_over_19"]}, None, NOT_ENTITLED),  # no one purpose covers both
        ({PERSON: ["birthdate"]}, None, NOT_ENTITLED),
        ({None: ["age_over_19"]}, None, NOT_ENTITLED),  # of whatever type
        ({None: [], PERSON: ["age_over_19"]}, "age_alcohol", NOT_ENTITLED),
    ],
)
def test_claims_and_purposes(claims: Asked, purpose: str | None, expected: tuple[str, Code]) -> None:
    assert ask(claims, purpose) == expected


def test_entitlements_for_any_purpose_only() -> None:
    def strip(documents: Documents) -> None:
        del documents["ca-bc/verifiers.json"]["verifiers"][0]["may_ask"][:2]

    assert ask({PERSON: ["given_names"]}, None, strip) == ENTITLED
    assert ask({PERSON: ["age_over_19"]}, None, strip) == NOT_ENTITLED


def test_the_chain_names_the_verifiers_document() -> None:
    of = snapshot(versions={"ca-bc/verifiers.json": 9})
    decision: Decision = trust.may_ask(of, bar(of), {PERSON: ["age_over_19"]}, None, at=AT)
    assert (decision.chain[-1].document, decision.chain[-1].version) == ("ca-bc/verifiers.json", 9)
    assert "age_alcohol" in decision.detail
    refused = trust.may_ask(of, bar(of), {PERSON: ["birthdate"]}, None, at=AT)
    assert refused.chain[-1].document == "ca-bc/verifiers.json"


def test_only_while_its_jurisdiction_is_a_member() -> None:
    def leave(documents: Documents) -> None:
        federation_of(documents)["members"][1]["until"] = "2026-06-14"

    assert ask({PERSON: ["age_over_19"]}, "age_alcohol", leave) == NOT_ENTITLED


def test_an_expired_registry_answers_nothing() -> None:
    of = snapshot()
    claims: Asked = {PERSON: ["age_over_19"]}
    assert trust.may_ask(of, bar(of), claims, None, at=EXPIRES).code is Code.REGISTRY_EXPIRED
    assert trust.may_ask(of, bar(of), claims, None, at=EXPIRES - timedelta(seconds=1)).code is Code.OK
    ended = snapshot(ends={"ca-bc/verifiers.json": AT})
    decision = trust.may_ask(ended, bar(ended), claims, None, at=AT)
    assert (decision.answer.value, decision.code) == ("unknown", Code.REGISTRY_EXPIRED)
