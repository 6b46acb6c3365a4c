"""Which role may list which document (TR-4, T09, T14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code
from comity.trust.placement import (
    FEDERATION,
    TOP_ROLE,
    Placement,
    RoleListing,
    document_of,
    is_role_name,
    jurisdiction_of,
    matches,
    paths_of,
    place,
    role_of,
    shown,
)


def listing(name: str, parent: str | None, *documents: str, paths: tuple[str, ...] = ()) -> RoleListing:
    return RoleListing(name=name, parent=parent, paths=paths, documents=documents)


def federation(*documents: str) -> RoleListing:
    return listing(TOP_ROLE, None, *documents)


def jurisdiction(name: str, *documents: str, parent: str = TOP_ROLE) -> RoleListing:
    return listing(role_of(name), parent, *documents, paths=paths_of(name))


def why(placement: Placement) -> list[str]:
    assert {alert.code for alert in placement.alerts} <= {Code.REGISTRY_OUT_OF_PATH}
    return [alert.detail for alert in placement.alerts]


def test_everyone_lists_their_own() -> None:
    placement = place(
        [
            federation(FEDERATION),
            jurisdiction("ca-on", "ca-on/issuers.json", "ca-on/recognition.json"),
            jurisdiction("ca-bc", "ca-bc/verifiers.json"),
            jurisdiction("ca-on/toronto", "ca-on/toronto/issuers.json", parent="ca-on"),
        ]
    )
    assert placement.alerts == ()
    assert placement.owners == {
        FEDERATION: TOP_ROLE,
        "ca-on/issuers.json": "ca-on",
        "ca-on/recognition.json": "ca-on",
        "ca-bc/verifiers.json": "ca-bc",
        "ca-on/toronto/issuers.json": "ca-on-toronto",
    }


def test_a_jurisdiction_cannot_list_anothers_document() -> None:
    placement = place([federation(), jurisdiction("ca-on"), jurisdiction("ca-bc", "ca-on/issuers.json")])
    assert placement.owners == {}
    assert why(placement) == ["The role ca-bc lists a document outside its own path; it is ignored."]
    assert placement.alerts[0].document == "ca-on/issuers.json"


def test_a_jurisdiction_cannot_list_the_federations_document() -> None:
    placement = place([federation(FEDERATION), jurisdiction("ca-bc", FEDERATION)])
    assert placement.owners == {FEDERATION: TOP_ROLE}
    assert why(placement) == ["The role ca-bc lists a document outside its own path; it is ignored."]


def test_the_federation_cannot_override_a_jurisdiction() -> None:
    placement = place([federation("ca-on/issuers.json"), jurisdiction("ca-on", "ca-on/issuers.json")])
    assert placement.owners == {"ca-on/issuers.json": "ca-on"}
    assert why(placement) == [
        "The role targets lists a document inside a path that it has delegated on; it is ignored."
    ]


def test_the_federation_cannot_stand_in_for_a_jurisdiction_without_a_role() -> None:
    placement = place([federation("ca-ns/issuers.json")])
    assert placement.owners == {}
    assert why(placement) == ["The role targets lists a document outside its own path; it is ignored."]


def test_a_province_cannot_list_inside_its_delegates_path() -> None:
    both = ("ca-on/toronto/issuers.json",)
    province = jurisdiction("ca-on", *both)
    city = jurisdiction("ca-on/toronto", *both, parent="ca-on")
    placement = place([federation(), province, city])
    assert placement.owners == {both[0]: "ca-on-toronto"}
    assert why(placement) == ["The role ca-on lists a document inside a path that it has delegated on; it is ignored."]
    # The same when the delegate lists nothing: silence is the delegate's to keep.
    silent = place([federation(), province, jurisdiction("ca-on/toronto", parent="ca-on")])
    assert silent.owners == {}
    # A municipality without a role of its own is its province's to list.
    assert place([federation(), province]).owners == {both[0]: "ca-on"}


def test_a_delegate_cannot_be_given_what_its_delegator_does_not_have() -> None:
    wide = listing("ca-on-evil", "ca-on", "ca-bc/issuers.json", paths=("ca-bc/*",))
    placement = place([federation(), jurisdiction("ca-on"), jurisdiction("ca-bc"), wide])
    assert placement.owners == {}
    assert "outside its own path" in why(placement)[0]


def test_of_two_matching_delegations_the_first_counts() -> None:
    document = "ca-on/issuers.json"
    second = listing("ca-other", TOP_ROLE, document, paths=("ca-on/*",))
    assert place([federation(), jurisdiction("ca-on", document), second]).owners == {document: "ca-on"}
    first = place([federation(), second, jurisdiction("ca-on", document)])
    assert first.owners == {document: "ca-other"}
    assert len(first.alerts) == 1


HOSTILE = [
    "../federation.json",
    "ca-on/../ca-bc/issuers.json",
    "/ca-on/issuers.json",
    "ca-on//issuers.json",
    "https://evil.example/issuers.json",
    "ca-on/issuers.json\n",
    "ca-on/issuers.json/",
    "ca-on/secrets.json",
    "ca-on/issuers",
    "issuers.json",
    "ca-xx/issuers.json",
    "CA-ON/issuers.json",
    "ca-on/toronto/downtown/issuers.json",
    "ca-on/" + "a" * 5000 + "/issuers.json",
    "ca-on/\N{GREEK SMALL LETTER ALPHA}/issuers.json",
    "",
]


@pytest.mark.parametrize("document", HOSTILE)
def test_hostile_names_are_never_placed(document: str) -> None:
    everything = listing("ca-on", TOP_ROLE, document, paths=("*", "*/*", "*/*/*", "*/*/*/*"))
    placement = place([federation(), everything])
    assert placement.owners == {}
    (alert,) = placement.alerts
    assert "whose name the registry does not know" in alert.detail
    assert len(alert.document) <= 800
    assert alert.document.isascii()
    assert jurisdiction_of(document) is None


@pytest.mark.parametrize(
    ("document", "pattern", "expected"),
    [
        ("ca-on/issuers.json", "ca-on/*", True),
        ("ca-on/toronto/issuers.json", "ca-on/*", False),
        ("ca-on/toronto/issuers.json", "ca-on/*/*", True),
        ("ca-on/issuers.json", "ca-on/*/*", False),
        ("ca-onx/issuers.json", "ca-on/*", False),
        ("ca-on/issuers.json", "*", False),
        ("ca-on/issuers.json", "ca-??/*", True),
        ("CA-ON/issuers.json", "ca-on/*", False),
    ],
)
def test_a_star_stops_at_a_slash(document: str, pattern: str, expected: bool) -> None:
    assert matches(document, [pattern]) is expected
    assert matches(document, ["no/such", pattern]) is expected
    assert not matches(document, [])


@pytest.mark.parametrize(("name", "good"), [("ca-on", True), ("ca-on-toronto", True), ("targets", True), ("", False)])
def test_role_names(name: str, good: bool) -> None:
    assert is_role_name(name) is good


@pytest.mark.parametrize("name", ["../x", "Ca", "a/b", "a.b", "a\n", "1a", "a" * 129, "a%2fb", "é"])
def test_not_role_names(name: str) -> None:
    assert not is_role_name(name)


def test_names() -> None:
    assert document_of("ca-on/toronto", "issuers") == "ca-on/toronto/issuers.json"
    assert jurisdiction_of("ca-on/toronto/issuers.json") == "ca-on/toronto"
    assert paths_of("ca-on") == ("ca-on/*", "ca-on/*/*")
    assert paths_of("ca-on/toronto") == ("ca-on/toronto/*",)
    assert shown("a\x1b[31m") == "a\\x1b[31m"


@given(
    documents=st.lists(
        st.sampled_from([FEDERATION, *HOSTILE, *(f"{j}/issuers.json" for j in ("ca-on", "ca-bc", "ca-on/toronto"))])
    ),
    role=st.sampled_from(["targets", "ca-on", "ca-bc", "ca-on-toronto"]),
)
def test_a_document_has_the_owner_that_the_paths_say_or_none(documents: list[str], role: str) -> None:
    listings = [
        federation(),
        jurisdiction("ca-on"),
        jurisdiction("ca-bc"),
        jurisdiction("ca-on/toronto", parent="ca-on"),
    ]
    listings = [
        RoleListing(name=each.name, parent=each.parent, paths=each.paths, documents=tuple(dict.fromkeys(documents)))
        if each.name == role
        else each
        for each in listings
    ]
    placement = place(listings)
    for document, owner in placement.owners.items():
        assert owner == role == (TOP_ROLE if document == FEDERATION else role_of(str(jurisdiction_of(document))))
    assert len(placement.owners) + len(placement.alerts) == len(set(documents))
