"""The metadata of a registry while it is edited: what is staged over what is published, and what of it verifies."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Delegations, Key, Metadata, Root, Snapshot, Targets, Timestamp

from comity.errors import Code, NotFound
from comity.runtime.registry_folder import AnyMetadata, RegistryFolder, read_root, read_targets
from comity.trust.placement import TOP_ROLE

Signable = Metadata[Root] | Metadata[Targets]

ONLINE = (Snapshot.type, Timestamp.type)
"""The roles whose keys are at hand all the time: they say what is newest, and nothing else."""


@dataclass(slots=True)
class RegistryState:
    """Root, and the federation's and the delegated roles by name.

    ``changed`` are the roles whose content was edited and that must be signed as a new version.
    """

    root: Metadata[Root]
    roles: dict[str, Metadata[Targets]]
    changed: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: RegistryFolder, *, staged: bool) -> "RegistryState":
        """Return the newest state: what is published, and over it what is staged if ``staged``.

        Raises:
            NotFound: there is no registry.
            Malformed: a file is not the metadata that its name says.
        """
        waiting = folder.staged_roles() if staged else {}
        versions = folder.versions()

        def newest(role: str) -> bytes:
            return waiting[role] if role in waiting else folder.published_bytes(role, versions.get(role, 1))

        names = sorted({*versions, *waiting} - {Root.type, *ONLINE}, key=lambda name: (name != TOP_ROLE, name))
        return cls(
            root=read_root(newest(Root.type)), roles={name: read_targets(newest(name)) for name in sorted(names)}
        )

    def metadata(self, role: str) -> Signable:
        """Return the metadata of the root, the federation's role or a delegated role.

        Raises:
            NotFound: there is no such role.
        """
        if role == Root.type:
            return self.root
        if role not in self.roles:
            raise NotFound(Code.NOT_FOUND, f"there is no role {role}")
        return self.roles[role]

    def parent_of(self, role: str) -> str:
        """Return who delegates to ``role``.

        Raises:
            NotFound: nobody does.
        """
        if role in (Root.type, TOP_ROLE, *ONLINE):
            return Root.type
        for name, metadata in self.roles.items():
            if any(each.name == role for each in delegated(metadata.signed)):
                return name
        raise NotFound(Code.NOT_FOUND, f"there is no role {role}")

    def delegator(self, role: str) -> Root | Targets:
        """Return the signed content that says who may sign for ``role``.

        Raises:
            NotFound: there is no such role.
        """
        return self.metadata(self.parent_of(role)).signed

    def keys(self, role: str) -> list[Key]:
        """Return the public keys of ``role``."""
        delegator = self.delegator(role)
        return [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids]

    def change(self, role: str) -> None:
        """Remember that ``role`` must be signed anew."""
        if role not in self.changed:
            self.changed.append(role)

    def delegations(self, parent: str) -> Delegations:
        """Return the delegations of ``parent``, which begin empty."""
        signed = self.roles[parent].signed
        if signed.delegations is None:
            signed.delegations = Delegations(keys={}, roles={})
        return signed.delegations


def delegated(signed: Targets) -> tuple[DelegatedRole, ...]:
    """Return the roles that ``signed`` delegates to, in their order."""
    if signed.delegations is None or signed.delegations.roles is None:
        return ()
    return tuple(signed.delegations.roles.values())


def publishable(waiting: Mapping[str, Signable], published: RegistryState | None) -> frozenset[str]:
    """Return which of ``waiting`` can be published so that the whole verifies for a reader.

    Starts from all of them and takes out, until nothing is wrong: a role that does not verify against the one that
    delegates to it; and a delegating role whose new keys would disown what stays published below it.
    """
    chosen = set(waiting)
    while chosen:
        view = _view({role: waiting[role] for role in chosen}, published)
        wrong = _wrong(view, published, chosen)
        if wrong is None:
            break
        chosen.discard(wrong)
    return frozenset(chosen)


def _view(chosen: Mapping[str, Signable], published: RegistryState | None) -> dict[str, Signable]:
    before: dict[str, Signable] = {}
    if published is not None:
        before = {Root.type: published.root, **published.roles}
    return {**before, **chosen}


def _wrong(view: Mapping[str, Signable], published: RegistryState | None, chosen: set[str]) -> str | None:
    """Return a chosen role that must not be published in this view, or None when all of it verifies."""
    root = view.get(Root.type)
    if root is None or TOP_ROLE not in view:
        return min(chosen)
    if Root.type in chosen:
        successor_of = published.root if published else root
        if not (verifies(root, Root.type, root) and verifies(successor_of, Root.type, root)):
            return Root.type
    waiting = [(Root.type, TOP_ROLE)]
    while waiting:
        parent, role = waiting.pop()
        if role not in view or not verifies(view[parent], role, view[role]):
            return role if role in chosen else parent
        signed = view[role].signed
        assert isinstance(signed, Targets)  # noqa: S101  # only the root is anything else
        waiting += [(role, each.name) for each in delegated(signed)]
    return None


def verifies(delegator: Signable, role: str, metadata: AnyMetadata) -> bool:
    """Say whether ``metadata`` carries enough signatures of the keys that ``delegator`` names for ``role``."""
    try:
        delegator.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (UnsignedMetadataError, ValueError):
        return False
    return True
