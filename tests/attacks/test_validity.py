"""Times to the second, as instants, with the one clock skew (catalogue C03, C05, J19, V03; profile C7)."""

from datetime import timedelta
from typing import Any

import pytest

from comity.credential import Format, SignedCredential
from comity.errors import Code
from comity.verification.checks import CheckName
from tests.support.forging import BOTH, GONE, accepted, held_in, issuer_signer, licence, rejected, resigned
from tests.support.world import NOW, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT
SECONDS = int(NOW.timestamp())


def stating(world: World, credential_format: Format, **payload: Any) -> SignedCredential:
    """A licence that says exactly this about its times, whatever the issuer's rounding."""
    signer = issuer_signer(world.on, credential_format)
    return resigned(licence(world, credential_format), signer, payload=payload)


@BOTH
@pytest.mark.parametrize(("after_the_end", "good"), [(-1, True), (0, True), (59, True), (60, False), (61, False)])
@pytest.mark.clause("2a-3")
@pytest.mark.attack("C03")
@pytest.mark.good_twin("C03")
def test_the_second_at_which_it_ends(world: World, credential_format: Format, after_the_end: int, good: bool) -> None:
    held = licence(world, credential_format, valid_until=NOW - timedelta(seconds=after_the_end))
    result = held_in(world, held.encoded)
    if good:
        accepted(result)
    else:
        rejected(result, CheckName.VALIDITY_PERIOD, Code.EXPIRED)
        assert world.on.list_uri() not in world.asked


@BOTH
@pytest.mark.parametrize(("before_the_start", "good"), [(0, True), (60, True), (61, False)])
@pytest.mark.clause("2a-6")
@pytest.mark.attack("C03")
@pytest.mark.good_twin("C03")
def test_the_second_at_which_it_begins(
    world: World, credential_format: Format, before_the_start: int, good: bool
) -> None:
    held = stating(world, credential_format, nbf=SECONDS + before_the_start)
    issued_later = stating(world, credential_format, iat=SECONDS + before_the_start)
    for each in (held, issued_later):
        result = held_in(world, each.encoded)
        if good:
            accepted(result)
        else:
            rejected(result, CheckName.VALIDITY_PERIOD, Code.NOT_YET_VALID)
            assert world.on.list_uri() not in world.asked


@pytest.mark.parametrize(
    ("until", "good"),
    [
        ("2026-11-24T02:00:00+14:00", True),
        ("2026-11-24T01:58:59+14:00", False),
        ("2026-11-23T08:30:00-03:30", True),
        ("2026-11-23T08:28:59-03:30", False),
        ("2026-11-23T11:59:01Z", True),
        ("2026-11-23T11:59:00Z", False),
    ],
)
@pytest.mark.clause("C7")
@pytest.mark.attack("C05")
@pytest.mark.good_twin("C05")
def test_a_zone_is_part_of_the_instant(world: World, until: str, good: bool) -> None:
    result = held_in(world, stating(world, VC, validUntil=until).encoded)
    if good:
        accepted(result)
    else:
        rejected(result, CheckName.VALIDITY_PERIOD, Code.EXPIRED)


@pytest.mark.parametrize("member", ["validFrom", "validUntil"])
@pytest.mark.parametrize(
    "value", ["2026-11-23T12:00:00", "2026-11-23", "2026-11-23 12:00:00Z", "2026-12-31T23:59:60Z", 1795435200, None, ""]
)
@pytest.mark.attack("C05")
def test_a_time_without_a_zone_is_no_time(world: World, member: str, value: Any) -> None:
    rejected(held_in(world, stating(world, VC, **{member: value}).encoded), CheckName.WELL_FORMED, Code.TIME_MALFORMED)


@BOTH
@pytest.mark.parametrize("member", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["2027-01-01T00:00:00", "4000000000", -1, True, None, 1e300, [1]])
@pytest.mark.attack("J19")
def test_a_time_of_the_wrong_kind(world: World, credential_format: Format, member: str, value: Any) -> None:
    held = stating(world, credential_format, **{member: value})
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.TIME_MALFORMED)


@BOTH
@pytest.mark.clause("2a-6")
def test_a_period_that_ends_before_it_begins(world: World, credential_format: Format) -> None:
    held = stating(world, credential_format, nbf=SECONDS - 50, exp=SECONDS - 51)
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.TIME_MALFORMED)
    accepted(held_in(world, stating(world, credential_format, nbf=SECONDS - 50, exp=SECONDS - 50).encoded))


def test_the_earlier_end_and_the_later_start_count_in_w3c_credentials(world: World) -> None:
    ended = stating(world, VC, exp=SECONDS - 60, validUntil="2030-01-01T00:00:00Z")
    rejected(held_in(world, ended.encoded), CheckName.VALIDITY_PERIOD, Code.EXPIRED)
    early = stating(world, VC, nbf=SECONDS - 100, validFrom="2026-11-23T12:01:01Z")
    rejected(held_in(world, early.encoded), CheckName.VALIDITY_PERIOD, Code.NOT_YET_VALID)
    accepted(held_in(world, stating(world, VC, exp=SECONDS, nbf=SECONDS).encoded))


def test_a_credential_without_an_end_does_not_end(world: World) -> None:
    accepted(held_in(world, stating(world, SD, exp=GONE, nbf=GONE).encoded))
    accepted(held_in(world, stating(world, VC, validUntil=GONE).encoded))


@BOTH
@pytest.mark.attack("C06")
def test_expired_or_revoked_it_is_refused_for_its_own_reason(world: World, credential_format: Format) -> None:
    """C06: a credential that has ended is not saved by a good list, and nobody asks for the list."""
    ended = licence(world, credential_format, valid_until=NOW - timedelta(days=1))
    result = held_in(world, ended.encoded)
    rejected(result, CheckName.VALIDITY_PERIOD, Code.EXPIRED)
    assert result.credentials[0].check(CheckName.STATUS).code is Code.NOT_NEEDED
    assert [url for url in world.asked if "status" in url] == []
