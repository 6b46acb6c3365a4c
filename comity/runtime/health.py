"""How an installation is: what ``comity doctor`` finds, as findings without words. Nothing is changed by looking."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity.errors import ComityError, Malformed
from comity.ports import Clock, Fetched, Fetcher, FetchRequest
from comity.runtime.held import registry_client
from comity.runtime.installation import Installation
from comity.runtime.keystore import FileKeyStore
from comity.runtime.settings import ServiceSettings, is_set, load, masked
from comity.runtime.status_cache import kept_copies
from comity.status import bitstring_list, token_list
from comity.status.status_list import StatusList
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.credential import CLOCK_SKEW
from comity.verification.status import BITSTRING_LIST_TYPE, TOKEN_LIST_TYPE

SETTINGS = "comity.settings"
"""Entry point group under which services register their settings class."""

PROBES: Mapping[str, str] = {"registry": "/metadata/timestamp.json", "status": "/healthz"}
_PROBE = "/readyz"
_KEY_SERVICES = ("issuer", "verifier")


class State(StrEnum):
    """Whether a finding is good."""

    WELL = "well"
    NOTE = "note"
    UNWELL = "unwell"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        key: what was found; the words for it are ``cli.doctor_<key>``.
        state: whether that is good.
        facts: what the words are filled with: texts, numbers, ``datetime``; ages are ``timedelta``.
    """

    key: str
    state: State
    facts: Mapping[str, Any]


def _well(key: str, **facts: Any) -> Finding:
    return Finding(key=key, state=State.WELL, facts=facts)


def _note(key: str, **facts: Any) -> Finding:
    return Finding(key=key, state=State.NOTE, facts=facts)


def _unwell(key: str, **facts: Any) -> Finding:
    return Finding(key=key, state=State.UNWELL, facts=facts)


def of_settings() -> Iterator[Finding]:
    """Yield the effective settings of each service that this environment configures; secrets are masked."""
    for service in sorted(entry_points(group=SETTINGS), key=lambda each: each.name):
        cls: type[ServiceSettings] = service.load()
        if not is_set(cls):
            continue
        try:
            settings = load(cls)
        except ComityError as error:
            yield _unwell("settings_wrong", service=service.name, detail=error.detail)
            continue
        yield _well("settings", service=service.name, settings=masked(settings))
        if service.name in _KEY_SERVICES:
            yield of_keys(service.name, settings.data_folder)


def of_keys(service: str, data_folder: Path) -> Finding:
    """Say whether the keys of a service are where it looks for them, readable, and by nobody else."""
    folder = data_folder / "keys"
    store = FileKeyStore(folder)
    names = store.names()
    unusable = [reason for name in names if (reason := _unusable(store, name))]
    if not names:
        return _unwell("keys_none", service=service, folder=str(folder))
    if unusable:
        return _unwell("keys_unusable", service=service, folder=str(folder), count=len(unusable), detail=unusable[0])
    return _well("keys", service=service, count=len(names), folder=str(folder))


def _unusable(store: FileKeyStore, name: str) -> str:
    """Return why a key cannot be used, the empty string when it can."""
    try:
        store.signer(name)
    except ComityError as error:
        return error.detail
    return ""


async def of_installation(against: Installation, fetcher: Fetcher, clock: Clock, *, ask: bool) -> list[Finding]:
    """Return how the registry, the status lists, the clock, the keys and the services are.

    Args:
        against: where to look.
        fetcher: asks the services; the registry's host also tells the time.
        clock: this machine's.
        ask: refresh the registry; False reads what is kept, so that the one who keeps it is not disturbed.
    """
    snapshot, findings = await _registry(against, fetcher, clock, ask=ask)
    lists = list(_lists(against, clock))
    findings += [_of_lists(lists, clock)]
    answers = {
        name: await _probe(fetcher, url + PROBES.get(name, _PROBE))
        for name, url in {"registry": against.registry_url, **against.services}.items()
    }
    findings.append(_of_clock(answers["registry"], snapshot, [each for _, each in lists if each], clock))
    for service in _KEY_SERVICES:
        if service in against.data_folders:
            findings.append(of_keys(service, Path(against.data_folders[service])))
    urls = {"registry": against.registry_url, **against.services}
    findings += [_of_service(name, urls[name], answer) for name, answer in answers.items()]
    return findings


async def _registry(
    against: Installation, fetcher: Fetcher, clock: Clock, *, ask: bool
) -> tuple[RegistrySnapshot | None, list[Finding]]:
    try:
        client = registry_client(against, fetcher, clock)
        snapshot = await client.refresh() if ask else client.snapshot()
    except ComityError as error:
        return None, [_unwell("registry_none", code=error.code.value, detail=error.detail)]
    now = clock.now()
    facts = {
        "age": now - snapshot.fetched_at,
        "root_version": snapshot.root_version,
        "expires_at": snapshot.expires_at,
        "members": len(snapshot.federation.members),
        "issuers": len({entry.authority for entry in snapshot.issuers()}),
        "anchors": len({entry.identifier.anchor_sha256 for entry in snapshot.issuers()} - {None}),
    }
    found = [_unwell("registry_expired", **facts) if snapshot.is_expired_at(now) else _well("registry", **facts)]
    if ask and client.last_error is not None:
        found.append(_unwell("registry_old", code=client.last_error.code.value, detail=client.last_error.detail))
    if snapshot.alerts:
        found.append(_note("registry_alerts", count=len(snapshot.alerts)))
    return snapshot, found


def _lists(against: Installation, clock: Clock) -> Iterator[tuple[timedelta, StatusList | None]]:
    """Yield the age of each status list at hand, and the list as far as it can be read; nothing is verified."""
    for copy in kept_copies(Path(against.status_cache)):
        reader = {TOKEN_LIST_TYPE: _token_list, BITSTRING_LIST_TYPE: _bitstring_list}.get(copy.content_type)
        if reader is None:
            continue  # a DID document
        try:
            found = reader(copy.body.decode("ascii"))
        except (Malformed, UnicodeDecodeError):
            found = None
        yield clock.now() - copy.fetched_at, found


def _token_list(text: str) -> StatusList:
    return token_list.decode(token_list.open(text))


def _bitstring_list(text: str) -> StatusList:
    return bitstring_list.decode(bitstring_list.open(text))


def _of_lists(lists: list[tuple[timedelta, StatusList | None]], clock: Clock) -> Finding:
    if not lists:
        return _note("lists_none")
    ages = [age for age, _ in lists]
    unreadable = sum(each is None for _, each in lists)
    ended = sum(
        each.expires_at is not None and each.expires_at <= clock.now() - CLOCK_SKEW for _, each in lists if each
    )
    facts = {"count": len(lists), "newest": min(ages), "oldest": max(ages), "ended": ended, "unreadable": unreadable}
    return _unwell("lists_unfit", **facts) if ended or unreadable else _well("lists", **facts)


def _of_clock(
    answer: Fetched | None, snapshot: RegistrySnapshot | None, lists: list[StatusList], clock: Clock
) -> Finding:
    """Compare with the registry host's clock; without an answer, with the newest signed or kept instant."""
    now = clock.now()
    told = _date_of(answer)
    if told is not None and answer is not None:
        offset = (answer.fetched_at - told).total_seconds()
        is_well = abs(offset) <= CLOCK_SKEW.total_seconds()
        return (_well if is_well else _unwell)("clock" if is_well else "clock_off", seconds=round(offset))
    known = [each.issued_at for each in lists] + ([snapshot.fetched_at] if snapshot else [])
    newest = max(known, default=now)
    if newest > now + CLOCK_SKEW:
        return _unwell("clock_behind", newest=newest)
    return _note("clock_unknown")


def _date_of(answer: Fetched | None) -> datetime | None:
    """Return when the host said it answered (RFC 9110 §6.6.1), None when it did not say."""
    try:
        told = parsedate_to_datetime(answer.headers["date"]) if answer is not None else None
    except (KeyError, ValueError):
        return None
    return told if told is not None and told.tzinfo is not None else None


async def _probe(fetcher: Fetcher, url: str) -> Fetched | None:
    try:
        return await fetcher.fetch(FetchRequest(url=url))
    except ComityError:
        return None


def _of_service(name: str, url: str, answer: Fetched | None) -> Finding:
    if answer is None:
        return _unwell("service_down", service=name, url=url)
    if answer.status != 200:
        return _unwell("service_not_ready", service=name, url=url, status=answer.status)
    return _well("service", service=name, url=url)
