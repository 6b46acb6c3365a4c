"""JSON in and out, without the freedoms that let two readers see two different documents.

RFC 8259 leaves duplicate members, lone surrogates and the size of numbers to the reader. A signed document that reads
differently in two places is an attack (RFC 7519 §4, RFC 8725 §2.9), so everything ambiguous is refused here.
"""

import json
import json.encoder
import math
import re
from collections.abc import Callable, Iterable
from json.scanner import make_scanner
from typing import Any, NoReturn

import msgspec

from comity.errors import Code, Malformed

MAX_BYTES = 1 << 20
"""Largest document read when the caller names no other limit, in bytes."""

MAX_DEPTH = 32
"""Deepest nesting of arrays and objects when the caller names no other limit; ``[]`` has depth 1."""

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(data: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value of a JSON text (RFC 8259).

    Refused beside bad syntax: more than ``max_bytes`` bytes, nesting deeper than ``max_depth``, invalid UTF-8 or a byte
    order mark, two members of one name in any object, ``NaN`` and ``Infinity`` and numbers that overflow to them,
    lone surrogates, and anything but white space after the value.

    Raises:
        Malformed: ``malformed_json``, ``duplicate_member`` or ``too_large``.
    """
    # A str is encoded too: its length in bytes counts, and lone surrogates do not survive.
    raw = data if isinstance(data, bytes) else _encoded(data)
    size = len(raw)
    if size > max_bytes:
        raise Malformed(Code.TOO_LARGE, f"JSON is larger than {max_bytes} bytes")
    # A text with few brackets is not deep, whatever it says.
    if size <= 2 * max_depth or raw.count(b"[") + raw.count(b"{") <= max_depth:
        try:
            value = _READ(raw)
            # An object in memory has no member twice, and no two values are written alike: a text that is written
            # again byte for byte is all that was read, and says nothing that could be read otherwise.
            if _WRITE(value) == raw:
                return value
        except (ValueError, RecursionError):
            pass
    return _read_whole(raw, max_depth)


def parse_object(data: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return the JSON object in ``data``; like :func:`parse`, and any other kind of value is ``malformed_json``.

    Raises:
        Malformed: ``malformed_json``, ``duplicate_member`` or ``too_large``.
    """
    value = parse(data, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise _refused("a JSON object was expected")
    return value


def serialise(value: Any) -> bytes:
    """Return ``value`` as compact UTF-8 JSON, members in the order given.

    Not a canonical form (:mod:`comity.jcs` is): it is what we sign and send, and the bytes are kept from then on.

    Raises:
        Malformed: ``malformed_json`` when JSON cannot carry the value (NaN, Infinity, lone surrogates, other types).
    """
    try:
        return (_ENCODER.encode(value) if _ITERATE is None else "".join(_ITERATE(value, 0))).encode()
    except (TypeError, ValueError, RecursionError):
        raise _refused("the value cannot be written as JSON") from None


def text_of(value: Any) -> str:
    """Return ``value`` as :func:`serialise` writes it, for who puts a JSON text together; a text costs next to nothing.

    Raises:
        Malformed: as :func:`serialise`, but for lone surrogates in a text: they show when it is encoded.
    """
    return _quoted(value) if type(value) is str else serialise(value).decode()


def _refused(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED_JSON, detail)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeError:
        raise _refused("JSON is not valid UTF-8") from None


def _read_whole(raw: bytes, max_depth: int) -> Any:
    """Read any other text, and say what is wrong with it."""
    try:
        text = raw.decode()
        # At once where nothing stands around the value, as in all that is signed; else by the whole decoder.
        value, end = _SCAN(text, 0) if text[:1] > " " else (None, -1)
        if end != (size := len(text)):
            value = _DECODER.decode(text)
    except RecursionError:
        raise _refused("JSON is nested too deeply") from None
    except UnicodeError:
        raise _refused("JSON is not valid UTF-8") from None
    except (ValueError, StopIteration):  # JSONDecodeError, integers of too many digits; nothing that begins a value
        raise _refused("the text is not valid JSON") from None
    # Walking costs more than parsing, so it happens only for texts that could hold what it looks for.
    if size > 2 * max_depth and text.count("[") + text.count("{") > max_depth:
        _check_depth(value, max_depth)
    if "\\" in text and _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


_READ, _WRITE = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
"""Both together take half the time of the reader below, which asks about every object."""


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed(Code.DUPLICATE_MEMBER, "a JSON object has two members of one name")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _refused("a JSON number is too large")
    return number


def _no_constant(_name: str) -> NoReturn:
    raise _refused("NaN and Infinity are not JSON")


def _check_depth(value: object, max_depth: int) -> None:
    """Walk level by level, without recursion."""
    level = [value]
    depth = 0
    while containers := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > max_depth:
            raise _refused(f"JSON is nested deeper than {max_depth} levels")
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]


def _check_surrogates(value: object) -> None:
    """Refuse strings that hold half a surrogate pair: no UTF-8 exists for them."""
    try:
        _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise _refused("a JSON string holds half a surrogate pair") from None


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_members, parse_float=_finite, parse_constant=_no_constant)
_SCAN = make_scanner(_DECODER)  # type: ignore[arg-type]  # typeshed names the class itself; any object with its settings does
_quoted: Callable[[str], str] = json.encoder.encode_basestring
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _made_once() -> Callable[[Any, int], Iterable[str]] | None:
    """Return the encoder that ``JSONEncoder.encode`` makes anew at every call; None where the interpreter has none.

    It keeps no state between calls: without a table of containers on the way down, a value that holds itself ends in a
    RecursionError, which is refused like every other.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return None
    text: Any = json.encoder.encode_basestring
    made: Callable[[Any, int], Iterable[str]] = make(
        None, _ENCODER.default, text, None, _ENCODER.key_separator, _ENCODER.item_separator, False, False, False
    )
    return made


_ITERATE = _made_once()
