"""The examples and test vectors of draft-ietf-oauth-status-list, read in place.

Read: every JSON list, every CBOR list (a CBOR map of two members is picked apart here by its hexadecimal text; there is
no CBOR library), and the JWT example. Left out: the CWT examples, whose format is not supported.
The numbers expected in the long lists are those of the draft's appendix "Test vectors for Status List encoding".
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comity.credential import Kid
from comity.status import token_list
from comity.status.bits import BitOrder, Container, PackedValues, inflate
from tests.support.vectors import count, vectors_folder

SET = "token-status-list"

SHORT_1 = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
SHORT_2 = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
LONG_INDICES = (0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345)
LONG_1 = dict.fromkeys(LONG_INDICES, 1)
LONG_2 = dict(zip(LONG_INDICES, (1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3), strict=True))
LONG_4 = {
    0: 1, 1993: 2, 35460: 3, 459495: 4, 595669: 5, 754353: 6, 845645: 7, 923232: 8, 924445: 9, 934534: 10,
    1004534: 11, 1000345: 12, 1030203: 13, 1030204: 14, 1030205: 15,
}  # fmt: skip


def folder() -> Path:
    return vectors_folder(SET) / "examples"


def json_list(name: str) -> PackedValues:
    text = re.sub(r"\s", "", (folder() / f"{name}.md").read_text("ascii").partition("{")[2])
    return token_list.unpack(json.loads("{" + text))


def cbor_list(name: str) -> PackedValues:
    """A map of two: `bits` an unsigned integer below 24, `lst` a byte string (RFC 8949 §3)."""
    text = "".join((folder() / f"{name}.md").read_text("ascii").split("encoded:")[-1].split())
    data = bytes.fromhex(text)
    head = b"\xa2\x64bits"
    assert data.startswith(head)
    bits, rest = data[len(head)], data[len(head) + 1 :].removeprefix(b"\x63lst")
    short = rest[0] < 0x58
    size_bytes = 0 if short else 1 << rest[0] - 0x58
    length = rest[0] - 0x40 if short else int.from_bytes(rest[1 : 1 + size_bytes], "big")
    lst = rest[1 + size_bytes :]
    assert len(lst) == length
    return PackedValues(data=inflate(lst, Container.ZLIB), width=bits, order=BitOrder.LEAST_FIRST)


def set_entries(values: PackedValues) -> dict[int, int]:
    """Read every entry of the bytes that hold anything; the other bytes hold nothing in either order."""
    each = 8 // values.width
    full = [place for place, byte in enumerate(values.data) if byte]
    return {n: value for place in full for n in range(place * each, place * each + each) if (value := values.value(n))}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("status_list_encoding", SHORT_1), ("status_list_encoding2", SHORT_2)],
)
def test_short_lists(name: str, expected: list[int]) -> None:
    for values in (json_list(f"{name}_json"), cbor_list(f"{name}_cbor")):
        assert [values.value(n) for n in range(len(values))] == expected
        count(SET, 1)


@pytest.mark.parametrize(
    ("name", "cbor", "expected"),
    [
        ("status_list_encoding1_long_json", "status_list_encoding1_long_cbor", LONG_1),
        ("status_list_encoding2_long_json", "status_list_encoding2_long_cbor", LONG_2),
        ("status_list_encoding4_json", "status_list_encoding4_cbor", LONG_4),
    ],
)
def test_long_lists(name: str, cbor: str, expected: dict[int, int]) -> None:
    for values in (json_list(name), cbor_list(cbor)):
        assert len(values) == 1 << 20
        assert set_entries(values) == expected
        count(SET, 1)


def test_the_list_of_eight_bits_holds_every_value_once() -> None:
    """The appendix gives one index for each of the values 0 to 255."""
    from_json, from_cbor = json_list("status_list_encoding8_json"), cbor_list("status_list_encoding8_cbor")
    assert len(from_json) == 1 << 20
    entries = set_entries(from_json)
    assert sorted(entries.values()) == list(range(1, 256))
    assert (from_json.value(233478), from_json.value(52451), from_json.value(576778)) == (0, 1, 2)
    assert set_entries(from_cbor) == entries
    count(SET, 2)


def test_the_jwt_example() -> None:
    """Without its signature, whose key the draft does not give."""
    opened = token_list.open("".join((folder() / "status_list_jwt_raw.md").read_text("ascii").split()))
    read = token_list.decode(opened)
    assert (opened.issuer, opened.key) == ("https://example.com", Kid(did_url="12"))
    assert (read.uri, read.ttl_seconds) == ("https://example.com/statuslists/1", 43_200)
    assert (read.issued_at.timestamp(), read.expires_at) == (1_686_920_170, datetime.fromtimestamp(2_291_720_170, UTC))
    assert [read.value(n) for n in range(len(read))] == SHORT_1
    count(SET, 1)
