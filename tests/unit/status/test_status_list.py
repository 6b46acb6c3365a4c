"""What a decoded list says of a credential: comity.status.status_list."""

import pytest

from comity.credential import Status, StatusEntry
from comity.errors import Code, Malformed
from comity.status import OpenedStatusList
from comity.status import StatusBits as ExportedBits
from comity.status.bits import BitOrder, PackedValues, StatusBits
from comity.status.status_list import StatusList
from tests.unit.status.lists import EXPIRES_AT, ISSUED_AT, URI


def listed(numbers: bytes, *purposes: str, width: int = 8) -> StatusList:
    order = BitOrder.MOST_FIRST if purposes else BitOrder.LEAST_FIRST
    return StatusList(
        uri=URI,
        purposes=purposes,
        ttl_seconds=300,
        issued_at=ISSUED_AT,
        expires_at=EXPIRES_AT,
        values=PackedValues(data=numbers, width=width, order=order),
    )


def entry(index: int = 0, purpose: str | None = None, uri: str = URI) -> StatusEntry:
    return StatusEntry(list_uri=uri, index=index, purpose=purpose)


def refusal(of: StatusList, named: StatusEntry) -> Code:
    with pytest.raises(Malformed) as caught:
        of.status_of(named)
    return caught.value.code


@pytest.mark.parametrize(("number", "status"), [(0, Status.VALID), (1, Status.REVOKED), (2, Status.SUSPENDED)])
def test_the_numbers_of_a_token_list(number: int, status: Status) -> None:
    """TSL §7.1."""
    assert listed(bytes([number])).status_of(entry()) is status


@pytest.mark.parametrize("number", [3, 4, 11, 12, 15, 16, 255])
@pytest.mark.clause("TSL-5")
def test_numbers_without_a_meaning_here_are_refused(number: int) -> None:
    """Profile TSL-5: application-specific (3, 12 to 15) and reserved values."""
    assert refusal(listed(bytes([number])), entry()) is Code.STATUS_VALUE_UNKNOWN


@pytest.mark.parametrize(
    "uri", [f"{URI}/", URI.upper(), f"{URI}?", f"{URI}#", "https://status.example/ca-bc/services/status/1", ""]
)
def test_another_list_than_the_credential_names_is_refused(uri: str) -> None:
    """Catalogue L02: compared as text, with no normalisation."""
    assert listed(b"\0").status_of(entry()) is Status.VALID  # the good twin
    assert refusal(listed(b"\0"), entry(uri=uri)) is Code.STATUS_LIST_MISMATCH


def test_an_index_beyond_the_list_is_refused() -> None:
    """Catalogue L04."""
    assert listed(b"\0\1").status_of(entry(1)) is Status.REVOKED
    assert refusal(listed(b"\0\1"), entry(2)) is Code.STATUS_INDEX_OUT_OF_RANGE
    assert refusal(listed(b"\0\1"), entry(-1)) is Code.STATUS_INDEX_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("purpose", "number", "status"),
    [
        ("revocation", 0, Status.VALID),
        ("revocation", 1, Status.REVOKED),
        ("suspension", 0, Status.VALID),
        ("suspension", 1, Status.SUSPENDED),
        ("refresh", 0, Status.VALID),
        ("refresh", 1, Status.VALID),  # BSL-4: a newer one exists; this one stays valid
        ("message", 1, Status.VALID),
        ("something-new", 0, Status.VALID),
    ],
)
@pytest.mark.clause("BSL-4")
def test_the_meaning_of_a_bit_is_its_purpose(purpose: str, number: int, status: Status) -> None:
    """Profile BSL-4."""
    assert listed(bytes([number << 7]), purpose, width=1).status_of(entry(purpose=purpose)) is status


def test_a_set_bit_of_an_unknown_purpose_is_refused() -> None:
    unknown = listed(b"\x80", "something-new", width=1)
    assert refusal(unknown, entry(purpose="something-new")) is Code.STATUS_VALUE_UNKNOWN


def test_a_number_above_1_has_no_meaning_without_messages() -> None:
    two_bits = listed(b"\x80", "revocation", width=2)
    assert refusal(two_bits, entry(purpose="revocation")) is Code.STATUS_VALUE_UNKNOWN


@pytest.mark.parametrize(
    ("purposes", "purpose"),
    [
        (("revocation",), "suspension"),  # L06
        (("suspension",), "revocation"),
        (("refresh",), "revocation"),
        (("message",), "revocation"),
        (("revocation",), "Revocation"),
        (("revocation",), ""),
        (("revocation",), None),  # a token list's entry shown a bitstring list
        ((), "revocation"),  # and back
    ],
)
def test_a_list_of_another_purpose_is_refused(purposes: tuple[str, ...], purpose: str | None) -> None:
    """Catalogue L06; the good twins are in `test_the_meaning_of_a_bit_is_its_purpose`."""
    assert refusal(listed(b"\0", *purposes, width=1), entry(purpose=purpose)) is Code.STATUS_LIST_MISMATCH


def test_the_package_offers_its_types() -> None:
    assert ExportedBits is StatusBits
    assert OpenedStatusList.__name__ == "OpenedStatusList"
