"""Writing a registry: edits, signatures, delegation, rotation, on python-tuf's metadata.

Documents are edited by :mod:`comity.trust.authoring` and signed by the role whose documents they are; snapshot and
timestamp are signed with the online keys, last. What a role cannot sign for lack of keys waits in ``staged`` until
:meth:`RegistryRepository.sign` adds the missing signatures; what is published always verifies as a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from comity import strict_json
from comity.errors import Code, ComityError, Conflict, Malformed, NotFound
from comity.ports import Clock
from comity.runtime.registry_folder import AnyMetadata, RegistryFolder, read_snapshot, read_timestamp
from comity.runtime.registry_keys import KeyFolder
from comity.runtime.registry_state import ONLINE, RegistryState, publishable, verifies
from comity.trust import authoring
from comity.trust.authoring import Document, Documents, Edit
from comity.trust.placement import FEDERATION, TOP_ROLE, document_of, jurisdiction_of, paths_of, role_of
from comity.trust.places import levels_of, top_of

DAYS: Mapping[str, int] = {"root": 365, "targets": 180, "role": 180, "snapshot": 7, "timestamp": 3}
"""For how many days each kind of metadata holds. The timestamp's days are how long a reader can do without the host."""


class Published(Struct, frozen=True, kw_only=True):
    """What came of an edit.

    Attributes:
        documents: names of the documents that changed.
        roles: roles of which a new version is published.
        pending: roles that still lack signatures; nothing of them is published.
    """

    documents: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


class RegistryRepository:
    """One registry on disk. Every method that changes it holds the folder's lock."""

    def __init__(self, path: Path, clock: Clock, *, keys: Path | None = None) -> None:
        """Use the registry at ``path``; ``keys`` is where private keys are kept (default: ``path/keys``)."""
        self._folder = RegistryFolder(path)
        self._keys = KeyFolder(keys or path / "keys")
        self._clock = clock

    @classmethod
    def create(
        cls,
        path: Path,
        clock: Clock,
        *,
        name_en: str,
        name_fr: str,
        recognition_default: str | None = "members",
        keys: Path | None = None,
        root_keys: int = 1,
        root_threshold: int = 1,
        days: Mapping[str, int] | None = None,
    ) -> "RegistryRepository":
        """Make a new registry: keys, root of trust, an empty federation, all published.

        Args:
            path: the registry's folder.
            clock: says when.
            name_en: the federation's English name.
            name_fr: the federation's French name.
            recognition_default: what answers for places without rules of their own: ``members``, ``none``, or None.
            keys: where private keys are kept; must not lie in the published folder.
            root_keys: how many root keys to make.
            root_threshold: how many of them must sign.
            days: other durations than :data:`DAYS`.

        Raises:
            Conflict: there is a registry already.
            Malformed: the threshold is impossible, or the keys would be published.
        """
        self = cls(path, clock, keys=keys)
        if self._folder.exists:
            raise Conflict(Code.CONFLICT, "there is a registry in this folder already")
        _require_threshold(root_threshold, root_keys)
        if keys is not None and self.public_folder.resolve() in (keys.resolve(), *keys.resolve().parents):
            raise Malformed(Code.MALFORMED, "private keys must not lie in the published folder")
        federation = authoring.new_federation(name_en=name_en, name_fr=name_fr, recognition_default=recognition_default)
        with self._folder.locked():
            self._folder.create({"days": {**DAYS, **(days or {})}})
            root = Root(consistent_snapshot=True)
            for role in (Root.type, Targets.type, *ONLINE):
                for signer in self._keys.create(role, root_keys if role == Root.type else 1):
                    root.add_key(signer.public_key, role)
            root.roles[Root.type].threshold = root_threshold
            state = RegistryState(root=Metadata(root), roles={TOP_ROLE: Metadata(Targets())})
            state.change(Root.type)
            self._list(state, {FEDERATION: federation})
            self._finish(state)
        return self

    @property
    def root_file(self) -> Path:
        """The newest root of trust, to be pinned by readers."""
        return self._folder.root_file

    @property
    def public_folder(self) -> Path:
        """What a web server publishes."""
        return self._folder.path / "public"

    def documents(self) -> Documents:
        """Return every document as edited last, published or not, as JSON values.

        Raises:
            NotFound: there is no registry, or a file of it is missing.
            Malformed: a file was changed by hand into something else.
        """
        return self._documents(self._state())

    def apply(self, edits: Sequence[Edit], *, role_keys: int = 1, role_threshold: int = 1) -> Published:
        """Apply ``edits`` in order, sign every role they touch once, and publish.

        A new member gets a role of its own, with ``role_keys`` new keys of which ``role_threshold`` must sign.

        Raises:
            Malformed: an edit, or what it would make, does not fit; nothing is changed. Also NotFound, Conflict.
        """
        _require_threshold(role_threshold, role_keys)
        with self._editing():
            state = self._state()
            documents = dict(self._documents(state))
            changed: dict[str, Document] = {}
            joining: list[str] = []
            for position, edit in enumerate(edits):
                try:
                    made = authoring.apply(documents, edit)
                    _require_place(made, edit, {*state.roles, *map(role_of, joining)})
                    joining += [edit["id"]] if edit["edit"] == "member" else []
                except ComityError as error:
                    raise type(error)(error.code, f"edit {position + 1}: {error.detail}") from None
                documents.update(made)
                changed.update(made)
            for jurisdiction in joining:
                self._delegate(state, jurisdiction, role_keys, role_threshold)
            self._list(state, changed)
            return self._finish(state, tuple(changed))

    def sign(self, role: str | None = None) -> Published:
        """Add the signatures of the keys at hand to what waits for them; or sign ``role`` anew for its full term.

        Raises:
            NotFound: there is no such role.
        """
        with self._editing():
            state = self._state()
            staged = self._folder.staged_roles()
            for name in staged if role is None else [role]:
                metadata = state.metadata(name)
                if name not in staged:
                    state.change(name)
                    continue
                for signer in self._signers(state, name):
                    metadata.sign(signer, append=True)
            return self._finish(state)

    def refresh(self) -> Published:
        """Sign snapshot and timestamp anew with the online keys; nothing else is needed for it.

        Raises:
            Conflict: the online keys are not here.
        """
        with self._editing():
            if not self._publish_online():
                raise Conflict(Code.CONFLICT, "the keys of snapshot and timestamp are not here")
            return Published(roles=ONLINE)

    def rotate(self, role: str, *, keys: int = 1, threshold: int = 1) -> Published:
        """Replace every key of ``role`` by ``keys`` new ones, of which ``threshold`` must sign.

        Whoever delegates to the role signs the change: the root for the roles of TUF itself (the root's own change is
        signed by its old and its new keys), the federation for a jurisdiction, a province for its municipality.

        Raises:
            NotFound: there is no such role.
            Malformed: the threshold is impossible.
        """
        _require_threshold(threshold, keys)
        with self._editing():
            state = self._state()
            parent, delegator = state.parent_of(role), state.delegator(role)
            old = list(delegator.get_delegated_role(role).keyids)
            for signer in self._keys.create(role, keys):
                delegator.add_key(signer.public_key, role)
            for keyid in old:
                delegator.revoke_key(keyid, role)
            delegator.get_delegated_role(role).threshold = threshold
            state.change(parent)
            if role not in ONLINE:
                state.change(role)
            published = self._finish(state)
            if not published.pending:
                self._keys.retire(role, old)
            return published

    def status(self) -> dict[str, Any]:
        """Return every role with version, expiry, threshold and keys at hand, and what waits, for ``show``."""
        state = self._state()
        staged = self._folder.staged_roles()
        return {
            "root_file": str(self.root_file),
            "roles": [self._role_status(state, name) for name in (Root.type, *state.roles, *ONLINE)],
            "pending": sorted(staged),
        }

    def _role_status(self, state: RegistryState, role: str) -> dict[str, Any]:
        delegated = state.delegator(role).get_delegated_role(role)
        signed = (self._online_metadata(role) if role in ONLINE else state.metadata(role)).signed
        return {
            "role": role,
            "version": signed.version,
            "expires": signed.expires.isoformat(),
            "threshold": delegated.threshold,
            "keys": len(delegated.keyids),
            "keys_here": len(self._keys.signers(role, state.keys(role))),
        }

    @contextmanager
    def _editing(self) -> Iterator[None]:
        self._require_registry()
        with self._folder.locked():
            yield

    def _require_registry(self) -> None:
        if not self._folder.exists:
            raise NotFound(Code.NOT_FOUND, "there is no registry in this folder; make one with: comity registry init")

    def _state(self) -> RegistryState:
        self._require_registry()
        return RegistryState.read(self._folder, staged=True)

    def _documents(self, state: RegistryState) -> Documents:
        return {
            name: strict_json.parse_object(self._folder.document(info))
            for metadata in state.roles.values()
            for name, info in metadata.signed.targets.items()
        }

    def _delegate(self, state: RegistryState, jurisdiction: str, count: int, threshold: int) -> None:
        """Give ``jurisdiction`` a role of its own: terminating, limited to its paths."""
        role = role_of(jurisdiction)
        parent = TOP_ROLE if top_of(jurisdiction) == jurisdiction else role_of(top_of(jurisdiction))
        delegations = state.delegations(parent)
        delegated = DelegatedRole(role, [], threshold, terminating=True, paths=list(paths_of(jurisdiction)))
        delegations.roles = {**(delegations.roles or {}), role: delegated}
        for signer in self._keys.create(role, count):
            state.roles[parent].signed.add_key(signer.public_key, role)
        state.roles[role] = Metadata(Targets())
        state.change(parent)
        state.change(role)

    def _list(self, state: RegistryState, changed: Documents) -> None:
        """Write documents, and list each in the role whose it is."""
        for name, document in changed.items():
            role = _signing_role(name, state.roles)
            state.roles[role].signed.targets[name] = self._folder.write_document(name, strict_json.serialise(document))
            state.change(role)

    def _signers(self, state: RegistryState, role: str) -> list[CryptoSigner]:
        keys = {key.keyid: key for key in state.keys(role)}
        if role == Root.type and Root.type in self._folder.versions():  # a root is signed by its predecessor's keys too
            before = RegistryState.read(self._folder, staged=False)
            keys |= {key.keyid: key for key in before.keys(Root.type)}
        return self._keys.signers(role, keys.values())

    def _finish(self, state: RegistryState, documents: tuple[str, ...] = ()) -> Published:
        """Sign what changed; publish what then verifies as a whole; keep the rest waiting for signatures."""
        versions, days = self._folder.versions(), self._folder.settings()["days"]
        for role in state.changed:
            metadata = state.metadata(role)
            metadata.signed.version = versions.get(role, 0) + 1
            term = timedelta(days=days[role if role in (Root.type, TOP_ROLE) else "role"])
            metadata.signed.expires = self._clock.now() + term
            metadata.signatures.clear()
            for signer in self._signers(state, role):
                metadata.sign(signer, append=True)
        names = dict.fromkeys((*state.changed, *self._folder.staged_roles()))
        waiting = {role: state.metadata(role) for role in names}
        before = RegistryState.read(self._folder, staged=False) if Root.type in versions else None
        ready = publishable(waiting, before)
        for role, metadata in waiting.items():
            write = self._folder.publish if role in ready else self._folder.stage
            write(role, metadata)
        pending = [role for role in waiting if role not in ready]
        if ready and not self._publish_online():
            pending += ONLINE
        return Published(
            documents=documents, roles=tuple(each for each in waiting if each in ready), pending=tuple(pending)
        )

    def _publish_online(self) -> bool:
        """Sign a new snapshot and timestamp over what is published; False when their keys are not here."""
        state = RegistryState.read(self._folder, staged=False)
        versions, days = self._folder.versions(), self._folder.settings()["days"]
        snapshot = Metadata(Snapshot(version=versions.get(Snapshot.type, 0) + 1, meta=self._metas(state, versions)))
        data = self._signed_online(state, Snapshot.type, snapshot, days)
        if data is None:
            return False
        previous = self._online_metadata(Timestamp.type).signed.version if Snapshot.type in versions else 0
        meta = MetaFile.from_data(snapshot.signed.version, data, ["sha256"])
        timestamp = Metadata(Timestamp(version=previous + 1, snapshot_meta=meta))
        if self._signed_online(state, Timestamp.type, timestamp, days) is None:
            return False
        self._folder.publish(Snapshot.type, snapshot)
        self._folder.publish(Timestamp.type, timestamp)
        self._folder.forget_old_snapshots(snapshot.signed.version)
        return True

    def _signed_online(
        self, state: RegistryState, role: str, metadata: AnyMetadata, days: Mapping[str, int]
    ) -> bytes | None:
        """Sign ``metadata`` with the online keys and return its bytes, or None when there are not enough of them."""
        metadata.signed.expires = self._clock.now() + timedelta(days=days[role])
        for signer in self._keys.signers(role, state.keys(role)):
            metadata.sign(signer, append=True)
        return self._folder.encoded(metadata) if verifies(state.root, role, metadata) else None

    def _metas(self, state: RegistryState, versions: Mapping[str, int]) -> dict[str, MetaFile]:
        """Return what a snapshot lists: every role that readers can reach (a role is never taken out again)."""
        return {
            f"{role}.json": MetaFile.from_data(
                versions[role], self._folder.published_bytes(role, versions[role]), ["sha256"]
            )
            for role in state.roles
        }

    def _online_metadata(self, role: str) -> Metadata[Snapshot] | Metadata[Timestamp]:
        if role == Timestamp.type:
            return read_timestamp(self._folder.published_bytes(role, None))
        return read_snapshot(self._folder.published_bytes(role, self._folder.versions().get(role, 1)))


def _require_threshold(threshold: int, keys: int) -> None:
    if not 1 <= threshold <= keys:
        raise Malformed(Code.MALFORMED, "the threshold must be between 1 and the number of keys")


def _require_place(made: Documents, edit: Edit, roles: set[str]) -> None:
    """Refuse an edit that nobody could sign for.

    Raises:
        NotFound: a jurisdiction is not a member, or a municipality joins before its province.
    """
    for name in made:
        _signing_role(name, roles)
    if edit["edit"] == "member" and top_of(edit["id"]) != edit["id"]:
        _signing_role(document_of(top_of(edit["id"]), "issuers"), roles)


def _signing_role(document: str, roles: Mapping[str, object] | set[str]) -> str:
    """Return whose signature ``document`` needs: a municipality's own role, or its province's while it has none.

    Raises:
        NotFound: its jurisdiction is not a member.
    """
    jurisdiction = jurisdiction_of(document)
    if jurisdiction is None:
        return TOP_ROLE
    for level in reversed(levels_of(jurisdiction)):
        if role_of(level) in roles:
            return role_of(level)
    raise NotFound(Code.NOT_FOUND, f"{jurisdiction} is not a member of the federation")
