"""Deferred: credentials that an issuer has promised and not delivered yet, as lines of the journal that wait.

Nothing outside the vault says that somebody waits for something, so no timer of the service can ask for it: it is asked
for whenever the wallet is open and looked at, and never before the issuer's interval is over (decision record 0025).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from comity.credential import CredentialType
from comity.openid.issuance.credential_response import Deferred
from comity.web import i18n
from wallet import type_names
from wallet.records import PENDING, Kept, OpenWallet

LONGEST_INTERVAL = 30 * 24 * 3600
"""Seconds after which an issuer is asked again at the latest, however long it told the wallet to wait."""


def waiting(line: Mapping[str, Any], told: Deferred, now: datetime) -> dict[str, Any]:
    """Return a line that waits for what the issuer promised."""
    interval = min(told.interval, LONGEST_INTERVAL)
    ask_after = now + timedelta(seconds=interval)
    return {
        **line,
        "transaction_id": told.transaction_id,
        "interval": interval,
        "ask_after": ask_after.isoformat(),
    }


def postponed(line: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a waiting line about which the issuer is asked now, and not again before its interval is over."""
    return {**line, "ask_after": (now + timedelta(seconds=line["interval"])).isoformat()}


def is_waiting(line: Mapping[str, Any]) -> bool:
    """Say whether the line waits for the issuer, not for anything in the wallet."""
    return "transaction_id" in line and "encoded" not in line


def is_due(line: Mapping[str, Any], now: datetime) -> bool:
    """Say whether a waiting line may be asked about (§9.2: no sooner than the interval)."""
    return datetime.fromisoformat(line["ask_after"]) <= now


async def on_the_way(wallet: OpenWallet) -> list[Kept]:
    """Return what was promised and has not come yet, oldest first."""
    return [each for each in await wallet.all(PENDING) if is_waiting(each.content)]


def document(kept: Kept, language: str) -> dict[str, Any]:
    """Return what is on its way, for people."""
    line, names = kept.content, kept.content.get("title") or {}
    return {
        "id": kept.id,
        "title": i18n.pick(names, language)
        if names
        else type_names.name_of(CredentialType.from_vct(line["type_name"]), language) or line["type_name"],
        "issuer": line["issuer"],
        "since": kept.created_at.isoformat(),
        "ask_after": line["ask_after"],
    }
