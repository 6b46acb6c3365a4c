"""Revoking, suspending and reinstating: one atomic change of a record, published a moment later.

The answer is given after the commit; the list is marked in the same transaction, so that a crash before publication
loses nothing (catalogue F11).
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from comity.credential import Status
from comity.errors import Code, Conflict, Denied, NotFound
from issuer import catalog
from issuer.deployment import Deployment
from issuer.store import Connection, audit, credentials, revocations
from issuer.store.credentials import IssuedCredential


class Change(StrEnum):
    """What can be done to a credential; the value is also the word in the audit log's past tense below."""

    REVOKE = "revoke"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"


class _Rule(Struct, frozen=True, kw_only=True):
    """Where a change starts and where it ends."""

    allowed_from: frozenset[Status]
    becomes: Status
    recorded_as: str


_RULES: Mapping[Change, _Rule] = {
    # Irreversible: no rule starts at REVOKED.
    Change.REVOKE: _Rule(
        allowed_from=frozenset({Status.VALID, Status.SUSPENDED}), becomes=Status.REVOKED, recorded_as="revoked"
    ),
    Change.SUSPEND: _Rule(allowed_from=frozenset({Status.VALID}), becomes=Status.SUSPENDED, recorded_as="suspended"),
    Change.REINSTATE: _Rule(allowed_from=frozenset({Status.SUSPENDED}), becomes=Status.VALID, recorded_as="reinstated"),
}


async def find(deployment: Deployment, credential_id: str) -> IssuedCredential:
    """Return the record of one credential.

    Raises:
        NotFound: ``credential_unknown``.
    """
    found = await deployment.database.read(lambda connection: credentials.find(connection, credential_id))
    if found is None:
        raise NotFound(Code.CREDENTIAL_UNKNOWN, "there is no record of such a credential")
    return found


async def change_status(
    deployment: Deployment, credential: IssuedCredential, change: Change, *, reason: str, actor: str
) -> IssuedCredential:
    """Revoke, suspend or reinstate all copies of a credential in its format; doing it again changes nothing.

    Raises:
        Conflict: ``status_change_not_allowed``: it is revoked, credentials of its type are not suspended, or it is to
            be reinstated while a revocation is under way (which is undone instead).
        Denied: ``not_permitted``: to revoke here takes a second person (:mod:`issuer.approving`).
    """
    if change is Change.REVOKE and deployment.authority(credential.authority).description.revocation_approval:
        raise Denied(Code.NOT_PERMITTED, "this authority wants a second person for a revocation: use the console")
    if change is Change.SUSPEND and not catalog.is_suspendable(credential.type):
        raise Conflict(Code.STATUS_CHANGE_NOT_ALLOWED, "credentials of this type cannot be suspended, only revoked")
    rule, now = _RULES[change], deployment.now()

    def apply(connection: Connection) -> IssuedCredential | None:
        copies = credentials.copies_of(connection, credential.id)
        if change is Change.REINSTATE and revocations.open_for(connection, credential.id):
            raise Conflict(Code.STATUS_CHANGE_NOT_ALLOWED, "a revocation is under way; undo that")
        for copy in copies:
            if credentials.set_status(
                connection,
                copy,
                rule.becomes,
                allowed_from=rule.allowed_from,
                reason=reason,
                now=now,
            ):
                event = audit.Event(
                    at=now,
                    actor=actor,
                    action=rule.recorded_as,
                    authority=credential.authority,
                    subject=copy,
                )
                audit.record(connection, event)
        return credentials.find(connection, credential.id)

    changed = await deployment.database.write(apply)
    if changed is None or changed.status is not rule.becomes:
        raise Conflict(Code.STATUS_CHANGE_NOT_ALLOWED, "the credential is revoked, and that is for good")
    deployment.publisher.wake()
    return changed
