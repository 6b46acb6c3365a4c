"""May this issuer issue this type? Days at their borders, scope at every level, and what a compromise does."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import trust
from comity.errors import Code
from comity.trust import Answer, Decision, IssuerEntry, RegistrySnapshot
from tests.unit.trust.federation import (
    AT,
    BUSINESS,
    EXPIRES,
    ISSUED,
    LICENCE,
    PERSON,
    Documents,
    accreditation,
    federation_of,
    first_accreditation,
    ontario,
    snapshot,
    toronto,
)

W = date(2026, 6, 10)
"""The day of withdrawal in these tests."""


def decide(
    of: RegistrySnapshot,
    *,
    issued_on: date | None = ISSUED,
    at: datetime | date = AT,
    entry: IssuerEntry | None = None,
    credential_type: Any = PERSON,
) -> Decision:
    instant = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day, 12, tzinfo=UTC)
    return trust.may_issue(of, entry or ontario(of), credential_type, issued_on=issued_on, at=instant)


def outcome(decision: Decision) -> tuple[str, Code]:
    return decision.answer.value, decision.code


PASSED = ("passed", Code.OK)
KEEPS = ("passed", Code.WITHDRAWN_KEEPS_EFFECT)
WITHDRAWN = ("failed", Code.ISSUER_WITHDRAWN)
NOT_THEN = ("failed", Code.NOT_ACCREDITED_ON_ISSUE_DAY)
NOT_FOR_TYPE = ("failed", Code.NOT_ACCREDITED_FOR_TYPE)


def withdrawn(effect: str, reason: str = "mandate_ended", on: date = W) -> Callable[[Documents], None]:
    def change(documents: Documents) -> None:
        first_accreditation(documents).update(withdrawn_at=on.isoformat(), effect=effect, reason=reason)

    return change


def test_an_accredited_issuer_passes_with_the_whole_chain() -> None:
    decision = decide(snapshot(versions={"timestamp": 41, "federation.json": 7, "ca-on/issuers.json": 3}))
    assert outcome(decision) == PASSED
    assert "2026-05-01 is as stated by the issuer" in decision.detail
    assert [(link.document, link.version) for link in decision.chain] == [
        ("registry", 41),
        ("federation.json", 7),
        ("federation.json", 7),
        ("ca-on/issuers.json", 3),
    ]
    says = [link.says for link in decision.chain]
    assert says == [
        "confirmed 2026-06-01 00:00 UTC, to be believed until 2026-12-31 00:00 UTC",
        "ca-on is a member from 2026-01-01",
        "federation lets ca-on issue person/1",
        "ca-on/services: accredited for person/1 from 2026-02-01",
    ]


def test_the_chain_of_a_municipality_goes_through_its_province() -> None:
    of = snapshot()
    decision = decide(of, entry=toronto(of), credential_type=BUSINESS)
    assert outcome(decision) == PASSED
    assert [link.says for link in decision.chain[1:]] == [
        "ca-on is a member from 2026-01-01",
        "ca-on/toronto is a member from 2026-01-01",
        "federation lets ca-on issue business-licence/1",
        "ca-on lets ca-on/toronto issue business-licence/1",
        "ca-on/toronto/services: accredited for business-licence/1 from 2026-02-01",
    ]
    assert [link.document for link in decision.chain[3:]] == [
        "federation.json",
        "ca-on/issuers.json",
        "ca-on/toronto/issuers.json",
    ]


@pytest.mark.parametrize(
    ("issued_on", "expected"),
    [(date(2026, 1, 31), NOT_THEN), (date(2026, 2, 1), PASSED), (date(2026, 6, 15), PASSED)],
)
def test_the_first_day_of_an_accreditation(issued_on: date, expected: tuple[str, Code]) -> None:
    assert outcome(decide(snapshot(), issued_on=issued_on)) == expected


@pytest.mark.parametrize(
    ("effect", "issued_on", "at", "expected"),
    [
        ("keep", ISSUED, W - timedelta(days=1), PASSED),  # announced, not yet in force
        ("keep", ISSUED, W, KEEPS),  # in force from the start of its day
        ("keep", W, W, KEEPS),  # issued on that day counts as before
        ("keep", W, W + timedelta(days=30), KEEPS),
        ("keep", W + timedelta(days=1), W + timedelta(days=30), NOT_THEN),
        ("lose", ISSUED, W - timedelta(days=1), PASSED),
        ("lose", ISSUED, W, WITHDRAWN),
        ("lose", W, W + timedelta(days=30), WITHDRAWN),
        ("lose", W + timedelta(days=1), W + timedelta(days=30), WITHDRAWN),
    ],
)
@pytest.mark.clause("TR-1")
def test_the_day_of_withdrawal(effect: str, issued_on: date, at: date, expected: tuple[str, Code]) -> None:
    decision = decide(snapshot(withdrawn(effect)), issued_on=issued_on, at=at)
    assert outcome(decision) == expected
    if expected == KEEPS:
        assert "withdrawn on 2026-06-10" in decision.detail
        assert "as stated by the issuer" in decision.detail


@pytest.mark.parametrize("effect", ["keep", "lose"])
@pytest.mark.parametrize("issued_on", [ISSUED, W, W + timedelta(days=1), None])
@pytest.mark.parametrize("at", [W - timedelta(days=1), W, W + timedelta(days=1)])
def test_a_compromised_key_loses_everything(effect: str, issued_on: date | None, at: date) -> None:
    of = snapshot(withdrawn(effect, "key_compromise"))
    assert outcome(decide(of, issued_on=issued_on, at=at)) == WITHDRAWN


def test_after_a_compromise_a_new_accreditation_counts_from_its_own_first_day() -> None:
    def renew(documents: Documents) -> None:
        accreditations = documents["ca-on/issuers.json"]["issuers"][0]["accreditations"]
        accreditations.append(accreditation("person/1", "2026-06-11"))

    of = snapshot(withdrawn("keep", "key_compromise"), renew)
    assert outcome(decide(of, issued_on=date(2026, 6, 11))) == PASSED
    # An overlapping accreditation saves nothing that the compromised key can have signed.
    overlapping = snapshot(
        withdrawn("keep", "key_compromise"),
        lambda documents: documents["ca-on/issuers.json"]["issuers"][0]["accreditations"].append(
            accreditation("person/1", "2026-02-01")
        ),
    )
    assert outcome(decide(overlapping)) == WITHDRAWN
    assert outcome(decide(overlapping, issued_on=None)) == WITHDRAWN


@pytest.mark.parametrize("reason", ["key_compromise", "mandate_ended"])
def test_who_has_the_key_cannot_date_back_into_an_earlier_accreditation(reason: str) -> None:
    def earlier(documents: Documents) -> None:
        accreditations = documents["ca-on/issuers.json"]["issuers"][0]["accreditations"]
        before = accreditation("person/1", "2026-01-01")
        before |= {"withdrawn_at": "2026-01-31", "effect": "keep", "reason": "renewed"}
        accreditations.append(before)

    of = snapshot(withdrawn("keep", reason), earlier)
    expected = WITHDRAWN if reason == "key_compromise" else KEEPS
    assert outcome(decide(of, issued_on=date(2026, 1, 20), at=W + timedelta(days=30))) == expected


def test_a_compromise_reaches_the_days_between_an_end_and_the_withdrawal() -> None:
    def ended(documents: Documents) -> None:
        first = documents["ca-on/issuers.json"]["issuers"][0]["accreditations"][0]
        first |= {"until": "2026-03-01", "withdrawn_at": "2026-06-10", "effect": "lose", "reason": "key_compromise"}
        renewed = accreditation("person/1", "2026-03-02")
        documents["ca-on/issuers.json"]["issuers"][0]["accreditations"].append(renewed)

    of = snapshot(ended)
    assert outcome(decide(of, issued_on=date(2026, 4, 1))) == WITHDRAWN
    assert outcome(decide(of, issued_on=date(2026, 6, 11))) == PASSED


def test_the_best_of_several_accreditations_counts() -> None:
    def renew(documents: Documents) -> None:
        accreditations = documents["ca-on/issuers.json"]["issuers"][0]["accreditations"]
        accreditations.append(accreditation("person/1", "2026-03-01"))

    of = snapshot(withdrawn("lose"), renew)
    assert outcome(decide(of, issued_on=date(2026, 5, 1))) == PASSED
    assert outcome(decide(of, issued_on=date(2026, 2, 15))) == WITHDRAWN


def test_an_accreditation_that_ran_out_or_has_not_begun() -> None:
    of = snapshot(lambda documents: first_accreditation(documents).update(until="2026-06-14"))
    assert outcome(decide(of, at=date(2026, 6, 14))) == PASSED
    ended = decide(of, at=date(2026, 6, 15))
    assert outcome(ended) == NOT_FOR_TYPE
    assert "ended on 2026-06-14" in ended.detail
    assert outcome(decide(of, issued_on=date(2026, 6, 15), at=date(2026, 6, 14))) == NOT_THEN
    later = snapshot(lambda documents: first_accreditation(documents).update({"from": "2026-06-16"}))
    early = decide(later, issued_on=date(2026, 6, 16), at=date(2026, 6, 15))
    assert outcome(early) == NOT_FOR_TYPE
    assert "becomes accredited" in early.detail


def test_an_unstated_issue_day_is_unknown_unless_the_answer_does_not_depend_on_it() -> None:
    assert outcome(decide(snapshot(), issued_on=None)) == ("unknown", Code.ISSUE_DAY_UNKNOWN)
    assert outcome(decide(snapshot(withdrawn("keep")), issued_on=None)) == ("unknown", Code.ISSUE_DAY_UNKNOWN)
    assert outcome(decide(snapshot(withdrawn("lose")), issued_on=None)) == WITHDRAWN
    assert outcome(decide(snapshot(), issued_on=None, credential_type=BUSINESS)) == NOT_FOR_TYPE


def test_a_type_that_the_issuer_is_not_accredited_for() -> None:
    decision = decide(snapshot(), credential_type=BUSINESS)
    assert outcome(decision) == NOT_FOR_TYPE
    assert decision.chain[-1].says == "ca-on/services is not accredited for business-licence/1"


def test_a_municipality_that_accredits_itself_beyond_its_scope() -> None:
    """Scope comes from above: Toronto lists a driver's licence, Ontario never gave it that (T09, journey d)."""
    of = snapshot()
    decision = decide(of, entry=toronto(of), credential_type=LICENCE)
    assert outcome(decision) == NOT_FOR_TYPE
    assert decision.chain[-1].document == "ca-on/issuers.json"
    assert decision.detail == "ca-on does not let ca-on/toronto issue drivers-licence/1"
    granted = snapshot(
        lambda documents: documents["ca-on/issuers.json"]["delegations"].append(
            {"to": "ca-on/toronto", "types": ["drivers-licence/1"]}
        )
    )
    assert outcome(decide(granted, entry=toronto(granted), credential_type=LICENCE)) == PASSED


def test_scope_is_needed_at_every_level() -> None:
    """Ontario cannot pass on what the federation does not give it."""

    def take(documents: Documents) -> None:
        federation_of(documents)["delegations"][0]["types"].remove("business-licence/1")

    of = snapshot(take)
    decision = decide(of, entry=toronto(of), credential_type=BUSINESS)
    assert outcome(decision) == NOT_FOR_TYPE
    assert decision.detail == "federation does not let ca-on issue business-licence/1"


@pytest.mark.parametrize(("until", "expected"), [("2026-06-15", PASSED), ("2026-06-14", NOT_FOR_TYPE)])
def test_scope_ends_with_its_last_day(until: str, expected: tuple[str, Code]) -> None:
    of = snapshot(lambda documents: federation_of(documents)["delegations"][0].update(until=until))
    decision = decide(of)
    assert outcome(decision) == expected
    assert f"federation lets ca-on issue person/1 until {until}" in [link.says for link in decision.chain]


def test_of_several_grants_the_longest_counts() -> None:
    def change(documents: Documents) -> None:
        federation_of(documents)["delegations"][0]["until"] = "2026-06-01"
        federation_of(documents)["delegations"].append({"to": "ca-on", "types": ["person/1"], "until": "2026-06-30"})

    assert outcome(decide(snapshot(change))) == PASSED


def test_a_type_that_the_federation_does_not_know() -> None:
    of = snapshot(lambda documents: federation_of(documents)["types"].pop(0))
    decision = decide(of)
    assert outcome(decision) == NOT_FOR_TYPE
    assert decision.detail == "the federation has no type person/1"


@pytest.mark.parametrize(
    ("spell", "issued_on", "at", "expected"),
    [
        ({"since": "2026-06-15"}, date(2026, 6, 15), date(2026, 6, 15), PASSED),
        ({"since": "2026-06-15"}, date(2026, 6, 14), date(2026, 6, 15), NOT_THEN),
        ({"since": "2026-06-16"}, date(2026, 6, 14), date(2026, 6, 15), NOT_FOR_TYPE),
        ({"until": "2026-06-15"}, ISSUED, date(2026, 6, 15), PASSED),
        ({"until": "2026-06-14"}, ISSUED, date(2026, 6, 15), WITHDRAWN),
        ({"until": "2026-06-15"}, date(2026, 6, 16), date(2026, 6, 15), NOT_THEN),
    ],
)
@pytest.mark.parametrize("index", [0, 2], ids=["province", "municipality"])
def test_membership_at_its_borders(
    index: int, spell: dict[str, str], issued_on: date, at: date, expected: tuple[str, Code]
) -> None:
    of = snapshot(lambda documents: federation_of(documents)["members"][index].update(spell))
    decision = decide(of, entry=toronto(of), credential_type=BUSINESS, issued_on=issued_on, at=at)
    assert outcome(decision) == expected


def test_a_municipality_need_not_be_listed_but_its_province_must() -> None:
    unlisted = snapshot(lambda documents: federation_of(documents)["members"].pop(2))
    assert outcome(decide(unlisted, entry=toronto(unlisted), credential_type=BUSINESS)) == PASSED
    entry = ontario(snapshot())
    gone = snapshot(lambda documents: federation_of(documents)["members"].pop(0))
    assert gone.find_issuer(entry.identifier.id, "vc+jwt") is None
    decision = decide(gone, entry=entry)  # an entry kept from an earlier snapshot helps nobody
    assert outcome(decision) == NOT_FOR_TYPE
    assert decision.detail == "ca-on is not a member of the federation"


def test_an_expired_registry_answers_nothing() -> None:
    of = snapshot(withdrawn("lose"))
    just_before = trust.may_issue(of, ontario(of), PERSON, issued_on=ISSUED, at=EXPIRES - timedelta(seconds=1))
    assert just_before.code is Code.ISSUER_WITHDRAWN
    expired = trust.may_issue(of, ontario(of), PERSON, issued_on=ISSUED, at=EXPIRES)
    assert outcome(expired) == ("unknown", Code.REGISTRY_EXPIRED)
    assert "2026-12-31 00:00 UTC" in expired.detail


@pytest.mark.parametrize("document", ["federation.json", "ca-on/issuers.json", "ca-on/toronto/issuers.json"])
def test_one_expired_document_on_the_way_is_enough(document: str) -> None:
    of = snapshot(ends={document: AT})
    decision = trust.may_issue(of, toronto(of), BUSINESS, issued_on=ISSUED, at=AT)
    assert outcome(decision) == ("unknown", Code.REGISTRY_EXPIRED)
    assert decision.chain[-1].document == document
    earlier = trust.may_issue(of, toronto(of), BUSINESS, issued_on=ISSUED, at=AT - timedelta(seconds=1))
    assert outcome(earlier) == PASSED


def test_another_jurisdictions_expired_document_matters_to_nobody_else() -> None:
    of = snapshot(ends={"ca-on/toronto/issuers.json": AT})
    assert outcome(decide(of)) == PASSED


def test_days_are_utc_days() -> None:
    """In Vancouver it is still the day before; the registry counts in UTC."""
    evening = datetime(2026, 6, 9, 23, 0, tzinfo=timezone(timedelta(hours=-7)))  # 2026-06-10 06:00 UTC
    assert outcome(decide(snapshot(withdrawn("lose")), at=evening)) == WITHDRAWN


def test_the_same_snapshot_replays_an_earlier_day() -> None:
    of = snapshot(withdrawn("lose"))
    assert outcome(decide(of, at=W - timedelta(days=1))) == PASSED
    assert outcome(decide(of, at=W)) == WITHDRAWN


days = st.dates(date(2026, 1, 1), date(2026, 12, 30))


@given(issued_on=days, today=days, on=days, effect=st.sampled_from(["keep", "lose"]), compromised=st.booleans())
@pytest.mark.clause("TR-1")
def test_passing_means_accredited_then_and_not_lost_now(
    issued_on: date, today: date, on: date, effect: str, *, compromised: bool
) -> None:
    """The rule of house.md, stated a second time and naively."""
    of = snapshot(withdrawn(effect, "key_compromise" if compromised else "error", on))
    decision = decide(of, issued_on=issued_on, at=today)
    accredited_then = date(2026, 2, 1) <= issued_on <= on
    accredited_now = date(2026, 2, 1) <= today < on
    kept = today >= on and effect == "keep"
    expected = accredited_then and (accredited_now or kept) and not compromised
    assert (decision.answer is Answer.PASSED) is expected
    assert (decision.code is Code.WITHDRAWN_KEEPS_EFFECT) is (expected and kept)
    assert decision.chain[0].document == "registry"
