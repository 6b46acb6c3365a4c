"""Certificates as text and bytes: what is read, what is refused, and any bytes at all."""

import base64
import warnings
from collections.abc import Callable
from typing import Literal

import pytest
from cryptography import x509 as pkix
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from comity import certificate, x509
from comity.errors import Code, Malformed
from tests.unit.certificates import (
    ANCHOR,
    ANCHOR_SIGNER,
    ISSUER_URL,
    NOW,
    issue,
    leaf,
)

# --- reading


def test_a_chain_is_a_list_of_texts() -> None:
    good = x509.to_base64(leaf())
    assert len(x509.parse_chain([good])) == 1
    assert len(x509.parse_chain((good,) * 3)) == 3
    for value in (None, good, [], [good] * 4, [1], [good, None], {"0": good}):
        with pytest.raises(Malformed) as raised:
            x509.parse_chain(value)
        assert raised.value.code is Code.MALFORMED_CERTIFICATE


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n",
        lambda text: text[:64] + "\n" + text[64:],
        lambda text: text[:-4],
        lambda text: text + "AAAA",
        lambda text: text.replace("M", "-", 1),
        lambda text: base64.urlsafe_b64encode(b"\xfb\xff" + base64.b64decode(text)).decode(),
        lambda text: "A" * 20_000,
        lambda text: "",
        lambda text: "é" + text,
        lambda text: text.rstrip("=") if text.endswith("=") else text + "=",
        lambda text: base64.b64encode(b"\x30\x03\x02\x01\x01").decode(),
        lambda text: base64.b64encode(ANCHOR.tbs_certificate_bytes).decode(),
    ],
)
def test_what_is_not_one_certificate_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(Malformed) as raised:
        x509.from_base64(change(x509.to_base64(ANCHOR)))
    assert raised.value.code is Code.MALFORMED_CERTIFICATE


def test_a_certificate_has_a_size_limit() -> None:
    for size, readable in ((11_000, True), (13_000, False)):
        padding = pkix.UnrecognizedExtension(pkix.ObjectIdentifier("1.2.3.4"), bytes(size))
        text = x509.to_base64(leaf(extra=((padding, False),)))
        assert (len(text) <= certificate.MAX_LENGTH) == readable
        if readable:
            assert x509.to_base64(x509.from_base64(text)) == text
            continue
        with pytest.raises(Malformed):
            x509.from_base64(text)


def test_base64_with_unused_bits_is_refused() -> None:
    der = next(der for der in (leaf().public_bytes(serialization.Encoding.DER) for _ in range(99)) if len(der) % 3 == 1)
    text = base64.b64encode(der).decode()
    assert x509.to_base64(x509.from_base64(text)) == text
    with pytest.raises(Malformed):
        x509.from_base64(text[:-3] + chr(ord(text[-3]) + 1) + "==")


def test_pem_that_is_none_is_refused() -> None:
    for data in (b"", b"text", x509.to_pem(ANCHOR)[:200], ANCHOR_SIGNER.to_pem()):
        with pytest.raises(Malformed) as raised:
            x509.from_pem(data)
        assert raised.value.code is Code.MALFORMED_CERTIFICATE


@pytest.mark.parametrize("action", ["error", "ignore"])
def test_a_serial_number_is_positive(action: Literal["error", "ignore"]) -> None:
    """RFC 5280 §4.1.2.2; refused whether or not the interpreter turns cryptography's warning into an error."""
    number = ANCHOR.serial_number.to_bytes(ANCHOR.serial_number.bit_length() // 8 + 1, "big")  # as DER has it
    der = ANCHOR.public_bytes(serialization.Encoding.DER).replace(number, b"\x80" + number[1:])
    text = base64.b64encode(der).decode()
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(Malformed):
            x509.from_base64(text)


@given(st.binary(), st.integers(0, 2000), st.integers(0, 255))
def test_any_bytes_are_a_certificate_or_malformed(data: bytes, position: int, value: int) -> None:
    changed = bytearray(ANCHOR.public_bytes(serialization.Encoding.DER))
    changed[position % len(changed)] = value
    for der in (data, bytes(changed)):
        text = base64.b64encode(der).decode()
        try:
            read = x509.from_base64(text)
        except Malformed:
            continue
        assert x509.to_base64(read) == text


@given(st.integers(0, 2000), st.integers(1, 255))
def test_any_changed_byte_of_a_leaf_breaks_the_chain(position: int, change: int) -> None:
    changed = bytearray(GOOD_LEAF)
    changed[position % len(changed)] ^= change
    with pytest.raises(Malformed):
        x509.validate_chain(x509.parse_chain([base64.b64encode(changed).decode()]), [ANCHOR], NOW)


GOOD_LEAF = issue(ISSUER_URL, None).public_bytes(serialization.Encoding.DER)


@given(st.text() | st.text(alphabet="MIIBabc+/=\n"))
def test_any_text_is_a_certificate_or_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        x509.from_base64(text)
