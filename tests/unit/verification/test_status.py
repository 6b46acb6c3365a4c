"""Check 12 through the machine: what the authority says, how old it is, and who says it (profile 3.2 to 3.4)."""

from datetime import timedelta
from typing import Any

import pytest

from comity import formats
from comity.credential import Format, Status, StatusEntry
from comity.errors import Code
from comity.formats.opened import ProcessedCredential
from comity.status.bits import StatusBits
from comity.verification.checks import CheckName, Outcome, Result, Verdict
from comity.verification.evidence import Needs, Obtained, Source
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand, judge, lists_seen
from tests.support.forging import (
    BOTH,
    GONE,
    accepted,
    forged,
    held_in,
    issuer_signer,
    licence,
    rejected,
    resigned,
    undetermined,
)
from tests.support.world import LIST_SIZE, NOW, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT
STATUS = CheckName.STATUS
SECOND = timedelta(seconds=1)
AUTHORITY = "https://status.example/ca-on/services/status"


def remark_of(result: Result) -> Code:
    """What an accepted status is said with."""
    assert result.verdict is Verdict.ACCEPTED
    return result.credentials[0].check(STATUS).code


@BOTH
@pytest.mark.parametrize(("value", "code"), [(Status.REVOKED, Code.REVOKED), (Status.SUSPENDED, Code.SUSPENDED)])
@pytest.mark.clause("2b-10")
def test_revoked_and_suspended(world: World, credential_format: Format, value: Status, code: Code) -> None:
    held = licence(world, credential_format)
    accepted(held_in(world, held.encoded))
    world.on.bits.set(7, value)
    world.publish()
    rejected(held_in(world, held.encoded), STATUS, code)
    world.on.bits.set(7, Status.VALID)
    world.on.bits.set(6, value)
    world.on.bits.set(8, value)
    world.publish()
    accepted(held_in(world, held.encoded))


@BOTH
@pytest.mark.clause("BSL-5")
@pytest.mark.attack("V07")
def test_every_entry_counts_and_the_worst_is_told(world: World, credential_format: Format) -> None:
    """V07: a credential that is suspended under its second entry is suspended."""
    held = licence(world, credential_format)
    facts = held_in(world, held.encoded).credentials[0].check(STATUS).facts
    entries = world.on.status_entries(credential_format, 7)
    assert [each["uri"] for each in facts["lists"]] == [each.list_uri for each in entries]
    assert facts["unfit"] == []


def test_revoked_outranks_suspended_and_both_outrank_a_list_that_is_missing(world: World) -> None:
    held = licence(world, VC)
    revoked, suspended = StatusBits(LIST_SIZE, 1), StatusBits(LIST_SIZE, 1)
    for bits in (revoked, suspended):
        bits.set(7, 1)
    world.put(world.on.list_uri("suspension"), world.on.bitstring_list("suspension", bits=suspended).encode())
    rejected(held_in(world, held.encoded), STATUS, Code.SUSPENDED)
    world.put(world.on.list_uri("revocation"), world.on.bitstring_list("revocation", bits=revoked).encode())
    rejected(held_in(world, held.encoded), STATUS, Code.REVOKED)
    del world.evidence[world.on.list_uri("suspension")]
    rejected(held_in(world, held.encoded), STATUS, Code.REVOKED)


# --- where it stands


def test_a_credential_without_a_status_is_undetermined(world: World) -> None:
    for credential_format in Format:
        held = licence(world, credential_format, status=())
        undetermined(held_in(world, held.encoded), STATUS, Code.STATUS_MISSING)


@pytest.mark.parametrize(
    ("credential_format", "payload"),
    [
        (SD, {"status": {"identifier_list": {"id": "1"}}}),
        (SD, {"status": {}}),
        (VC, {"credentialStatus": {"type": "RevocationList2020Status"}}),
    ],
)
def test_a_mechanism_that_is_not_known(world: World, credential_format: Format, payload: dict[str, Any]) -> None:
    held = resigned(licence(world, credential_format), issuer_signer(world.on, credential_format), payload=payload)
    undetermined(held_in(world, held.encoded), STATUS, Code.STATUS_MECHANISM_UNKNOWN)
    assert [url for url in world.asked if "status" in url] == []


def entry_of(purpose: str, **changes: Any) -> dict[str, Any]:
    members = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": "7",
        "statusListCredential": f"{AUTHORITY}/0/{purpose}",
    }
    return {**members, **changes}


@pytest.mark.attack("V07")
def test_a_mechanism_that_is_not_known_beside_one_that_is(world: World) -> None:
    """V07: the entries that are understood do not vouch for the one that is not."""
    unknown = ({"type": "Other"}, entry_of("withdrawal"), entry_of("suspension", statusSize=2))
    entries = [{"credentialStatus": [entry_of("revocation"), second]} for second in unknown]
    all_held = [resigned(licence(world, VC), world.on.did_key, payload=each) for each in entries]
    for held in all_held:
        undetermined(held_in(world, held.encoded), STATUS, Code.STATUS_MECHANISM_UNKNOWN)
    world.on.bits.set(7, Status.REVOKED)
    world.publish()
    for held in all_held:
        rejected(held_in(world, held.encoded), STATUS, Code.REVOKED)


def test_an_entry_that_only_informs_decides_nothing(world: World) -> None:
    for second in (entry_of("refresh"), entry_of("message")):
        entries = [entry_of("revocation"), second]
        held = resigned(licence(world, VC), world.on.did_key, payload={"credentialStatus": entries})
        accepted(held_in(world, held.encoded))


@pytest.mark.parametrize("index", [-1, "7", 7.5, True, None, 2**70])
@pytest.mark.attack("L04")
def test_an_index_that_is_none(world: World, index: Any) -> None:
    status = {"status_list": {"idx": index, "uri": world.on.list_uri()}}
    held = resigned(licence(world, SD), world.on.key, payload={"status": status})
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.MALFORMED)


@pytest.mark.parametrize("index", ["-1", "007", "7.0", "abc", 7, GONE])
@pytest.mark.attack("L04")
def test_an_index_that_is_none_in_a_w3c_entry(world: World, index: Any) -> None:
    entry = {k: v for k, v in entry_of("revocation", statusListIndex=index).items() if v is not GONE}
    held = resigned(licence(world, VC), world.on.did_key, payload={"credentialStatus": [entry]})
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.MALFORMED)


@BOTH
@pytest.mark.clause("TSL-4")
@pytest.mark.attack("L04")
@pytest.mark.good_twin("L04")
def test_an_index_outside_the_list(world: World, credential_format: Format) -> None:
    entries = world.on.status_entries(credential_format, LIST_SIZE)
    rejected(
        held_in(world, licence(world, credential_format, status=entries).encoded),
        STATUS,
        Code.STATUS_INDEX_OUT_OF_RANGE,
    )
    last = world.on.status_entries(credential_format, LIST_SIZE - 1)
    accepted(held_in(world, licence(world, credential_format, status=last).encoded))


@pytest.mark.parametrize(
    "uri",
    [
        "https://status.example/ca-bc/services/status/0",
        "https://evil.example/list",
        "https://status.example/ca-on/services/status",
        "https://status.example/ca-on/services/statuses/0",
        "http://status.example/ca-on/services/status/0",
        "https://status.example.evil.example/ca-on/services/status/0",
    ],
)
@pytest.mark.attack("L12")
def test_a_list_at_an_address_that_nobody_vouches_for_is_never_fetched(world: World, uri: str) -> None:
    held = licence(world, SD, status=(StatusEntry(list_uri=uri, index=7),))
    world.put(uri, world.on.token_list(uri=uri).encode())
    rejected(held_in(world, held.encoded), STATUS, Code.STATUS_LIST_UNTRUSTED)
    assert world.asked == []


def test_an_issuer_without_a_status_signer_of_the_kind(world: World) -> None:
    entry = world.documents["ca-on/issuers.json"]["issuers"][0]
    token, bitstring = entry["status_signers"]
    entry["status_signers"] = [bitstring]
    rejected(held_in(world, licence(world, SD).encoded), STATUS, Code.STATUS_LIST_UNTRUSTED)
    accepted(held_in(world, licence(world, VC).encoded))
    entry["status_signers"] = [token]
    rejected(held_in(world, licence(world, VC).encoded), STATUS, Code.STATUS_LIST_UNTRUSTED)


# --- how old it is


@BOTH
@pytest.mark.clause("3-4")
@pytest.mark.attack("L01")
def test_a_list_that_cannot_be_had_leaves_it_open(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format)
    last = world.on.status_entries(credential_format, 7)[-1].list_uri
    del world.evidence[last]
    undetermined(held_in(world, held.encoded), STATUS, Code.STATUS_UNAVAILABLE)
    assert last in world.asked


@BOTH
def test_without_any_word_from_the_shell_it_is_left_open(world: World, credential_format: Format) -> None:
    held, snapshot = licence(world, credential_format), world.snapshot()
    outcome = verify_held(held.encoded, demand=world.demand(holder=None), status=StatusDemand(), snapshot=snapshot)
    served = {world.on.document_url: world.evidence[world.on.document_url]}
    while isinstance(outcome, Needs):
        lists = [need.url for need in outcome.wanted if "status" in need.url]
        outcome = outcome.resume({} if lists else served)
    undetermined(outcome, STATUS, Code.STATUS_UNAVAILABLE)


def test_the_signers_document_missing_leaves_it_open(world: World) -> None:
    """The list is there, but whose key signed it cannot be looked up: its DID is not the issuer's own."""
    entry = world.documents["ca-on/issuers.json"]["issuers"][0]
    entry["status_signers"][1] |= {"id": world.bc.did, "key_thumbprints": [world.bc.did_key.thumbprint]}
    for purpose in ("revocation", "suspension"):
        token = world.on.bitstring_list(purpose, issuer=world.bc.did, signer=world.bc.did_key, key=world.bc.kid)
        world.put(world.on.list_uri(purpose), token.encode())
    held = licence(world, VC)
    accepted(held_in(world, held.encoded))
    assert world.bc.document_url in world.asked
    del world.evidence[world.bc.document_url]
    undetermined(held_in(world, held.encoded), STATUS, Code.STATUS_UNAVAILABLE)
    entry_of_on = world.snapshot().find_issuer(world.on.did, "vc+jwt")
    processed = examined(world, held.encoded)
    assert entry_of_on is not None
    check = judge(processed, entry_of_on, world.evidence, StatusDemand(), NOW)
    assert (check.outcome, check.code) == (Outcome.UNKNOWN, Code.STATUS_UNAVAILABLE)


def examined(world: World, encoded: str) -> ProcessedCredential:
    """The processed credential, its signature taken as good."""
    kind = formats.FORMATS[formats.of(encoded)]
    return kind.process(kind.open(encoded).credentials[0])


def aged(world: World, *, fetched: timedelta, source: Source = Source.CACHED_HOST_DOWN, **changes: Any) -> Result:
    """The answer on a list that was fetched so long ago."""
    world.put(world.on.list_uri(), world.on.token_list(**changes).encode(), fetched_at=NOW - fetched, source=source)
    return held_in(world, licence(world, SD).encoded)


@pytest.mark.parametrize("source", [Source.FETCHED, Source.REVALIDATED, Source.CACHED])
def test_a_fresh_list_needs_no_remark(world: World, source: Source) -> None:
    assert remark_of(aged(world, fetched=300 * SECOND, source=source)) is Code.OK


@pytest.mark.parametrize(
    ("ttl", "age", "code"),
    [
        (300, 300, Code.STATUS_FROM_CACHE),
        (300, 301, Code.STATUS_STALE),
        (1, 60, Code.STATUS_FROM_CACHE),
        (1, 61, Code.STATUS_STALE),
        (10**9, 86_400, Code.STATUS_FROM_CACHE),
        (10**9, 86_401, Code.STATUS_STALE),
    ],
)
def test_its_ttl_counts_from_the_fetch_and_within_bounds(world: World, ttl: int, age: int, code: Code) -> None:
    end: dict[str, Any] = {"issued_at": NOW - timedelta(days=2), "expires_at": NOW + timedelta(days=2)}
    assert remark_of(aged(world, fetched=age * SECOND, ttl_seconds=ttl, **end)) is code


@pytest.mark.parametrize(("ttl", "age", "code"), [(0, 61, Code.STATUS_STALE), (GONE, 61, Code.STATUS_FROM_CACHE)])
def test_a_ttl_of_nothing_is_short_and_none_at_all_is_long(world: World, ttl: Any, age: int, code: Code) -> None:
    token = forged(world.on.token_list(), world.on.status_key.sign, payload={"ttl": ttl})
    fetched_at = NOW - age * SECOND
    world.put(world.on.list_uri(), token.encode(), fetched_at=fetched_at, source=Source.CACHED_HOST_DOWN)
    assert remark_of(held_in(world, licence(world, SD).encoded)) is code


@pytest.mark.clause("3-4")
def test_a_policy_may_refuse_a_stale_list(world: World) -> None:
    held = licence(world, SD)
    world.put(world.on.list_uri(), world.on.token_list().encode(), fetched_at=NOW - 301 * SECOND, source=Source.CACHED)
    strict = StatusDemand(accept_stale=False)
    demand = world.demand(holder=None)
    undetermined(world.verify(held.encoded, demand=demand, status=strict), STATUS, Code.STATUS_STALE)
    accepted(world.verify(held.encoded, demand=demand))


@BOTH
@pytest.mark.parametrize(("seconds_past", "good"), [(0, True), (59, True), (60, False)])
@pytest.mark.attack("C03", "C06")
@pytest.mark.good_twin("C03", "C06")
def test_the_second_at_which_a_list_ends(
    world: World, credential_format: Format, seconds_past: int, good: bool
) -> None:
    end, start = NOW - seconds_past * SECOND, NOW - timedelta(days=1)
    world.put(world.on.list_uri(), world.on.token_list(start, expires_at=end).encode())
    for purpose in ("revocation", "suspension"):
        world.put(world.on.list_uri(purpose), world.on.bitstring_list(purpose, start, valid_until=end).encode())
    result = held_in(world, licence(world, credential_format).encoded)
    if good:
        accepted(result)
    else:
        undetermined(result, STATUS, Code.STATUS_UNAVAILABLE)


@BOTH
@pytest.mark.parametrize(("seconds_ahead", "good"), [(60, True), (61, False)])
def test_the_second_at_which_a_list_begins(
    world: World, credential_format: Format, seconds_ahead: int, good: bool
) -> None:
    world.publish(NOW + seconds_ahead * SECOND)
    result = held_in(world, licence(world, credential_format).encoded)
    if good:
        accepted(result)
    else:
        rejected(result, STATUS, Code.STATUS_LIST_INVALID)
        assert lists_seen(result.all_checks) == ()


@BOTH
@pytest.mark.attack("C06", "L10")
@pytest.mark.good_twin("C06", "L10")
def test_a_list_older_than_one_seen_before(world: World, credential_format: Format) -> None:
    """L10: the unrevoked past of a list does not undo a revocation."""
    held = licence(world, credential_format)
    uri = world.on.status_entries(credential_format, 7)[-1].list_uri
    served = world.evidence[uri]
    assert isinstance(served, Obtained)
    world.put(uri, served.body, newest_issued_at=NOW)
    accepted(held_in(world, held.encoded))
    world.put(uri, served.body, newest_issued_at=NOW + SECOND)
    rejected(held_in(world, held.encoded), STATUS, Code.STATUS_LIST_ROLLED_BACK)


def test_what_was_relied_on_is_told_for_the_cache(world: World) -> None:
    result = held_in(world, licence(world, SD).encoded)
    seen = lists_seen(result.all_checks)
    assert [(each.uri, each.issued_at, each.ttl_seconds) for each in seen] == [(world.on.list_uri(), NOW, 300)]


def test_the_demanded_age_travels_with_the_need(world: World) -> None:
    outcome = verify_held(
        licence(world, SD).encoded,
        demand=world.demand(holder=None),
        status=StatusDemand(max_age_seconds=5),
        snapshot=world.snapshot(),
    )
    assert isinstance(outcome, Needs)
    assert [(need.url, need.max_age_seconds) for need in outcome.wanted] == [(world.on.list_uri(), 5)]


# --- never asked without need


@BOTH
@pytest.mark.clause("TSL-3")
@pytest.mark.attack("L12")
def test_nobodys_status_is_asked_for_a_credential_that_is_refused(world: World, credential_format: Format) -> None:
    """L12: whatever fails first, the address in the credential is not fetched."""
    held = licence(world, credential_format, valid_until=NOW - timedelta(days=1))
    result = held_in(world, held.encoded)
    check = result.credentials[0].check(STATUS)
    assert (check.outcome, check.code, check.required) == (Outcome.NOT_RUN, Code.NOT_NEEDED, False)
    assert [url for url in world.asked if "status" in url] == []
