"""Points of P-256 and P-384, each refusal beside a point that is one."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from comity import weierstrass
from comity.errors import Code, Malformed

CURVES: dict[str, tuple[ec.EllipticCurve, int, int]] = {
    "P-256": (ec.SECP256R1(), 32, 2**256 - 2**224 + 2**192 + 2**96 - 1),
    "P-384": (ec.SECP384R1(), 48, 2**384 - 2**128 - 2**96 + 2**32 - 1),
}


def is_point(curve: str, x: int, y: int) -> bool:
    """Say whether it is one, and find that OpenSSL says the same."""
    known, size, _ = CURVES[curve]
    encoded = x.to_bytes(size, "big"), y.to_bytes(size, "big")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(known, b"\x04" + b"".join(encoded))
    except ValueError:
        with pytest.raises(Malformed) as refusal:
            weierstrass.check_point(curve, *encoded)
        assert refusal.value.code is Code.MALFORMED_KEY
        return False
    weierstrass.check_point(curve, *encoded)
    return True


@pytest.mark.parametrize("curve", CURVES)
def test_a_point_is_one_and_its_neighbours_are_not(curve: str) -> None:
    known, _, prime = CURVES[curve]
    numbers = ec.derive_private_key(12345, known).public_key().public_numbers()
    assert is_point(curve, numbers.x, numbers.y)
    assert is_point(curve, numbers.x, prime - numbers.y)
    assert not is_point(curve, numbers.x, numbers.y + 1)
    assert not is_point(curve, numbers.x + 1, numbers.y)
    assert not is_point(curve, numbers.y, numbers.x)
    assert not is_point(curve, 0, 0)


@pytest.mark.parametrize("curve", CURVES)
def test_a_number_beyond_the_field_is_no_coordinate(curve: str) -> None:
    known, _, prime = CURVES[curve]
    # The decompressed points with the smallest x: only those are still short enough with the prime added.
    for x in range(100):
        try:
            compressed = b"\x02" + x.to_bytes(known.key_size // 8, "big")
            y = ec.EllipticCurvePublicKey.from_encoded_point(known, compressed).public_numbers().y
        except ValueError:
            continue
        assert is_point(curve, x, y)
        assert not is_point(curve, x + prime, y)
        return
    raise AssertionError("half of all numbers are the x of a point")
