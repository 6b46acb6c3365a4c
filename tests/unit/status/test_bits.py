"""Packing, bit orders, compression: comity.status.bits."""

import gzip
import hashlib
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code, Malformed
from comity.status.bits import (
    MAX_INFLATED_BYTES,
    WIDTHS,
    BitOrder,
    Container,
    PackedValues,
    StatusBits,
    deflate,
    inflate,
)

containers = st.sampled_from(list(Container))


def code_of(excinfo: pytest.ExceptionInfo[Malformed]) -> Code:
    return excinfo.value.code


# --- reading


@pytest.mark.clause("TSL-4")
@pytest.mark.attack("L05")
@pytest.mark.good_twin("L05")
def test_index_0_of_a_token_list_is_the_least_significant_bit() -> None:
    """TSL §4.1, the example: 0xb9 0xa3 for 16 entries of one bit."""
    values = PackedValues(data=bytes([0xB9, 0xA3]), width=1, order=BitOrder.LEAST_FIRST)
    assert [values.value(n) for n in range(16)] == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]


def test_two_bits_of_a_token_list() -> None:
    """TSL §4.1, the example: 0xc9 0x44 0xf9 for 12 entries of two bits."""
    values = PackedValues(data=bytes([0xC9, 0x44, 0xF9]), width=2, order=BitOrder.LEAST_FIRST)
    assert [values.value(n) for n in range(12)] == [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]


@pytest.mark.clause("BSL-3")
@pytest.mark.attack("L05")
@pytest.mark.good_twin("L05")
def test_index_0_of_a_bitstring_list_is_the_most_significant_bit() -> None:
    values = PackedValues(data=bytes([0b1000_0000, 0b0000_0001]), width=1, order=BitOrder.MOST_FIRST)
    assert [n for n in range(16) if values.value(n)] == [0, 15]


def test_entries_of_three_bits_cross_bytes() -> None:
    """Bitstring Status List §2.1: `statusSize` is any number of bits."""
    values = PackedValues(data=bytes([0b001_010_01, 0b1_100_101_1, 0b10_111_000]), width=3, order=BitOrder.MOST_FIRST)
    assert [values.value(n) for n in range(8)] == [1, 2, 3, 4, 5, 6, 7, 0]
    assert len(values) == 8


@pytest.mark.parametrize("width", [0, 3, 16, -1, True, "1", None, 1.0])
def test_a_width_that_token_lists_do_not_have_is_refused(width: object) -> None:
    with pytest.raises(Malformed) as caught:
        PackedValues(data=b"\0", width=width, order=BitOrder.LEAST_FIRST)  # type: ignore[arg-type]
    assert code_of(caught) is Code.STATUS_LIST_INVALID


@pytest.mark.parametrize("width", [0, 9])
def test_a_width_that_bitstring_lists_do_not_have_is_refused(width: int) -> None:
    with pytest.raises(Malformed):
        PackedValues(data=b"\0\0", width=width, order=BitOrder.MOST_FIRST)


@pytest.mark.parametrize("index", [8, 2**53 + 1, -1, 1.9, 1.0, "1", "abc", "007", None, True])
@pytest.mark.parametrize("order", list(BitOrder))
def test_an_index_outside_the_list_is_never_answered_with_another_entry(index: object, order: BitOrder) -> None:
    """Catalogue L04."""
    values = PackedValues(data=b"\xff", width=1, order=order)
    assert values.value(7) == 1  # the good twin
    with pytest.raises(Malformed) as caught:
        values.value(index)  # type: ignore[arg-type]
    assert code_of(caught) is Code.STATUS_INDEX_OUT_OF_RANGE


# --- the store


def test_a_new_store_says_valid_everywhere() -> None:
    store = StatusBits(64)
    assert (store.size, store.bits, {store.get(n) for n in range(64)}) == (64, 2, {0})
    assert store.least_first() == bytes(16)


def test_setting_one_entry_leaves_its_neighbours_alone() -> None:
    store = StatusBits(8)
    for index, value in ((0, 3), (1, 1), (2, 2), (3, 3), (7, 1)):
        store.set(index, value)
    store.set(1, 2)
    store.set(3, 0)
    assert [store.get(n) for n in range(8)] == [3, 2, 2, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("value", [4, -1, None, "1", 1.5])
def test_a_value_that_does_not_fit_is_refused(value: object) -> None:
    store = StatusBits(8)
    with pytest.raises(Malformed) as caught:
        store.set(0, value)  # type: ignore[arg-type]
    assert code_of(caught) is Code.STATUS_VALUE_UNKNOWN
    assert store.get(0) == 0


@pytest.mark.parametrize("index", [8, -1, True, 0.0])
def test_the_store_refuses_an_index_outside_it(index: object) -> None:
    store = StatusBits(8)
    for act in (lambda: store.get(index), lambda: store.set(index, 1)):  # type: ignore[arg-type]
        with pytest.raises(Malformed) as caught:
            act()
        assert code_of(caught) is Code.STATUS_INDEX_OUT_OF_RANGE


@pytest.mark.parametrize(("size", "bits"), [(0, 2), (-8, 2), (3, 2), (8, 3), (8, 0), (MAX_INFLATED_BYTES * 8 + 8, 1)])
def test_a_store_that_could_not_be_published_is_refused(size: int, bits: int) -> None:
    with pytest.raises(Malformed) as caught:
        StatusBits(size, bits)
    assert code_of(caught) is Code.STATUS_LIST_INVALID


@pytest.mark.parametrize(("data", "bits"), [(b"", 2), (b"\0", 3)])
def test_a_store_cannot_be_restored_from_nothing_or_another_width(data: bytes, bits: int) -> None:
    with pytest.raises(Malformed):
        StatusBits.from_least_first(data, bits)


@pytest.mark.parametrize("value", [0, 4, -1])
def test_a_plane_exists_only_for_values_that_say_something(value: int) -> None:
    with pytest.raises(Malformed) as caught:
        StatusBits(8).plane(value)
    assert code_of(caught) is Code.STATUS_VALUE_UNKNOWN


@st.composite
def filled_stores(draw: st.DrawFn) -> tuple[StatusBits, list[int]]:
    bits = draw(st.sampled_from(WIDTHS))
    numbers = draw(st.lists(st.integers(0, 2**bits - 1), min_size=8, max_size=64).filter(lambda n: len(n) % 8 == 0))
    store = StatusBits(len(numbers), bits)
    for index, number in enumerate(numbers):
        store.set(index, number)
    return store, numbers


@given(filled_stores())
@pytest.mark.attack("L05")
@pytest.mark.good_twin("L05")
def test_both_orders_hold_the_same_numbers(filled: tuple[StatusBits, list[int]]) -> None:
    store, numbers = filled
    least = PackedValues(data=store.least_first(), width=store.bits, order=BitOrder.LEAST_FIRST)
    most = PackedValues(data=store.most_first(), width=store.bits, order=BitOrder.MOST_FIRST)
    restored = StatusBits.from_least_first(store.least_first(), store.bits)
    for source in (least.value, most.value, store.get, restored.get):
        assert [source(n) for n in range(len(numbers))] == numbers
    assert len(least) == len(most) == restored.size == len(numbers)


@given(filled_stores(), st.data())
def test_a_plane_says_of_each_entry_whether_it_is_exactly_that_value(
    filled: tuple[StatusBits, list[int]], data: st.DataObject
) -> None:
    store, numbers = filled
    value = data.draw(st.integers(1, 2**store.bits - 1))
    plane = store.plane(value)
    assert plane.bits == 1
    assert [plane.get(n) for n in range(len(numbers))] == [int(number == value) for number in numbers]
    # What rounding up to whole bytes added says nothing.
    assert not any(plane.get(n) for n in range(len(numbers), plane.size))


# --- compression


@given(st.binary(max_size=2000), containers)
def test_what_was_deflated_inflates(data: bytes, container: Container) -> None:
    packed = deflate(data, container)
    assert inflate(packed, container) == data
    assert deflate(data, container) == packed


@given(st.binary(max_size=2000), containers)
def test_other_peoples_streams_inflate(data: bytes, container: Container) -> None:
    packed = zlib.compress(data, 9) if container is Container.ZLIB else gzip.compress(data, mtime=1_700_000_000)
    assert inflate(packed, container) == data


@given(st.binary(max_size=300))
def test_other_people_inflate_what_was_deflated(data: bytes) -> None:
    assert zlib.decompress(deflate(data)) == data
    assert gzip.decompress(deflate(data, Container.GZIP)) == data


def test_gzip_tells_nothing_of_the_time() -> None:
    assert deflate(b"list", Container.GZIP)[4:8] == bytes(4)


def test_more_than_one_piece_of_input_and_output() -> None:
    """Incompressible input longer than the pieces in which it is read."""
    noise = b"".join(bytes([n * n % 251, n % 256, n // 256 % 256]) * 3 for n in range(60_000))
    stored = zlib.compress(noise, 0)
    assert len(stored) > 5 << 16
    assert inflate(stored, Container.ZLIB) == noise


@given(st.binary(max_size=500), containers)
def test_any_bytes_inflate_or_are_malformed(data: bytes, container: Container) -> None:
    try:
        assert len(inflate(data, container, max_bytes=10_000)) <= 10_000
    except Malformed:
        return


@given(st.binary(min_size=1, max_size=200), containers, st.data())
def test_a_damaged_stream_never_gives_other_bytes(content: bytes, container: Container, data: st.DataObject) -> None:
    """Catalogue L08: cut short, or one byte changed. (Gzip has header bytes that mean nothing to the content.)"""
    packed = deflate(content, container)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(Malformed):
        inflate(packed[:cut], container)
    at = data.draw(st.integers(0, len(packed) - 1))
    changed = bytearray(packed)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        assert inflate(bytes(changed), container) == content
    except Malformed:
        return


@pytest.mark.parametrize("container", list(Container))
@pytest.mark.parametrize("tail", [b"\0", b"x", b"again", bytes(1 << 16)])
@pytest.mark.attack("L08")
@pytest.mark.good_twin("L08")
def test_nothing_may_follow_the_stream(container: Container, tail: bytes) -> None:
    """Catalogue L08: trailing bytes, a second stream, a second gzip member."""
    packed = deflate(b"list", container)
    assert inflate(packed, container) == b"list"  # the good twin
    with pytest.raises(Malformed) as caught:
        inflate(packed + (packed if tail == b"again" else tail), container)
    assert code_of(caught) is Code.STATUS_LIST_INVALID


def test_nothing_may_follow_a_stream_that_ends_exactly_with_a_piece() -> None:
    """The end and what follows it are read in different pieces."""
    stored = zlib.compress(bytes(65_536 - 11), 0)
    assert len(stored) == 65_536
    assert inflate(stored, Container.ZLIB) == bytes(65_536 - 11)
    with pytest.raises(Malformed):
        inflate(stored + b"x", Container.ZLIB)


def test_a_list_in_the_other_container_is_refused() -> None:
    for right, wrong in ((Container.ZLIB, Container.GZIP), (Container.GZIP, Container.ZLIB)):
        with pytest.raises(Malformed) as caught:
            inflate(deflate(b"list", wrong), right)
        assert code_of(caught) is Code.STATUS_LIST_INVALID


def test_raw_deflate_is_refused() -> None:
    packer = zlib.compressobj(wbits=-15)
    with pytest.raises(Malformed):
        inflate(packer.compress(b"list") + packer.flush(), Container.ZLIB)


def test_a_stream_with_a_preset_dictionary_is_refused() -> None:
    packer = zlib.compressobj(zdict=b"status list")
    with pytest.raises(Malformed):
        inflate(packer.compress(b"status list") + packer.flush(), Container.ZLIB)


def test_an_empty_input_is_refused() -> None:
    with pytest.raises(Malformed):
        inflate(b"", Container.ZLIB)


@pytest.mark.parametrize("container", list(Container))
def test_the_limit_is_exact(container: Container) -> None:
    assert len(inflate(deflate(bytes(1000), container), container, max_bytes=1000)) == 1000
    with pytest.raises(Malformed) as caught:
        inflate(deflate(bytes(1001), container), container, max_bytes=1000)
    assert code_of(caught) is Code.TOO_LARGE


@pytest.mark.attack("L07")
def test_one_layer_only() -> None:
    """Catalogue L07: compressed twice, a bomb is tiny; the inner layer stays closed."""
    inner = deflate(bytes(1 << 20))
    assert inflate(deflate(inner), Container.ZLIB) == inner


_BOMB = """
import resource, sys, time, zlib
from comity.errors import Code, Malformed
from comity.status.bits import Container, inflate
packer = zlib.compressobj(9, wbits=int(sys.argv[1]), strategy=zlib.Z_RLE)
block = bytes(1 << 20)
# After a full flush the next block stands alone, so one is made and repeated. Nobody gets as far as the checksum.
first, next_one = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
bomb = first + next_one * 1023
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    inflate(bomb, Container(int(sys.argv[1])))
except Malformed as error:
    assert error.code is Code.TOO_LARGE
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - start)
"""


@pytest.mark.parametrize("container", list(Container))
@pytest.mark.attack("L07")
def test_a_bomb_costs_little_memory_and_time(container: Container) -> None:
    """Catalogue L07: 1 GiB of zeros, in a process of its own: less than 32 MiB and 200 ms."""
    command = [sys.executable, "-c", _BOMB, str(int(container))]
    grown_kib, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(grown_kib) < 32 * 1024
    assert float(seconds) < 0.2


@pytest.mark.parametrize("percent", [1, 5])
def test_the_fast_strategy_costs_little_size(percent: int) -> None:
    """It is chosen for speed (performance/limits.md §3: 0.90 to 1.07 times the size of level 9)."""
    store = StatusBits(1 << 17, 1)
    noise = hashlib.shake_256(b"which entries are revoked").digest(4 << 17)
    for n in range(1 << 17):
        if int.from_bytes(noise[4 * n : 4 * n + 4], "big") % 100 < percent:
            store.set(n, 1)
    assert len(deflate(store.least_first())) < 1.1 * len(zlib.compress(store.least_first(), 9))
