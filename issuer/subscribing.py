"""An authority's own webhooks: its administrator says which systems are told, and the audit log says who did.

Only what tells of this one authority is seen and changed here. Addresses that are told of every authority's records
are the operator's: ``comity issuer webhook``.
"""

from collections.abc import Sequence
from enum import StrEnum

from comity.errors import Code, ComityError, NotFound
from comity.runtime.urls import require_allowed
from comity.runtime.webhooks.outbox import Delivery, Endpoint
from comity.runtime.webhooks.state import EVERYONE, State
from issuer.deployment import Deployment
from issuer.store import Connection, audit

MOST = 20
"""Addresses that one authority may have: everything that happens is laid ready for each."""
LONGEST_URL = 2048


class Wrong(StrEnum):
    """Why an address is not added; the words are ``webhooks.wrong_<value>``."""

    ADDRESS = "address"
    KNOWN = "known"
    FULL = "full"


async def own(deployment: Deployment, authority: str) -> tuple[Endpoint, ...]:
    """Return the addresses that are told of this authority's records and no others', the oldest first."""
    return tuple(each for each in await deployment.webhooks.all() if each.scope == authority)


async def of_the_operator(deployment: Deployment) -> int:
    """Return how many addresses are told of every authority's records."""
    return sum(each.scope == EVERYONE for each in await deployment.webhooks.all())


async def find(deployment: Deployment, authority: str, endpoint_id: str) -> Endpoint:
    """Return one of the authority's own addresses.

    Raises:
        NotFound: there is none with this id, or it is another authority's or the operator's.
    """
    for each in await own(deployment, authority):
        if each.id == endpoint_id:
            return each
    raise _unknown()


async def add(
    deployment: Deployment, authority: str, url: str, types: Sequence[str], *, actor: str
) -> tuple[Endpoint, str] | Wrong:
    """Add an address and return it with its secret, which is shown this once; or say what is wrong.

    Whether the address answers, and with what name it is reached, shows when something is sent.
    """
    if not may_be_told(deployment, url):
        return Wrong.ADDRESS
    endpoint, secret = deployment.webhooks.new(url, scope=authority, types=types)

    def save(connection: Connection) -> Wrong | None:
        known = [each for each in deployment.webhooks.outbox.all(connection) if each.scope == authority]
        if any(each.url == url for each in known):
            return Wrong.KNOWN
        if len(known) >= MOST:
            return Wrong.FULL
        deployment.webhooks.outbox.add(connection, endpoint)
        _note(connection, deployment, endpoint, "webhook_added", actor)
        return None

    wrong = await deployment.database.write(save)
    return wrong if wrong is not None else (endpoint, secret)


async def renew(deployment: Deployment, endpoint: Endpoint, *, actor: str) -> str:
    """Give an address another secret and return it, this once.

    Raises:
        NotFound: it was removed meanwhile.
    """
    secret, sealed = deployment.webhooks.new_secret(endpoint.id)

    def change(connection: Connection) -> bool:
        if not deployment.webhooks.outbox.renew(connection, endpoint.id, sealed_secret=sealed):
            return False
        _note(connection, deployment, endpoint, "webhook_renewed", actor)
        return True

    if not await deployment.database.write(change):
        raise _unknown()
    return secret


async def remove(deployment: Deployment, endpoint: Endpoint, *, actor: str) -> None:
    """Remove an address with all that waits for it; doing it again changes nothing."""

    def drop(connection: Connection) -> None:
        if deployment.webhooks.outbox.remove(connection, endpoint.id):
            _note(connection, deployment, endpoint, "webhook_removed", actor)

    await deployment.database.write(drop)


async def last(deployment: Deployment, endpoint: Endpoint) -> Delivery | None:
    """Return what was last to be told; None when nothing was yet."""
    found = await deployment.webhooks.log(endpoint.id, state=None, limit=1)
    return found[0] if found else None


async def has_given_up(deployment: Deployment, endpoint: Endpoint) -> bool:
    """Say whether something was given up that can be sent once more."""
    return bool(await deployment.webhooks.log(endpoint.id, state=State.GIVEN_UP, limit=1))


def may_be_told(deployment: Deployment, url: str) -> bool:
    """Say whether the text of an address is one that the service sends to."""
    if len(url) > LONGEST_URL:
        return False
    try:
        require_allowed(url, allow_loopback_http=deployment.webhooks.allow_loopback_http)
    except ComityError:
        return False
    return True


def _note(connection: Connection, deployment: Deployment, endpoint: Endpoint, action: str, actor: str) -> None:
    event = audit.Event(at=deployment.now(), actor=actor, action=action, authority=endpoint.scope, subject=endpoint.id)
    audit.record(connection, event)


def _unknown() -> NotFound:
    return NotFound(Code.NOT_FOUND, "there is no such webhook")
