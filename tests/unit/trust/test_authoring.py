"""Edits of the documents: what each changes, what it refuses, and that what it makes can be read."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from comity.errors import Code, ComityError, Conflict, Malformed, NotFound
from comity.trust import authoring
from tests.unit.trust.federation import BASE, Documents, accreditation, anchored, did_identifier, name


def edited(edit: dict[str, Any], documents: Documents | None = None) -> tuple[str, Any]:
    """Return the one document that ``edit`` changes, and what it becomes."""
    before = copy.deepcopy(documents or BASE)
    untouched = copy.deepcopy(before)
    ((document, value),) = authoring.apply(before, edit).items()
    assert before == untouched  # nothing is changed in place
    return document, value


def test_a_new_federation_is_empty_and_readable() -> None:
    made = authoring.new_federation(name_en="Demo", name_fr="Démo")
    assert made["name"] == {"en": "Demo", "fr": "Démo"}
    assert made["recognition_default"] == {"accept": "members"}
    assert "recognition_default" not in authoring.new_federation(name_en="D", name_fr="D", recognition_default=None)
    with pytest.raises(Malformed):
        authoring.new_federation(name_en="Demo", name_fr="Démo", recognition_default="everyone")


NOVA_SCOTIA = {
    "edit": "member",
    "id": "ca-ns",
    "name": name("Nova Scotia", "Nouvelle-Écosse"),
    "level": "province",
    "since": "2026-06-01",
}


def test_a_member_joins_and_leaves() -> None:
    document, value = edited(NOVA_SCOTIA)
    assert document == "federation.json"
    assert value["members"][-1] == {key: NOVA_SCOTIA[key] for key in ("id", "name", "level", "since")}
    _, left = edited({"edit": "end_member", "id": "ca-on", "until": "2026-12-31"})
    assert left["members"][0]["until"] == "2026-12-31"
    with pytest.raises(Conflict):
        edited({**NOVA_SCOTIA, "id": "ca-on"})
    with pytest.raises(NotFound):
        edited({"edit": "end_member", "id": "ca-ns", "until": "2026-12-31"})
    with pytest.raises(Malformed):
        edited({"edit": "end_member", "id": "ca-on", "until": "2025-12-31"})
    with pytest.raises(Malformed):
        edited({**NOVA_SCOTIA, "id": "ca-xx"})


def test_types() -> None:
    edit = authoring.type_edit("health-card/1")
    assert edit["digest"] == schemas.digest("health-card", 1)
    _, value = edited(dict(edit))
    assert value["types"][-1]["vct"] == "https://types.comity.example/health-card/1"
    _, replaced = edited({**authoring.type_edit("person/1"), "digest": "1" * 64})
    assert [each["digest"] for each in replaced["types"] if each["id"] == "person/1"] == ["1" * 64]
    for unknown in ("person/99", "nothing/1", "person", "person/x", "../person/1"):
        with pytest.raises(NotFound):
            authoring.type_edit(unknown)


def test_recognition_default() -> None:
    _, value = edited({"edit": "recognition_default", "accept": "none"})
    assert value["recognition_default"] == {"accept": "none"}


def test_delegations() -> None:
    document, value = edited({"edit": "delegation", "to": "ca-bc", "types": ["drivers-licence/1"]})
    assert document == "federation.json"
    assert value["delegations"][-1] == {"to": "ca-bc", "types": ["person/1", "drivers-licence/1"]}
    assert len(value["delegations"]) == 2
    _, dated = edited({"edit": "delegation", "to": "ca-bc", "types": ["drivers-licence/1"], "until": "2027-01-01"})
    assert dated["delegations"][-1] == {"to": "ca-bc", "types": ["drivers-licence/1"], "until": "2027-01-01"}
    assert len(dated["delegations"]) == 3
    document, city = edited({"edit": "delegation", "to": "ca-on/toronto", "types": ["fishing-licence/1"]})
    assert document == "ca-on/issuers.json"
    assert city["delegations"] == [{"to": "ca-on/toronto", "types": ["business-licence/1", "fishing-licence/1"]}]
    _, taken = edited({"edit": "end_delegation", "to": "ca-on", "types": ["person/1", "business-licence/1"]})
    assert taken["delegations"][0] == {"to": "ca-on", "types": ["drivers-licence/1"]}
    assert taken["delegations"][1] == {"to": "ca-bc", "types": ["person/1"]}
    _, none = edited({"edit": "end_delegation", "to": "ca-on/toronto", "types": ["business-licence/1"]})
    assert none["delegations"] == []


SKELETON: dict[str, Any] = {
    "edit": "issuer",
    "authority": "ca-bc/services",
    "name": name("Service BC"),
    "identifiers": [
        {"format": "dc+sd-jwt", "id": "https://i.example/ca-bc/services", "mechanism": "x5c", **anchored("bc")},
        did_identifier("did:web:i.example:ca-bc:services"),
    ],
    "status_signers": [
        {"format": "statuslist+jwt", "uri_prefix": "https://s.example", "mechanism": "x5c", **anchored("bc")}
    ],
    "types": ["person/1"],
    "since": "2026-06-01",
}


def test_an_issuer_is_added_from_what_its_software_prints() -> None:
    document, value = edited(SKELETON)
    assert document == "ca-bc/issuers.json"
    (entry,) = value["issuers"]
    assert entry["accreditations"] == [{"type": "person/1", "from": "2026-06-01"}]
    assert entry["identifiers"] == SKELETON["identifiers"]
    _, dated = edited({**SKELETON, "until": "2027-06-01"})
    assert dated["issuers"][0]["accreditations"][0]["until"] == "2027-06-01"
    without_types = {key: value for key, value in SKELETON.items() if key not in ("types", "since", "status_signers")}
    _, bare = edited(without_types)
    assert bare["issuers"][0]["accreditations"] == []
    assert bare["issuers"][0]["status_signers"] == []
    with pytest.raises(Malformed):
        edited({**without_types, "types": ["person/1"]})  # an accreditation needs its first day


def test_an_issuers_new_keys_leave_its_accreditations() -> None:
    _, value = edited(
        {
            "edit": "issuer",
            "authority": "ca-on/services",
            "name": name("ServiceOntario"),
            "identifiers": [did_identifier("did:web:new.example", "N" * 43)],
        }
    )
    (entry,) = value["issuers"]
    assert entry["identifiers"] == [did_identifier("did:web:new.example", "N" * 43)]
    assert len(entry["accreditations"]) == 2
    assert value["delegations"] == BASE["ca-on/issuers.json"]["delegations"]


@pytest.mark.parametrize("stated", ["hex", "base64url", "absent", "null"])
def test_the_hash_of_an_anchor_is_written_in_hexadecimal(stated: str) -> None:
    import base64

    given_anchor: dict[str, Any] = dict(anchored("bc"))
    digest = given_anchor["anchor_sha256"]
    forms = {
        "hex": digest,
        "base64url": base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode(),
        "null": None,
    }
    given_anchor.pop("anchor_sha256")
    if stated in forms:
        given_anchor["anchor_sha256"] = forms[stated]
    identifier = {"format": "dc+sd-jwt", "id": "https://i.example/x", "mechanism": "x5c", **given_anchor}
    _, value = edited({**SKELETON, "identifiers": [identifier], "status_signers": []})
    assert value["issuers"][0]["identifiers"][0]["anchor_sha256"] == digest


def test_a_wrong_hash_of_an_anchor_is_refused() -> None:
    identifier = {**SKELETON["identifiers"][0], "anchor_sha256": "0" * 64}
    with pytest.raises(Malformed):
        edited({**SKELETON, "identifiers": [identifier]})
    with pytest.raises(Malformed):
        edited({**SKELETON, "identifiers": [{**identifier, "anchor": "!"}]})


def test_accreditations_are_added_withdrawn_and_withdrawn_otherwise() -> None:
    edit = {"edit": "accreditation", "authority": "ca-on/services", "type": "business-licence/1", "since": "2026-06-01"}
    _, value = edited(edit)
    assert value["issuers"][0]["accreditations"][-1] == {"type": "business-licence/1", "from": "2026-06-01"}
    withdraw = {
        "edit": "withdraw",
        "authority": "ca-on/services",
        "type": "person/1",
        "on": "2026-06-10",
        "effect": "keep",
        "reason": "mandate_ended",
    }
    document, kept = edited(withdraw)
    first, second = kept["issuers"][0]["accreditations"]
    assert first == accreditation("person/1", withdrawn_at="2026-06-10", effect="keep", reason="mandate_ended")
    assert second == accreditation("drivers-licence/1")
    _, lost = edited({**withdraw, "effect": "lose"}, {**BASE, document: kept})
    assert lost["issuers"][0]["accreditations"][0]["effect"] == "lose"
    everything = {key: value for key, value in withdraw.items() if key != "type"}
    _, gone = edited(everything)
    assert [each["withdrawn_at"] for each in gone["issuers"][0]["accreditations"]] == ["2026-06-10"] * 2
    with pytest.raises(NotFound):
        edited({**withdraw, "type": "health-card/1"})
    with pytest.raises(NotFound):
        edited({**withdraw, "authority": "ca-on/nobody"})


def test_an_issuer_is_removed() -> None:
    _, value = edited({"edit": "remove_issuer", "authority": "ca-on/services"})
    assert value["issuers"] == []
    with pytest.raises(NotFound):
        edited({"edit": "remove_issuer", "authority": "ca-bc/services"})


def test_verifiers() -> None:
    entry = copy.deepcopy(BASE["ca-bc/verifiers.json"]["verifiers"][0])
    other = {**entry, "client_ids": ["x509_hash:other"], **anchored("other anchor")}
    _, two = edited({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": other})
    assert [each["client_ids"] for each in two["verifiers"]] == [entry["client_ids"], ["x509_hash:other"]]
    _, replaced = edited({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": {**entry, "name": name("New")}})
    assert [each["name"]["en"] for each in replaced["verifiers"]] == ["New"]
    _, none = edited({"edit": "remove_verifier", "jurisdiction": "ca-bc", "client_id": entry["client_ids"][0]})
    assert none["verifiers"] == []
    with pytest.raises(NotFound):
        edited({"edit": "remove_verifier", "jurisdiction": "ca-bc", "client_id": "x509_hash:nobody"})
    for ids in (None, "x", [1]):
        with pytest.raises(Malformed):
            edited({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": {**entry, "client_ids": ids}})
    with pytest.raises(Malformed):
        edited({"edit": "verifier", "jurisdiction": "ca-xx", "verifier": entry})


def test_a_verifier_that_readers_would_ignore_is_refused() -> None:
    """It would be published, and every wallet would go on saying that nobody knows who asks."""
    entry = copy.deepcopy(BASE["ca-bc/verifiers.json"]["verifiers"][0])
    verifier = {"edit": "verifier", "jurisdiction": "ca-bc", "verifier": {**entry, **anchored("shared")}}
    issuer = {**SKELETON, "identifiers": [{**SKELETON["identifiers"][0], **anchored("shared")}]}
    for first, second in ((issuer, verifier), (verifier, issuer)):
        name_, changed = edited(first)
        with pytest.raises(Conflict) as refused:
            edited(second, {**BASE, name_: changed})
        assert "an anchor of its own" in refused.value.detail
        edited(second)  # the good twin: nobody else has the anchor
    with pytest.raises(Conflict):
        edited({"edit": "verifier", "jurisdiction": "ca-on", "verifier": entry})
    edited({"edit": "verifier", "jurisdiction": "ca-on", "verifier": {**entry, "client_ids": ["x509_hash:new"]}})


def test_recognition_rules() -> None:
    rule = {"jurisdiction": "ca-on", "type": "person/1", "accept": False}
    document, value = edited({"edit": "recognition", "place": "ca-bc", "rule": rule})
    assert (document, value) == ("ca-bc/recognition.json", {"narrow": [rule]})
    _, changed = edited({"edit": "recognition", "place": "ca-bc", "rule": {**rule, "accept": True}}, {document: value})
    assert changed == {"narrow": [{**rule, "accept": True}]}
    other = {**rule, "purpose": "age_alcohol"}
    _, both = edited({"edit": "recognition", "place": "ca-bc", "rule": other}, {document: value})
    assert both == {"narrow": [rule, other]}


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"edit": "nothing"},
        {"edit": "member"},
        {**NOVA_SCOTIA, "colour": "blue"},
        {**NOVA_SCOTIA, "since": "soon"},
        {"edit": "delegation", "to": "ca-on", "types": ["*"]},
        {"edit": "withdraw", "authority": "ca-on/services", "on": "2026-06-10", "effect": "maybe", "reason": "error"},
    ],
)
def test_edits_that_do_not_fit_are_refused(edit: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as refused:
        edited(edit)
    assert refused.value.code is Code.REGISTRY_INVALID


def test_a_plan_is_a_list_of_edits() -> None:
    assert authoring.plan({"edits": [NOVA_SCOTIA]}) == (NOVA_SCOTIA,)
    wrongs: list[dict[str, Any]] = [
        {},
        {"edits": []},
        {"edits": [{"edit": "nothing"}]},
        {"edits": [NOVA_SCOTIA], "also": 1},
    ]
    for wrong in wrongs:
        with pytest.raises(Malformed):
            authoring.plan(wrong)


def test_nothing_can_be_edited_before_there_is_a_federation() -> None:
    with pytest.raises(NotFound):
        authoring.apply({}, NOVA_SCOTIA)


def test_a_document_that_speaks_for_another_jurisdiction_is_refused() -> None:
    with pytest.raises(Malformed) as refused:
        authoring.check("ca-bc/issuers.json", BASE["ca-on/issuers.json"])
    assert refused.value.code is Code.REGISTRY_OUT_OF_PATH
    authoring.check("ca-on/issuers.json", BASE["ca-on/issuers.json"])


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
members = st.sampled_from(
    ["edit", "id", "to", "types", "authority", "jurisdiction", "verifier", "place", "rule", "name", "since", "accept"]
)


@given(
    kind=st.sampled_from([*authoring._EDITS, "nothing"]),
    rest=st.dictionaries(members, scalars | st.lists(scalars, max_size=3), max_size=6),
)
def test_any_edit_is_applied_or_refused(kind: str, rest: dict[str, Any]) -> None:
    try:
        changed = authoring.apply(BASE, {"edit": kind, **rest})
    except ComityError:
        return
    assert changed
