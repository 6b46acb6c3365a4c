"""Points of Ed25519 that can be somebody's key; ``cryptography`` takes any 32 bytes."""

from comity.errors import Code, Malformed

_FIELD_PRIME = 2**255 - 19
_EDWARDS_D = -121665 * pow(121666, -1, _FIELD_PRIME) % _FIELD_PRIME


def check_point(data: bytes) -> None:
    """Refuse 32 bytes that are no point (RFC 8032 §5.1.3), and points of small order, under which anything verifies.

    Raises:
        Malformed: ``malformed_key``.
    """
    y = int.from_bytes(data, "little") & (2**255 - 1)  # the highest bit is the sign of x
    if y >= _FIELD_PRIME:
        raise _refused("the key is not a canonical point of its curve")
    # RFC 8032 §5.1.3 step 2: x^2 = (y^2 - 1) / (d y^2 + 1) must be a square.
    y2 = y * y % _FIELD_PRIME
    x2 = (y2 - 1) * pow(_EDWARDS_D * y2 + 1, -1, _FIELD_PRIME) % _FIELD_PRIME
    if pow(x2, (_FIELD_PRIME - 1) // 2, _FIELD_PRIME) not in (0, 1):
        raise _refused("the key is not a point of its curve")
    if _has_small_order(x2, y2):
        raise _refused("the key is a point of small order")


def _has_small_order(x2: int, y2: int) -> bool:
    """Say whether eight times the point is the neutral element, from the squares of its coordinates.

    Order 1, 2: x = 0. Order 4: y = 0. Order 8: doubling gives a point of order 4, whose y is 0; the y of the double
    is (y^2 + x^2) / (1 - d x^2 y^2), so y^2 = -x^2.
    """
    return x2 == 0 or y2 == 0 or (x2 + y2) % _FIELD_PRIME == 0


def _refused(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED_KEY, detail)
