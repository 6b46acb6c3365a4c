"""Reading registry documents: what is accepted, what is refused, and that nothing else ever happens."""

import copy
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import strict_json
from comity.errors import Code, Malformed
from comity.trust import documents
from comity.trust.entries import Accreditation, Member, ScopeGrant
from tests.unit.trust.federation import BASE, accreditation, anchored, did_identifier, member, name

PARSERS: dict[str, Callable[[Any], Any]] = {
    "federation": documents.parse_federation,
    "issuers": documents.parse_issuers,
    "verifiers": documents.parse_verifiers,
    "recognition": documents.parse_recognition,
}
RULE = {
    "jurisdiction": "ca-on",
    "type": "person/1",
    "accept": False,
    "purpose": "age_alcohol",
    "reference": "O. Reg. 1/26",
}


def good(kind: str) -> dict[str, Any]:
    found = {"federation": "federation.json", "issuers": "ca-on/issuers.json", "verifiers": "ca-bc/verifiers.json"}
    return copy.deepcopy(BASE[found[kind]]) if kind in found else {"narrow": [dict(RULE)]}


def test_federation_is_read() -> None:
    read = documents.parse_federation(strict_json.serialise(good("federation")))
    assert read.name == {"en": "Demo registry", "fr": "Registre démo"}
    assert [each.id for each in read.members] == ["ca-on", "ca-bc", "ca-on/toronto"]
    assert read.member("ca-on") == Member(
        id="ca-on", name={"en": "ca-on", "fr": "ca-on"}, level="province", since=date(2026, 1, 1), until=None
    )
    assert read.member("ca-qc") is None
    record = read.type_record("person/1")
    assert record is not None
    assert (record.vct, record.digest) == ("https://types.comity.example/person/1", "0" * 64)
    assert read.type_record("person/2") is None
    assert read.delegations[1] == ScopeGrant(to="ca-bc", types=frozenset({"person/1"}), until=None)
    assert read.recognition_default == "members"


def test_federation_without_name_and_default() -> None:
    value = good("federation")
    del value["name"], value["recognition_default"]
    read = documents.parse_federation(value)
    assert (read.name, read.recognition_default) == (None, None)


def test_issuers_are_read() -> None:
    value = good("issuers")
    value["issuers"][0]["accreditations"] = [
        accreditation("person/1", until="2027-01-01", withdrawn_at="2026-06-01", effect="keep", reason="mandate_ended")
    ]
    value["issuers"][0]["status_signers"] = [
        {"format": "statuslist+jwt", "uri_prefix": "https://s.example/a", "mechanism": "x5c", **anchored("a")},
        {**did_identifier("did:web:s.example"), "uri_prefix": "https://s.example/b"},
    ]
    (entry,) = documents.parse_issuers(value).issuers
    assert entry.accreditations == (
        Accreditation(
            type="person/1",
            since=date(2026, 2, 1),
            until=date(2027, 1, 1),
            withdrawn_at=date(2026, 6, 1),
            effect="keep",
            reason="mandate_ended",
        ),
    )
    x5c, did = entry.identifiers
    assert (x5c.mechanism, x5c.anchor_sha256, x5c.key_thumbprints) == (
        "x5c",
        anchored("ontario anchor")["anchor_sha256"],
        (),
    )
    assert (did.mechanism, did.anchor, did.key_thumbprints) == ("did", None, ("A" * 43,))
    by_chain, by_did = entry.status_signers
    assert (by_chain.uri_prefix, by_chain.id, by_chain.anchor) == ("https://s.example/a", "", anchored("a")["anchor"])
    assert (by_did.id, by_did.key_thumbprints) == ("did:web:s.example", ("A" * 43,))


def test_verifiers_are_read() -> None:
    (read,) = documents.parse_verifiers(good("verifiers"))
    assert read.name["fr"] == "Bar de Vancouver"
    assert read.may_ask[0].claims == {"age_over_19", "portrait"}
    assert [each.purpose for each in read.may_ask] == ["age_alcohol", "employment", None]


def test_recognition_is_read() -> None:
    value = good("recognition")
    value["narrow"].append({"accept": True})
    full, bare = documents.parse_recognition(value)
    assert (full.jurisdiction, full.type, full.purpose, full.accept, full.reference) == (
        "ca-on",
        "person/1",
        "age_alcohol",
        False,
        "O. Reg. 1/26",
    )
    assert (bare.jurisdiction, bare.type, bare.purpose, bare.accept, bare.reference) == (None, None, None, True, "")


def change(path: str, value: Any) -> Callable[[Any], None]:
    """Return a change that sets (or, for ``...``, deletes) the member at a dotted path."""

    def apply(document: Any) -> None:
        *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
        for step in way:
            document = document[step]
        if value is ...:
            del document[last]
        elif isinstance(document, list) and last == len(document):
            document.append(value)
        else:
            document[last] = value

    return apply


WITHDRAWN = {"withdrawn_at": "2026-03-01", "effect": "keep", "reason": "mandate_ended"}

REFUSED: list[tuple[str, str, Any]] = [
    ("federation", "version", 2),
    ("federation", "version", True),
    ("federation", "members", ...),
    ("federation", "extra", 1),
    ("federation", "members.0.id", "CA-ON"),
    ("federation", "members.0.id", "ca-on\n"),
    ("federation", "members.0.id", "ca-on/../ca-bc"),
    ("federation", "members.0.since", "2026-02-30"),
    ("federation", "members.0.since", "2026-01-01T00:00:00Z"),
    ("federation", "members.0.since", "٢٠٢٦-01-01"),
    ("federation", "members.0.until", "2025-12-31"),
    ("federation", "members.0.level", "empire"),
    ("federation", "members.0.name", {"en": "only English"}),
    ("federation", "members.3", member("ca-on")),
    ("federation", "types.3", {"id": "person/1", "vct": "https://other.example", "digest": "0" * 64}),
    ("federation", "types.3", {"id": "person/9", "vct": "https://types.comity.example/person/1", "digest": "0" * 64}),
    ("federation", "types.0.digest", "0" * 63),
    ("federation", "delegations.0.types", ["*"]),
    ("federation", "delegations.0.types", []),
    ("federation", "delegations.0.until", "tomorrow"),
    ("federation", "recognition_default", {"accept": "all"}),
    ("issuers", "issuers.0.authority", "ca-on"),
    ("issuers", "issuers.0.authority", "ca-on/../services"),
    ("issuers", "issuers.0.identifiers", []),
    ("issuers", "issuers.0.identifiers.0.format", "mso_mdoc"),
    ("issuers", "issuers.0.identifiers.0.id", "http:/one-slash"),
    ("issuers", "issuers.0.identifiers.0.anchor", ...),
    ("issuers", "issuers.0.identifiers.0.anchor", anchored("another")["anchor"]),
    ("issuers", "issuers.0.identifiers.0.anchor", "AAA"),
    ("issuers", "issuers.0.identifiers.0.key_thumbprints", ["A" * 43]),
    ("issuers", "issuers.0.identifiers.0.mechanism", "did"),
    ("issuers", "issuers.0.identifiers.1.key_thumbprints", ...),
    ("issuers", "issuers.0.identifiers.1.id", "https://not.a.did"),
    ("issuers", "issuers.0.accreditations.0.until", "2026-01-31"),
    ("issuers", "issuers.0.accreditations.0.withdrawn_at", "2026-03-01"),
    ("issuers", "issuers.0.accreditations.0.effect", "keep"),
    ("issuers", "issuers.0.accreditations.0", {**accreditation("person/1"), **WITHDRAWN, "effect": "maybe"}),
    ("issuers", "issuers.0.accreditations.0", {**accreditation("person/1"), **WITHDRAWN, "reason": "Because I said"}),
    ("issuers", "issuers.1", BASE["ca-on/issuers.json"]["issuers"][0]),
    ("verifiers", "verifiers.0.client_ids", []),
    ("verifiers", "verifiers.0.client_ids", ["has space"]),
    ("verifiers", "verifiers.0.anchor_sha256", "0" * 64),
    ("verifiers", "verifiers.0.anchor", ...),
    ("verifiers", "verifiers.0.may_ask.0.claims", []),
    ("verifiers", "verifiers.0.may_ask.0.claims", ["Age Over"]),
    ("recognition", "narrow.0.accept", "no"),
    ("recognition", "narrow.0.accept", ...),
    ("recognition", "narrow.0.jurisdiction", "us-ny"),
]


@pytest.mark.parametrize(("kind", "path", "value"), REFUSED)
def test_one_thing_wrong_refuses_the_document(kind: str, path: str, value: Any) -> None:
    document = good(kind)
    PARSERS[kind](strict_json.serialise(document))  # the good twin
    change(path, value)(document)
    with pytest.raises(Malformed) as refused:
        PARSERS[kind](strict_json.serialise(document))
    assert refused.value.code is Code.REGISTRY_INVALID


def test_a_span_may_be_one_day_long() -> None:
    federation = good("federation")
    federation["members"][0]["until"] = federation["members"][0]["since"]
    assert documents.parse_federation(federation).members[0].until == date(2026, 1, 1)
    issuers = good("issuers")
    issuers["issuers"][0]["accreditations"][0]["until"] = "2026-02-01"
    assert documents.parse_issuers(issuers).issuers[0].accreditations[0].last_day == date(2026, 2, 1)


def test_a_verifier_needs_some_key() -> None:
    document = good("verifiers")
    del document["verifiers"][0]["anchor"], document["verifiers"][0]["anchor_sha256"]
    with pytest.raises(Malformed):
        documents.parse_verifiers(document)
    document["verifiers"][0]["key_thumbprints"] = ["B" * 43]
    assert documents.parse_verifiers(document)[0].key_thumbprints == ("B" * 43,)


def test_the_refusal_names_the_place_but_no_value() -> None:
    document = good("federation")
    document["members"][1]["since"] = "a-very-secret-value"
    with pytest.raises(Malformed) as refused:
        documents.parse_federation(document)
    assert "members/1/since" in refused.value.detail
    assert "secret" not in refused.value.detail


def test_duplicate_members_and_size_are_refused() -> None:
    with pytest.raises(Malformed) as twice:
        documents.parse_recognition(b'{"narrow": [], "narrow": []}')
    assert twice.value.code is Code.DUPLICATE_MEMBER
    with pytest.raises(Malformed) as large:
        documents.parse_recognition(b'{"narrow": []}' + b" " * documents.MAX_DOCUMENT_BYTES)
    assert large.value.code is Code.TOO_LARGE


@pytest.mark.parametrize(("day", "expected"), [(1, False), (2, True), (4, True), (5, False)])
def test_membership_covers_its_first_and_last_day(day: int, expected: bool) -> None:
    spell = Member(id="ca-on", name=name("x"), level="province", since=date(2026, 1, 2), until=date(2026, 1, 4))
    assert spell.is_member_on(date(2026, 1, day)) is expected


@pytest.mark.parametrize(("to", "type_id", "day", "expected"), [
    ("ca-on", "person/1", 4, True),
    ("ca-on", "person/1", 5, False),
    ("ca-bc", "person/1", 4, False),
    ("ca-on", "person/2", 4, False),
])  # fmt: skip
def test_a_grant_covers_jurisdiction_type_and_days(to: str, type_id: str, day: int, expected: bool) -> None:
    grant = ScopeGrant(to="ca-on", types=frozenset({"person/1"}), until=date(2026, 1, 4))
    assert grant.covers(to, type_id, date(2026, 1, day)) is expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(kind: str, data: bytes) -> None:
    with pytest.raises(Malformed):
        PARSERS[kind](data)


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_any_change_of_a_good_document_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    document = good(kind)
    holder: Any = document
    while True:  # walk to a random member and put a random value there
        choices = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        step = data.draw(st.sampled_from(choices))
        if isinstance(holder[step], dict | list) and holder[step] and data.draw(st.booleans()):
            holder = holder[step]
            continue
        holder[step] = data.draw(json_values)
        break
    encoded = strict_json.serialise(document)
    try:
        read = PARSERS[kind](encoded)
    except Malformed:
        return
    assert read is not None
