"""From a revocation to the signed list of 2^20 entries, beside packing the whole list with zlib at level 9."""

import secrets
import time
import zlib
from datetime import timedelta

from benchmarks.credentials import Row
from comity import x509
from comity.credential import Status, X5c
from comity.status import token_list
from comity.status.bits import StatusBits
from tests.support.world import NOW, World

SIZE, REVOKED, ROUNDS = 1 << 20, 0.01, 5


def measure() -> list[Row]:
    """Set one more bit, pack and sign; taking turns with the yardstick."""
    world, bits = World(), StatusBits(SIZE, 2)
    for _ in range(int(SIZE * REVOKED)):
        bits.set(secrets.randbelow(SIZE), Status.REVOKED.value)
    plane = bits.plane(Status.REVOKED.value).least_first()
    best = {"ours": float("inf"), "zlib": float("inf")}
    for _ in range(ROUNDS):
        started = time.process_time()
        _revoke(world, bits)
        between = time.process_time()
        zlib.compress(plane, 9)
        ended = time.process_time()
        best["ours"] = min(best["ours"], (between - started) * 1e6)
        best["zlib"] = min(best["zlib"], (ended - between) * 1e6)
    return [
        Row(
            measure="revocation → signed token list of 2^20 two-bit entries",
            against="zlib level 9, one bit an entry",
            ours_us=best["ours"],
            yardstick_us=best["zlib"],
            must=1 / 50,
        )
    ]


def _revoke(world: World, bits: StatusBits) -> None:
    bits.set(secrets.randbelow(SIZE), Status.REVOKED.value)
    token_list.sign(
        uri="https://status.example/ca-on/services/status/1",
        bits=bits,
        ttl_seconds=300,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
        signer=world.on.status_key,
        key=X5c(chain=(x509.to_base64(world.on.status_leaf),)),
    )
