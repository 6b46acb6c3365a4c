"""Does a place give effect to it? Own rules, the default, and honest ignorance."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import trust
from comity.errors import Code
from comity.trust import Decision
from comity.trust.documents import parse_recognition
from tests.unit.trust.federation import AT, EXPIRES, LICENCE, PERSON, Documents, federation_of, snapshot

BY_DEFAULT = ("passed", Code.RECOGNISED_BY_DEFAULT)
ACCEPTED = ("passed", Code.OK)
REFUSED = ("failed", Code.NOT_RECOGNISED_IN_PLACE)
UNKNOWN = ("unknown", Code.RECOGNITION_UNKNOWN)


def ask(*changes: Callable[[Documents], object], **more: Any) -> Decision:
    arguments = {"place": "ca-bc", "jurisdiction": "ca-on", "type": PERSON, "purpose": None, "at": AT, **more}
    of = arguments.pop("of", None) or snapshot(*changes)
    return trust.recognises(
        of,
        arguments["place"],
        arguments["jurisdiction"],
        arguments["type"],
        at=arguments["at"],
        purpose=arguments["purpose"],
    )


def outcome(decision: Decision) -> tuple[str, Code]:
    return decision.answer.value, decision.code


def rules(*narrow: dict[str, Any], place: str = "ca-bc") -> Callable[[Documents], None]:
    return lambda documents: documents.update({f"{place}/recognition.json": {"narrow": list(narrow)}})


def default(accept: str | None) -> Callable[[Documents], None]:
    def change(documents: Documents) -> None:
        federation_of(documents).pop("recognition_default")
        if accept:
            federation_of(documents)["recognition_default"] = {"accept": accept}

    return change


@pytest.mark.parametrize("place", ["ca-bc", "CA-BC", "CA-AB", "ca-qc", "CA", "ca-nu"])
def test_the_default_answers_for_every_place_and_is_named(place: str) -> None:
    decision = ask(place=place)
    assert outcome(decision) == BY_DEFAULT
    assert "recognition_default (members)" in decision.detail
    assert "recognition_default accept: members" in [link.says for link in decision.chain]
    assert "ca-on is a member from 2026-01-01" in [link.says for link in decision.chain]


@pytest.mark.parametrize("place", ["US-NY", "", "ca-on/toronto", "Ontario", "ca-xx"])
def test_what_is_no_canadian_place_is_not_answered(place: str) -> None:
    assert outcome(ask(place=place)) == ("unknown", Code.PLACE_UNKNOWN)


def test_without_a_default_nothing_is_assumed() -> None:
    assert outcome(ask(default(None))) == UNKNOWN


def test_a_default_of_none_accepts_nothing() -> None:
    assert outcome(ask(default("none"))) == REFUSED


def test_the_default_covers_members_only() -> None:
    assert outcome(ask(jurisdiction="ca-ns")) == REFUSED
    left = ask(lambda documents: federation_of(documents)["members"][0].update(until="2026-06-14"))
    assert outcome(left) == REFUSED
    stays = ask(lambda documents: federation_of(documents)["members"][0].update(until="2026-06-15"))
    assert outcome(stays) == BY_DEFAULT


@pytest.mark.parametrize("accept", ["members", "none", None])
@pytest.mark.parametrize("jurisdiction", ["ca-on", "ca-on/toronto"])
def test_a_place_gives_effect_to_its_own_acts(accept: str | None, jurisdiction: str) -> None:
    assert outcome(ask(default(accept), place="ca-on", jurisdiction=jurisdiction)) == ACCEPTED


def test_its_own_rule_comes_before_the_default() -> None:
    decision = ask(rules({"jurisdiction": "ca-on", "type": "person/1", "accept": False, "reference": "BC Reg 5"}))
    assert outcome(decision) == REFUSED
    assert decision.chain[-1].document == "ca-bc/recognition.json"
    assert "BC Reg 5" in decision.detail
    other_type = ask(rules({"jurisdiction": "ca-on", "type": "person/1", "accept": False}), type=LICENCE)
    assert outcome(other_type) == BY_DEFAULT
    other_place = ask(rules({"jurisdiction": "ca-on", "type": "person/1", "accept": False}), place="ca-ab")
    assert outcome(other_place) == BY_DEFAULT


def test_its_own_rule_also_answers_where_the_default_would_not() -> None:
    decision = ask(default(None), rules({"jurisdiction": "ca-on", "accept": True}))
    assert outcome(decision) == ACCEPTED
    assert decision.chain[-1].says == "accepts it"


def test_a_place_may_refuse_what_its_own_municipality_issues() -> None:
    change = rules({"jurisdiction": "ca-on/toronto", "accept": False}, place="ca-on")
    assert outcome(ask(change, place="ca-on", jurisdiction="ca-on/toronto")) == REFUSED
    assert outcome(ask(change, place="ca-on", jurisdiction="ca-on")) == ACCEPTED


def test_a_rule_about_a_province_covers_its_municipalities_until_a_narrower_one() -> None:
    broad = {"jurisdiction": "ca-on", "accept": False}
    assert outcome(ask(rules(broad), jurisdiction="ca-on/toronto")) == REFUSED
    narrow = {"jurisdiction": "ca-on/toronto", "accept": True}
    assert outcome(ask(rules(broad, narrow), jurisdiction="ca-on/toronto")) == ACCEPTED
    assert outcome(ask(rules(broad, narrow), jurisdiction="ca-on/peel")) == REFUSED


@pytest.mark.parametrize(
    ("narrower", "broader"),
    [
        ({"jurisdiction": "ca-on"}, {}),
        ({"type": "person/1"}, {}),
        ({"purpose": "age_alcohol"}, {}),
        ({"jurisdiction": "ca-on"}, {"type": "person/1"}),
        ({"type": "person/1"}, {"purpose": "age_alcohol"}),
        ({"jurisdiction": "ca-on", "type": "person/1"}, {"jurisdiction": "ca-on", "purpose": "age_alcohol"}),
    ],
)
@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_the_narrower_rule_decides(narrower: dict[str, Any], broader: dict[str, Any], order: int, accept: bool) -> None:
    pair = [{**narrower, "accept": accept}, {**broader, "accept": not accept}]
    expected = ACCEPTED if accept else REFUSED
    assert outcome(ask(rules(*pair[::order]), purpose="age_alcohol")) == expected


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_equally_narrow_rules_the_refusal_decides(order: int) -> None:
    pair = [{"jurisdiction": "ca-on", "accept": True}, {"jurisdiction": "ca-on", "accept": False}]
    assert outcome(ask(rules(*pair[::order]))) == REFUSED


def test_purposes() -> None:
    only_employment = rules({"type": "person/1", "accept": False, "purpose": "age_alcohol"})
    assert outcome(ask(only_employment, purpose="age_alcohol")) == REFUSED
    assert outcome(ask(only_employment, purpose="employment")) == BY_DEFAULT
    unstated = ask(only_employment, purpose=None)
    assert outcome(unstated) == UNKNOWN
    assert "purpose" in unstated.detail
    # A refusal for one purpose that a narrower rule overrides never bites, so nothing is unknown.
    overridden = rules(
        {"accept": False, "purpose": "age_alcohol"}, {"jurisdiction": "ca-on", "type": "person/1", "accept": True}
    )
    assert outcome(ask(overridden, purpose=None)) == ACCEPTED
    # Accepted for one purpose only: without a purpose the general refusal stands.
    medical = rules({"accept": False}, {"accept": True, "purpose": "medical"})
    assert outcome(ask(medical, purpose="medical")) == ACCEPTED
    assert outcome(ask(medical, purpose=None)) == REFUSED


def test_rules_that_are_listed_but_unreadable_are_not_replaced_by_the_default() -> None:
    def spoil(documents: Documents) -> None:
        documents["ca-bc/recognition.json"] = {"narrow": "all of it"}

    decision = ask(spoil)
    assert outcome(decision) == UNKNOWN
    assert outcome(ask(spoil, place="ca-ab")) == BY_DEFAULT
    too_large = ask(of=snapshot(unreadable=["ca-bc/recognition.json"]))
    assert outcome(too_large) == UNKNOWN


def test_an_expired_registry_answers_nothing() -> None:
    assert outcome(ask(at=EXPIRES)) == ("unknown", Code.REGISTRY_EXPIRED)
    assert outcome(ask(at=EXPIRES - timedelta(seconds=1))) == BY_DEFAULT
    assert outcome(ask(of=snapshot(ends={"ca-bc/recognition.json": AT}))) == ("unknown", Code.REGISTRY_EXPIRED)
    assert outcome(ask(of=snapshot(ends={"ca-ab/recognition.json": AT}))) == BY_DEFAULT


optional = {
    "jurisdiction": st.sampled_from(["ca-on", "ca-on/toronto", "ca-bc", "ca"]),
    "type": st.sampled_from(["person/1", "drivers-licence/1"]),
    "purpose": st.sampled_from(["age_alcohol", "employment"]),
}
any_rule = st.fixed_dictionaries({"accept": st.booleans()}, optional=optional)


UNRULED = snapshot()


def ask_under(narrow: list[dict[str, Any]], purpose: str | None) -> Decision:
    own = {"ca-bc": parse_recognition({"narrow": narrow})}
    return ask(of=dataclasses.replace(UNRULED, _recognition=own), purpose=purpose)


@given(narrow=st.lists(any_rule, max_size=5), purpose=st.sampled_from([None, "age_alcohol", "employment", "other"]))
def test_adding_a_refusal_never_makes_it_pass(narrow: list[dict[str, Any]], purpose: str | None) -> None:
    before = ask_under(narrow, purpose)
    after = ask_under([*narrow, {"accept": False}], purpose)
    assert not (before.answer.value != "passed" and after.answer.value == "passed")
    assert ask_under(narrow[::-1], purpose).code is before.code
