"""Who issues from this deployment: several authorities, each with its own identifiers, anchor and keys.

Nothing is shared between two authorities but the process: the leaf of one names one issuer id and leads to that
authority's own anchor only, so that neither can sign as the other (catalogue group T, tried in tests in both ways).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

import schemas
from comity import did, keys, strict_json, x509
from comity.credential import CredentialType, Format, Kid, X5c
from comity.errors import Code, Malformed, Misconfigured, NotFound
from comity.keys import KeySigner
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.key_attestation import Demand
from comity.openid.members import Members
from comity.openid.refusal import Refusal
from comity.record import Discreet
from comity.runtime.keystore import FileKeyStore
from comity.status import bitstring_list, token_list

ANCHOR, CREDENTIAL, DID, STATUS, METADATA = "anchor", "credential", "did", "status", "metadata"
PURPOSES = (ANCHOR, CREDENTIAL, DID, STATUS, METADATA)
"""Keys of one authority. Credentials are signed with two, by format; status lists with a third, the issuer's
description of itself with a fourth; none serves twice."""

SECRET = "deployment"
CREDENTIAL_FRAGMENT, STATUS_FRAGMENT = "credential-1", "status-1"
_ANCHOR_LIFE, _LEAF_LIFE = timedelta(days=3650), timedelta(days=730)
_PATH = re.compile(r"ca(?:-[a-z]{2}(?:/[a-z][a-z0-9-]{0,40})?)?/[a-z][a-z0-9-]{0,40}\Z")
_MAX_FILE_BYTES = 1 << 20
_MEMBERS = {"authority", "jurisdiction", "name", "types", "source", "key_attestations", "revocation_approval"}
_REFUSE = Refusal(code=Code.MISCONFIGURED)


class Description(Struct, frozen=True, kw_only=True):
    """An authority as the operator of the deployment describes it.

    Attributes:
        path: such as ``ca-on/services``; part of every one of its URLs.
        jurisdiction: such as ``ca-on``.
        name: by language, ``en`` and ``fr``.
        types: what it issues.
        source: where its claims come from, as :mod:`issuer.sources` reads it; None when clerks type them.
        key_attestations: types whose holder keys must be attested, and what the attestations must state.
        revocation_approval: whether a second person has to agree to a revocation.
    """

    path: str
    jurisdiction: str
    name: Mapping[str, str]
    types: tuple[CredentialType, ...]
    source: Mapping[str, Any] | None = None
    key_attestations: Mapping[CredentialType, Demand] = field(default_factory=dict)
    revocation_approval: bool = False


class Authority(Discreet, frozen=True, kw_only=True):
    """An authority with its keys, ready to issue.

    Attributes:
        description: who it is.
        issuer_id: its credential issuer identifier, and the one URI name of its credential leaf.
        did: its did:web.
        status_base: what the URL of each of its status lists starts with, without a slash at the end.
        anchor: the certificate that the registry pins.
        credential_signer: signs ``dc+sd-jwt``.
        credential_chain: how such a credential names that key.
        did_signer: signs ``vc+jwt``.
        status_signer: signs status lists of both kinds.
        status_chain: how a token list names that key.
        metadata_signer: signs the issuer metadata.
        metadata_chain: how they name that key; its leaf names their URL, so that it signs no credential.
    """

    UNPRINTED = frozenset(
        {
            "credential_chain",
            "credential_signer",
            "did_signer",
            "metadata_chain",
            "metadata_signer",
            "status_chain",
            "status_signer",
        }
    )
    description: Description
    issuer_id: str
    did: str
    status_base: str
    anchor: x509.Certificate
    credential_signer: KeySigner
    credential_chain: X5c
    did_signer: KeySigner
    status_signer: KeySigner
    status_chain: X5c
    metadata_signer: KeySigner
    metadata_chain: X5c

    @property
    def path(self) -> str:
        """Its path, such as ``ca-on/services``."""
        return self.description.path

    @property
    def credential_kid(self) -> Kid:
        """How a ``vc+jwt`` names its key."""
        return Kid(did_url=f"{self.did}#{CREDENTIAL_FRAGMENT}")

    @property
    def status_kid(self) -> Kid:
        """How a list credential names its key."""
        return Kid(did_url=f"{self.did}#{STATUS_FRAGMENT}")

    def require_valid_certificates(self, at: datetime) -> None:
        """Check that the leaves are of its keys, lead to the anchor and name it, and nobody else, at ``at``.

        Raises:
            Misconfigured: one does not.
        """
        named = (
            (self.credential_chain, self.credential_signer, self.issuer_id),
            (self.status_chain, self.status_signer, self.status_base),
            (self.metadata_chain, self.metadata_signer, IssuerMetadata.url(self.issuer_id)),
        )
        for chain, signer, name in named:
            leaf = x509.parse_chain(chain.chain)
            if not _is_of(leaf[0], signer):
                raise _wrong(
                    f"authority {self.path}: the certificate for {name} is of another key than it is signed by"
                )
            if x509.uri_sans(leaf[0]) != (name,):
                raise _wrong(f"authority {self.path}: a certificate names another URL than {name}")
            try:
                x509.validate_chain(leaf, [self.anchor], at)
            except Malformed as error:
                raise _wrong(f"authority {self.path}: {error.detail}") from None

    def signer_of(self, credential_format: Format) -> KeySigner:
        """Return the key that signs credentials of a format."""
        return self.credential_signer if credential_format is Format.DC_SD_JWT else self.did_signer

    def list_uri(self, number: int) -> str:
        """Return the URL of a token list; the list credentials stand below it, by purpose."""
        return f"{self.status_base}/{number}"

    @property
    def aggregation_uri(self) -> str:
        """The URL of the document that names all its token lists (Token Status List §9)."""
        return f"{self.status_base}/lists"

    def did_document(self) -> dict[str, Any]:
        """Return the document published at ``{issuer_id}/did.json``."""
        keys = {
            CREDENTIAL_FRAGMENT: self.did_signer.public_jwk,
            STATUS_FRAGMENT: self.status_signer.public_jwk,
        }
        return did.web_document(self.did, keys, ("assertionMethod",))

    def registry_entry(self) -> dict[str, Any]:
        """Return what the trust registry should say of this authority, without accreditations.

        The registry's officers decide those; ``accreditations`` is therefore not part of it.
        """
        anchor = {"anchor": x509.to_base64(self.anchor), "anchor_sha256": x509.sha256_hex(self.anchor)}
        return {
            "authority": self.path,
            "name": dict(self.description.name),
            "identifiers": [
                {"format": Format.DC_SD_JWT.value, "id": self.issuer_id, "mechanism": "x5c", **anchor},
                {
                    "format": Format.VC_JWT.value,
                    "id": self.did,
                    "mechanism": "did",
                    "key_thumbprints": [self.did_signer.thumbprint],
                },
            ],
            "status_signers": [
                {"format": token_list.TYPE, "uri_prefix": self.status_base, "mechanism": "x5c", **anchor},
                {
                    "format": bitstring_list.TYPE,
                    "uri_prefix": self.status_base,
                    "mechanism": "did",
                    "id": self.did,
                    "key_thumbprints": [self.status_signer.thumbprint],
                },
            ],
        }


# --- describing


def load(file: Path) -> tuple[Description, ...]:
    """Read the authorities file: a JSON array of objects.

    Each is ``{authority, jurisdiction, name: {en, fr}, types, source?, key_attestations?}``, the last as ``{type:
    {key_storage?: [level], user_authentication?: [level]}}`` (OpenID4VCI appendix D.2).

    Raises:
        Misconfigured: it cannot be read, is malformed, names a type that does not exist, or one authority twice.
    """
    try:
        entries = strict_json.parse(file.read_bytes(), max_bytes=_MAX_FILE_BYTES)
    except OSError:
        raise _wrong(f"the authorities file {file} cannot be read") from None
    except Malformed as error:
        raise _wrong(f"the authorities file: {error.detail}") from None
    if not isinstance(entries, list) or not entries:
        raise _wrong("the authorities file must hold a list with at least one authority")
    found = tuple(_description(entry) for entry in entries)
    if len({each.path for each in found}) != len(found):
        raise _wrong("the authorities file names an authority twice")
    return found


def _description(entry: object) -> Description:
    if not isinstance(entry, dict) or not set(entry) <= _MEMBERS:
        raise _wrong(f"an authority is described by {', '.join(sorted(_MEMBERS))} and nothing else")
    path, jurisdiction, name = entry.get("authority"), entry.get("jurisdiction"), entry.get("name")
    if not isinstance(path, str) or not _PATH.match(path) or jurisdiction != path.rpartition("/")[0]:
        raise _wrong("an authority is named <jurisdiction>/<agency>, and its jurisdiction is the first part")
    if (
        not isinstance(name, dict)
        or set(name) != {"en", "fr"}
        or not all(isinstance(each, str) for each in name.values())
    ):
        raise _wrong(f"authority {path}: name needs an English and a French text")
    types = entry.get("types")
    if not isinstance(types, list) or not types:
        raise _wrong(f"authority {path}: types must be a list such as person/1")
    approval = entry.get("revocation_approval", False)
    if not isinstance(approval, bool):
        raise _wrong(f"authority {path}: revocation_approval must be true or false")
    return Description(
        path=path,
        jurisdiction=jurisdiction,
        name=name,
        types=tuple(_type(path, each) for each in types),
        source=entry.get("source"),
        key_attestations=_demands(path, entry.get("key_attestations", {})),
        revocation_approval=approval,
    )


def _demands(path: str, described: object) -> dict[CredentialType, Demand]:
    if not isinstance(described, dict):
        raise _wrong(f"authority {path}: key_attestations must be an object of types")
    try:
        return {
            _type(path, each): Demand.parse(Members(described, "key_attestations", _REFUSE).members(each))
            for each in described
        }
    except Malformed as error:
        raise _wrong(f"authority {path}: {error.detail}") from None


def _type(path: str, text: object) -> CredentialType:
    slug, _, version = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not version.isdecimal() or (slug, int(version)) not in schemas.all_types():
        raise _wrong(f"authority {path}: a type is not one of schemas/")
    return CredentialType(slug=slug, version=int(version))


# --- keys


def issuer_id(public_url: str, path: str) -> str:
    """Return the credential issuer identifier of an authority.

    Raises:
        Misconfigured: ``public_url`` has a path, which the routes of this service could not answer for.
    """
    if urlsplit(public_url).path:
        raise _wrong("ISSUER_PUBLIC_URL must have no path")
    return f"{public_url}/{path}"


def status_base(status_public_url: str, path: str) -> str:
    """Return what the status list URLs of an authority start with."""
    return f"{status_public_url}/{path}/status"


def create_keys(
    store: FileKeyStore, description: Description, *, public_url: str, status_public_url: str, at: datetime
) -> tuple[str, ...]:
    """Make the keys and certificates that the authority does not have yet; return the names of those made.

    A key that exists keeps its certificate. One that has none, or that of another key, was left by somebody who was
    stopped half-way, and gets one; but the registry pins the anchor, and that is never made anew over leaves.
    """
    path = description.path
    missing = [purpose for purpose in PURPOSES if key_name(path, purpose) not in store.names()]
    for purpose in missing:
        store.create(key_name(path, purpose))
    identifier = issuer_id(public_url, path)
    names = {
        CREDENTIAL: identifier,
        STATUS: status_base(status_public_url, path),
        METADATA: IssuerMetadata.url(identifier),
    }
    signer = store.signer(key_name(path, ANCHOR))
    bare = [purpose for purpose in names if not _is_certified(store, path, purpose)]
    is_begun = len(bare) == len(names) and not _is_certified(store, path, ANCHOR)
    if ANCHOR in missing or is_begun:
        anchor = x509.issue_anchor(
            name=f"{path} anchor"[:64], signer=signer, not_before=_earlier(at), not_after=at + _ANCHOR_LIFE
        )
        store.save_chain(key_name(path, ANCHOR), [x509.to_base64(anchor)])
    anchor = _chain(store, path, ANCHOR)[0]
    for purpose in bare:
        leaf = x509.issue_leaf(
            name=f"{path} {purpose}"[:64],
            uri_san=names[purpose],
            dns_san=None,
            public_jwk=store.signer(key_name(path, purpose)).public_jwk,
            anchor=anchor,
            anchor_signer=signer,
            not_before=_earlier(at),
            not_after=at + _LEAF_LIFE,
        )
        store.save_chain(key_name(path, purpose), [x509.to_base64(leaf)])
    return tuple(key_name(path, purpose) for purpose in PURPOSES if purpose in {*missing, *bare})


def open_authority(
    store: FileKeyStore, description: Description, *, public_url: str, status_public_url: str, at: datetime
) -> Authority:
    """Return the authority with its keys, after checking that its certificates still say what its URLs say.

    Raises:
        Misconfigured: a key is missing (``comity issuer keys init`` makes it), or a certificate has ended or names
            another URL than the settings now do.
    """
    path = description.path
    missing = [purpose for purpose in PURPOSES if key_name(path, purpose) not in store.names()]
    if missing:
        raise _wrong(f"authority {path} lacks keys: {', '.join(missing)}; run `comity issuer keys init`")
    identifier = issuer_id(public_url, path)
    authority = Authority(
        description=description,
        issuer_id=identifier,
        did=did.web.did_of(identifier),
        status_base=status_base(status_public_url, path),
        anchor=_chain(store, path, ANCHOR)[0],
        credential_signer=store.signer(key_name(path, CREDENTIAL)),
        credential_chain=X5c(chain=tuple(store.chain(key_name(path, CREDENTIAL)))),
        did_signer=store.signer(key_name(path, DID)),
        status_signer=store.signer(key_name(path, STATUS)),
        status_chain=X5c(chain=tuple(store.chain(key_name(path, STATUS)))),
        metadata_signer=store.signer(key_name(path, METADATA)),
        metadata_chain=X5c(chain=tuple(store.chain(key_name(path, METADATA)))),
    )
    authority.require_valid_certificates(at)
    return authority


def key_name(path: str, purpose: str) -> str:
    """Return the name of a key in the key store."""
    return f"{path}/{purpose}"


def _is_certified(store: FileKeyStore, path: str, purpose: str) -> bool:
    try:
        leaf = _chain(store, path, purpose)[0]
    except NotFound:
        return False
    return _is_of(leaf, store.signer(key_name(path, purpose)))


def _is_of(certificate: x509.Certificate, signer: KeySigner) -> bool:
    return keys.thumbprint(keys.public_jwk(x509.public_key(certificate))) == signer.thumbprint


def _chain(store: FileKeyStore, path: str, purpose: str) -> tuple[x509.Certificate, ...]:
    return tuple(x509.from_base64(text) for text in store.chain(key_name(path, purpose)))


def _earlier(at: datetime) -> datetime:
    """A certificate starts a little before it is made: the clocks of verifiers differ."""
    return at - timedelta(minutes=5)


def _wrong(detail: str) -> Misconfigured:
    return Misconfigured(Code.MISCONFIGURED, detail)
