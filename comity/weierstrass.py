"""Points of P-256 and P-384, as numbers: whether a key *is* one costs less than a key object that nobody will use."""

from comity.errors import Code, Malformed

_CURVES = {
    "P-256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "P-384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
}
"""The prime p of the field and the coefficient b of each curve y^2 = x^3 - 3x + b (SP 800-186 §3.2.1)."""


def check_point(curve: str, x: bytes, y: bytes) -> None:
    """Refuse coordinates that are no point of ``curve`` (SP 800-56A §5.6.2.3.4); neither has points of small order.

    Raises:
        Malformed: ``malformed_key``.
    """
    prime, b = _CURVES[curve]
    x_number, y_number = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    # Step 2: both lie in the field. Step 3: they fulfil the curve's equation.
    in_field = x_number < prime and y_number < prime
    if not in_field or (y_number * y_number - (x_number * x_number - 3) * x_number - b) % prime:
        raise Malformed(Code.MALFORMED_KEY, "the key is not a point of its curve")
