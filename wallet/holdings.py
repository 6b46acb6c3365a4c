"""What the open wallet holds: credentials with their claims, keys, and what is known about each."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from msgspec import field

import schemas
from comity import base64url, dcql, formats
from comity.credential import Format, SignedCredential
from comity.errors import Code, Conflict, Malformed, NotFound
from comity.formats.opened import HeldCredential, ProcessedCredential
from comity.keys import KeySigner
from comity.openid.issuance import display
from comity.ports import Signer
from comity.record import Discreet
from comity.verification.issuer_key import authority_key_ids
from comity.web import i18n
from wallet.records import CREDENTIAL, GRANT, HISTORY, KEY, PENDING, Kept, OpenWallet, Sheet

NOTED = ("issuer", "issuer_name", "key", "recognised", "codes", "status", "checked_at")
"""What the wallet notes beside each credential."""


class Held(Discreet, frozen=True, kw_only=True):
    """One credential in the wallet, read from its own bytes.

    Attributes:
        id: the wallet's name for it.
        version: of its record.
        about: what the wallet noted beside it (issuer's name, trust, status), no claims.
        signed: its bytes.
        credential: what was read from them.
        more: what else its record holds: further copies, and what new ones are had with (:mod:`wallet.copies`).
    """

    UNPRINTED = frozenset({"credential", "more", "signed"})
    id: str
    version: int
    received_at: datetime
    about: Mapping[str, Any]
    signed: SignedCredential
    credential: HeldCredential
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def processed(self) -> ProcessedCredential:
        """What it says."""
        return self.credential.processed

    @property
    def key_id(self) -> str:
        """The wallet's name for the key it is bound to."""
        return str(self.about["key"])

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The keys of all its copies; the one to be shown next comes first."""
        return (self.key_id, *(str(each["key"]) for each in self.more.get("spares", ())))

    def title(self, language: str) -> str:
        """Return the name of its type for people."""
        metadata = self._type_metadata()
        shown = display.in_language(display.of_type_metadata(metadata), language) if metadata else None
        return shown.name if shown else self.processed.type_name

    def label(self, claim: str, language: str) -> str:
        """Return the label of a claim for people; its name where the type knows none."""
        for each in (self._type_metadata() or {}).get("claims", ()):
            if each["path"] == [claim]:
                words = {entry["locale"][:2]: entry["label"] for entry in each["display"]}
                return str(words.get(language, claim))
        return claim

    def in_words(self, claim: str, value: Any, language: str) -> str:
        """Return a claim's value for people: yes or no, days written out, codes as the type's code lists word them."""
        if isinstance(value, bool):
            return i18n.text("wallet.value_yes" if value else "wallet.value_no", language)
        if isinstance(value, list):
            return i18n.enumeration([self.in_words(claim, each, language) for each in value], language)
        worded = (self._type_metadata() or {}).get("comity", {}).get("values", {}).get(claim, {}).get(str(value))
        if worded:
            return i18n.pick(worded, language)
        if isinstance(value, str) and value.startswith("data:"):
            return i18n.text("wallet.value_picture", language)
        return _day_in_words(value, language)

    def described(self, claim: str, value: Any, language: str) -> dict[str, Any]:
        """Return a claim with its label, its value, and that value in words."""
        words = self.in_words(claim, value, language)
        return {"claim": claim, "label": self.label(claim, language), "value": value, "words": words}

    def _type_metadata(self) -> dict[str, Any] | None:
        """Return what this software knows of the type; None for a type of somebody else."""
        kind = self.processed.type
        if kind is None or (kind.slug, kind.version) not in schemas.all_types():
            return None
        return schemas.type_metadata(kind.slug, kind.version)

    def holding(self) -> dcql.Holding:
        """Return it as queries see it."""
        processed, kind = self.processed, Format(self.processed.format)
        names = dcql.type_names(kind, processed.type) if processed.type else (processed.type_name,)
        return dcql.Holding(
            id=self.id,
            format=kind,
            type_names=names,
            claims=processed.document,
            disclosable=[dcql.claim_path(kind, name) for name in processed.disclosable],
            can_bind=processed.holder_jwk is not None,
            authority_key_ids=_authority_key_ids(self.signed),
        )


def _day_in_words(value: Any, language: str) -> str:
    """Return a day written out; anything else as it is."""
    try:
        return i18n.date(date.fromisoformat(value), language) if isinstance(value, str) else str(value)
    except ValueError:
        return str(value)


def read(record: Kept) -> Held:
    """Return a stored credential; its signature was verified when it came in.

    Raises:
        Malformed: ``record_tampered``: it is not what this wallet writes (a foreign export may bring such a thing).
    """
    content = record.content
    try:
        signed = SignedCredential(format=Format(content["format"]), encoded=str(content["encoded"]))
        about = {name: content["about"][name] for name in NOTED}
        credential = take_apart(signed)
    except (KeyError, TypeError, ValueError, Malformed):
        raise Malformed(Code.RECORD_TAMPERED, "a credential in the wallet cannot be read") from None
    return Held(
        id=record.id,
        version=record.version,
        received_at=record.created_at,
        about={"told": None, "grant": None, "configuration_id": None, **content["about"], **about},
        signed=signed,
        credential=credential,
        more={name: value for name, value in content.items() if name not in {"format", "encoded", "about"}},
    )


def process(signed: SignedCredential) -> ProcessedCredential:
    """Return what a credential says, without verifying anything.

    Raises:
        Malformed: it cannot be read.
    """
    return take_apart(signed).processed


def take_apart(signed: SignedCredential) -> HeldCredential:
    """Return what a credential is made of, without verifying anything; to be presented from.

    Raises:
        Malformed: it cannot be read.
    """
    kind = formats.FORMATS[signed.format]
    opened = kind.open(signed.encoded)
    return HeldCredential(opened=opened, processed=kind.process(opened.credentials[0]))


async def all_held(wallet: OpenWallet) -> list[Held]:
    """Return every credential that can be read, oldest first; see :func:`survey`."""
    return (await survey(wallet))[0]


async def survey(wallet: OpenWallet) -> tuple[list[Held], list[str]]:
    """Return every credential that can be read, oldest first, and the ids of those that are damaged."""
    records, damaged = await wallet.read_all(CREDENTIAL)
    held = []
    for record in records:
        try:
            held.append(read(record))
        except Malformed:
            damaged.append(record.id)
    return held, damaged


async def forget(wallet: OpenWallet, credential_id: str) -> None:
    """Delete a credential, and its key when no other credential and no open exchange uses it.

    Raises:
        NotFound: ``credential_unknown``.
    """
    held, damaged = await survey(wallet)
    found = next((each for each in held if each.id == credential_id), None)
    gone = [(CREDENTIAL, credential_id)]
    if found is None and credential_id not in damaged:
        raise _unknown()
    if found is not None:
        used = {key for other in held if other.id != credential_id for key in other.key_ids}
        for each in await wallet.all(PENDING):
            used |= {str(each.content.get("key")), *each.content.get("keys", {}).values()}
        gone += [(KEY, key) for key in found.key_ids if key not in used and not damaged]
        grant = (GRANT, str(found.about["grant"]))
        if not any(each.about["grant"] == grant[1] for each in held if each.id != credential_id):
            gone += [grant] if grant in await wallet.names() else []
    line = {"what": "deleted", "credential": credential_id, "issuer": found.about["issuer"] if found else ""}
    try:
        await wallet.commit(put=[Sheet(kind=HISTORY, id=new_id(), content=line)], delete=gone)
    except Conflict:
        raise _unknown() from None


async def find_held(wallet: OpenWallet, credential_id: str) -> Held:
    """Return one credential.

    Raises:
        NotFound: ``credential_unknown``.
    """
    found = await wallet.find(CREDENTIAL, credential_id)
    if found is None:
        raise _unknown()
    return read(found)


async def signer_of(wallet: OpenWallet, key_id: str) -> Signer:
    """Return the holder key called ``key_id``, for signing only.

    Raises:
        NotFound: ``key_not_found``.
    """
    found = await wallet.find(KEY, key_id)
    if found is None:
        raise NotFound(Code.KEY_NOT_FOUND, "the wallet lacks the key of this credential")
    return KeySigner.from_private_jwk(found.content["private_jwk"])


def new_id() -> str:
    """Return a new unguessable name for a record."""
    return base64url.new_name(12)


def _unknown() -> NotFound:
    return NotFound(Code.CREDENTIAL_UNKNOWN, "the wallet holds no such credential")


def _authority_key_ids(signed: SignedCredential) -> tuple[str, ...]:
    """Return what its chain names; nothing for a chain that cannot be read, as that of an unknown issuer never was."""
    try:
        return authority_key_ids(formats.FORMATS[signed.format].open(signed.encoded).credentials[0].key)
    except Malformed:
        return ()
