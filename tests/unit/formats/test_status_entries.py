from typing import Any

import pytest

from comity.credential import StatusEntry
from comity.errors import Code
from comity.formats import status_entries
from tests.unit.formats.made import BIT_LISTS, TOKEN_LIST, refused

LIST = "https://status.example/1/revocation"


def entry(**changes: Any) -> dict[str, Any]:
    members = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "94567",
        "statusListCredential": LIST,
    } | changes
    return {name: value for name, value in members.items() if value is not None}


def test_both_languages_are_read_as_they_were_written() -> None:
    entries = (TOKEN_LIST, *BIT_LISTS)
    claim = status_entries.to_status_claim(entries)
    assert claim == {"status_list": {"idx": 4711, "uri": TOKEN_LIST.list_uri}}
    assert status_entries.of_status_claim({"status": claim}).entries == (TOKEN_LIST,)
    document = {"credentialStatus": status_entries.to_credential_status(entries)}
    assert status_entries.of_credential_status(document) == status_entries.StatusEntries(entries=BIT_LISTS)


def test_no_entry_is_written_where_there_is_none_and_never_two() -> None:
    assert status_entries.to_status_claim(BIT_LISTS) is None
    assert status_entries.to_credential_status((TOKEN_LIST,)) == []
    with refused(Code.MALFORMED):
        status_entries.to_status_claim((TOKEN_LIST, StatusEntry(list_uri=TOKEN_LIST.list_uri, index=2)))


def test_a_credential_without_status_is_not_one_with_an_unknown_status() -> None:
    assert status_entries.of_status_claim({}) == status_entries.StatusEntries()
    assert status_entries.of_credential_status({}) == status_entries.StatusEntries()


@pytest.mark.parametrize("status", [{}, {"assertion_list": {"idx": 1}}])
@pytest.mark.clause("TSL-2")
def test_no_mechanism_understood_is_unknown(status: dict[str, Any]) -> None:
    assert status_entries.of_status_claim({"status": status}) == status_entries.StatusEntries(is_unknown=True)


@pytest.mark.clause("TSL-2")
def test_another_mechanism_beside_a_status_list_is_ignored() -> None:
    read = status_entries.of_status_claim({"status": {"other": 1, "status_list": {"idx": 0, "uri": LIST, "more": 1}}})
    assert read.entries == (StatusEntry(list_uri=LIST, index=0),)
    assert not read.is_unknown


WRONG_LISTS: list[Any] = [None, [], "x", {}, {"idx": 1}, {"uri": LIST}]
WRONG_CLAIMS: list[Any] = [
    *(None, "x", [], 1),
    *({"status_list": value} for value in WRONG_LISTS),
    *({"status_list": {"idx": index, "uri": LIST}} for index in (-1, True, "1", 1.0, 10**18, None)),
    *({"status_list": {"idx": 1, "uri": uri}} for uri in ("", None, 1, ["x"])),
]


@pytest.mark.parametrize("status", WRONG_CLAIMS, ids=repr)
def test_a_status_claim_of_the_wrong_form_is_refused(status: Any) -> None:
    with refused(Code.MALFORMED):
        status_entries.of_status_claim({"status": status})


@pytest.mark.good_twin("V07")
def test_every_entry_is_read() -> None:
    """V07: not only the first."""
    second = entry(statusPurpose="suspension", statusListCredential="https://status.example/2", statusListIndex="0")
    read = status_entries.of_credential_status({"credentialStatus": [entry(), second]})
    assert [(each.list_uri, each.index, each.purpose) for each in read.entries] == [
        (LIST, 94567, "revocation"),
        ("https://status.example/2", 0, "suspension"),
    ]
    assert status_entries.of_credential_status({"credentialStatus": entry(statusSize=1)}).entries


@pytest.mark.parametrize(
    "other",
    [{"type": "StatusList2017"}, entry(statusPurpose="escheat"), entry(statusSize=2), entry(statusSize=True)],
    ids=repr,
)
@pytest.mark.clause("2a-7")
@pytest.mark.attack("V07")
def test_an_entry_not_understood_makes_the_status_unknown(other: dict[str, Any]) -> None:
    """V07: an unknown type beside a known one is not ignored."""
    read = status_entries.of_credential_status({"credentialStatus": [entry(), other]})
    assert len(read.entries) == 1
    assert read.is_unknown


@pytest.mark.parametrize("purpose", ["refresh", "message"])
def test_entries_that_only_inform_decide_nothing(purpose: str) -> None:
    """BSL-4: their value never invalidates, and neither does their presence."""
    read = status_entries.of_credential_status({"credentialStatus": [entry(), entry(statusPurpose=purpose)]})
    assert [each.purpose for each in read.entries] == ["revocation"]
    assert not read.is_unknown


WRONG_INDEXES = (None, 94567, "-1", "01", "1.0", "", " 1", "1\n", "٣", "9" * 19)
WRONG_ENTRIES: list[Any] = [
    *(None, [], "x", [None], [[entry()]], entry(type=None), entry(type=["BitstringStatusListEntry"])),
    *(entry(statusPurpose=value) for value in (None, 1, ["revocation"])),
    *(entry(statusListCredential=value) for value in (None, 1, "")),
    *(entry(statusListIndex=value) for value in WRONG_INDEXES),
    *(entry(id=LIST), [entry()] * 17),
]


@pytest.mark.parametrize("value", WRONG_ENTRIES, ids=repr)
@pytest.mark.clause("BSL-1")
def test_an_entry_of_the_wrong_form_is_refused(value: Any) -> None:
    with refused(Code.MALFORMED):
        status_entries.of_credential_status({"credentialStatus": value})
