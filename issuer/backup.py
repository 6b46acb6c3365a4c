"""How an issuer's database is backed up, and what a restore makes true (decision record 0026; catalogue F31).

Not in a backup: claims of open offers and cells of files, holder digests, used nonces and proofs, sign-ins with their
codes and refresh tokens, clerks' sessions; and the keys, which have a custody of their own. A restore ends every open
offer, every nonce and every password of a clerk, closes every list, and takes from the *published* lists what they say
beyond the backup: the status directory is the journal that outlives the database.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Connection

from comity import jose, keys
from comity.credential import Status
from comity.errors import Code, ComityError, Misconfigured
from comity.runtime.backup import NOTHING, Manifest, Rows, Scheme
from comity.runtime.backup_file import fingerprint
from comity.status import token_list
from comity.status.bits import PackedValues
from issuer.authorities import Authority
from issuer.list_folder import fence_of, numbers_in
from issuer.status_lists import TOKEN_FILE
from issuer.store import metadata, restoring, restoring_desk
from issuer.store.restoring import Published

PLAN: Mapping[str, Rows] = {
    "offers": Rows(
        without=frozenset(
            {"sealed_claims", "transaction_code_hash", "token_hash", "token_key", "client_key", "identified_ids"}
        )
    ),
    "authorizations": NOTHING,  # pushed requests, sign-ins in progress, codes: whoever was in the middle begins again
    "refresh_tokens": NOTHING,  # one that was used since would pass once more
    "deferrals": NOTHING,  # their offers end; what was promised is asked for anew
    "encryption_keys": NOTHING,  # a request encrypted to one that is gone is refused, and the wallet asks again
    "issuances": Rows(),
    "status_lists": Rows(),
    "credentials": Rows(without=frozenset({"holder_digest"})),
    "carried_statuses": Rows(),
    "nonces": NOTHING,
    "dpop_proofs": NOTHING,
    "client_proofs": NOTHING,
    "audit": Rows(),
    "restorations": Rows(),
    "clerks": Rows(),  # their passwords are voided: see restoring_desk
    "clerk_sessions": NOTHING,
    "revocations": Rows(),
    "reissues": Rows(),  # what was offered since is lost with its offers: `comity issuer reissue --again`
    "bulk_jobs": Rows(),
    "bulk_rows": Rows(without=frozenset({"sealed_cells"})),
    "refusals": Rows(),
    "refused_requests": Rows(),
    "webhook_endpoints": NOTHING,  # one may have been removed since; whoever still wants to be told is added anew
    "webhook_deliveries": NOTHING,  # what was sent since would be sent again
    "once": NOTHING,  # what came of a key may be lost; the offers that it made are ended anyway
}
_WIDTH = 2


def scheme(*, url: str, secret: bytes, authorities: Mapping[str, Authority], directory: Path) -> Scheme:
    """Return the scheme of one deployment.

    Args:
        url: of the database.
        secret: the deployment's; without it the blind indexes of the rows are worth nothing.
        authorities: by path.
        directory: where the lists are published.
    """
    needs = {"the deployment's secret": fingerprint(secret)}
    needs |= {
        f"the status key of {path}": authority.status_signer.thumbprint for path, authority in authorities.items()
    }

    def settle(connection: Connection, manifest: Manifest, now: int) -> Mapping[str, int]:
        published = {
            (each.authority, each.number): each
            for authority in authorities.values()
            for each in published_lists(authority, directory)
        }
        restoring.require_published(connection, published)
        restoring.close_lists(connection)
        taken = sum(restoring.adopt(connection, each, backup_at=manifest.made_at) for each in published.values())
        counts = {
            "offers ended": restoring.void_offers(connection),
            "lists read": len(published),
            "statuses taken from published lists": taken,
            "revocations under way": restoring_desk.settle_revocations(connection, now=now),
            "rows of files refused": restoring_desk.end_files(connection),
            "passwords ended": restoring_desk.void_passwords(connection),
        }
        restoring.begin_epoch(connection, backup_id=manifest.id, backup_at=manifest.made_at, now=now)
        return counts

    return Scheme(package="issuer", url=url, metadata=metadata, plan=PLAN, needs=needs, notes=dict, settle=settle)


def published_lists(authority: Authority, directory: Path) -> Iterator[Published]:
    """Yield every list of ``authority`` that stands in the folder, its signature checked.

    Raises:
        Misconfigured: one of them cannot be read or is not signed by the authority's key.
    """
    folder = directory / authority.path / "status"
    for number in numbers_in(folder, TOKEN_FILE):
        try:
            yield _published(authority, number, folder / str(number))
        except (OSError, ValueError, ComityError) as error:
            detail = error.detail if isinstance(error, ComityError) else "it cannot be read"
            raise Misconfigured(
                Code.MISCONFIGURED,
                f"the published list {authority.path}/status/{number} cannot be used: {detail}",
            ) from None


def _published(authority: Authority, number: int, folder: Path) -> Published:
    opened = token_list.open((folder / TOKEN_FILE).read_text("ascii"))
    jose.verify(opened.jws, keys.public_key(authority.status_signer.public_jwk))
    found = token_list.decode(opened)
    if opened.uri != authority.list_uri(number) or found.values.width != _WIDTH:
        raise Misconfigured(Code.STATUS_LIST_MISMATCH, "it is another list")
    return Published(
        authority=authority.path,
        number=number,
        size=len(found.values),
        issued_at=int(found.issued_at.timestamp()),
        fence=fence_of(folder),
        statuses={index: Status(value) for index, value in _set_entries(found.values)},
    )


def _set_entries(values: PackedValues) -> Iterator[tuple[int, int]]:
    """Yield (index, value) where the value is not 0; whole bytes of zeros are passed over."""
    per_byte = 8 // values.width
    for position, byte in enumerate(values.data):
        if byte:
            for index in range(position * per_byte, (position + 1) * per_byte):
                if value := values.value(index):
                    yield index, value
