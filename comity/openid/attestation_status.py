"""Whether an attestation was taken back: its ``status`` claim, and the list that it names (Token Status List §6, §8.3).

An attester says where its lists lie before anybody shows an attestation; nothing is fetched from any other address. The
list is signed by the attester itself. Whatever cannot be known is not valid.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from comity import jose
from comity.credential import Status, StatusEntry
from comity.errors import Code, Malformed
from comity.openid import attester, endpoint
from comity.openid.attester import Attester
from comity.openid.members import Members
from comity.openid.refusal import Refusal
from comity.status import token_list
from comity.status.status_list import StatusList

MEDIA_TYPE = "application/statuslist+jwt"
CLOCK_SKEW = timedelta(seconds=60)
LONGEST = timedelta(days=1)
"""How long a list is believed whose origin does not answer, at most; its own ``ttl`` may say less."""


class Stated(Struct, frozen=True, kw_only=True):
    """Where the status of an attestation stands, by its own word and within what its attester announced.

    Attributes:
        uri: the list.
        index: the place in it.
        attester: who made the attestation, and signs the list.
    """

    uri: str
    index: int
    attester: Attester


def stated(claims: Members, by: Attester, refuse: Refusal) -> Stated | None:
    """Return where the status of an attestation stands; None for one that cannot be revoked, or need not be looked up.

    Raises:
        OAuthError: as ``refuse`` says: it can be revoked, and nobody looks there; or it does not say where.
    """
    if not claims.has("status") or by.ignores_status:
        return None
    if not by.status_lists:
        raise refuse("the attestation can be revoked, and revocation is not looked up here")
    # TSL §6.1: a reference to a token status list. Another mechanism is not looked up, and unknown is never yes.
    listed = claims.members("status").members("status_list")
    uri, index = listed.url("uri"), listed.integer("idx", minimum=0)
    if not any(endpoint.belongs_to(uri, base) for base in by.status_lists):
        raise refuse("the attestation names a status list that its attester did not announce")
    return Stated(uri=uri, index=index, attester=by)


class Read(Struct, frozen=True, kw_only=True):
    """A list as it came.

    Attributes:
        body: the token.
        confirmed_at: when its origin last confirmed it.
        newest_issued_at: latest ``iat`` that was ever accepted from there; None for none.
    """

    body: bytes
    confirmed_at: datetime
    newest_issued_at: datetime | None


def require_valid(found: Stated, came: Read, *, at: datetime) -> StatusList:
    """Check that the attestation is valid by a list, and return the list, for its ``iat`` to be remembered.

    Raises:
        Malformed: ``revoked``, ``suspended``; ``status_stale`` and the codes of a list that cannot be believed.
    """
    # TSL §8.3 steps 2 and 3: a token of this type, signed by the attester.
    try:
        opened = token_list.open(came.body.decode("ascii"))
    except UnicodeDecodeError:
        raise Malformed(Code.STATUS_LIST_INVALID, "the status list is not a signed token") from None
    _, key = attester.key_of(opened.jws, (found.attester,), at)
    jose.verify(opened.jws, key)
    listed = token_list.decode(opened)
    # Step 5: its time, and that it is not an older one than was seen before.
    if listed.issued_at > at + CLOCK_SKEW:
        raise Malformed(Code.STATUS_LIST_INVALID, "the status list is dated in the future")
    if came.newest_issued_at is not None and listed.issued_at < came.newest_issued_at:
        raise Malformed(Code.STATUS_LIST_ROLLED_BACK, "the status list is older than one seen before")
    if listed.expires_at is not None and listed.expires_at <= at - CLOCK_SKEW:
        raise Malformed(Code.STATUS_LIST_EXPIRED, "the status list has ended")
    most = LONGEST.total_seconds()
    lasts = timedelta(seconds=most if listed.ttl_seconds is None else min(listed.ttl_seconds, most))
    if came.confirmed_at + max(lasts, CLOCK_SKEW) < at:
        raise Malformed(Code.STATUS_STALE, "the status list is older than it may be, and its host does not answer")
    # Steps 4 and 7: the list that was named, and what it says at this place.
    status = listed.status_of(StatusEntry(list_uri=found.uri, index=found.index, purpose=None))
    if status is not Status.VALID:
        code = Code.REVOKED if status is Status.REVOKED else Code.SUSPENDED
        raise Malformed(code, "the attestation was taken back by its attester")
    return listed
