"""A small federation in memory: real keys, certificates, DID documents, lists and registry documents, no sockets.

Tests start from something that is accepted and change exactly one thing (``replace``, a mutated document,
a flipped byte): the unchanged twin is always verified too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import schemas
from comity import did, formats, strict_json, x509
from comity.credential import (
    Credential,
    CredentialType,
    Format,
    KeyReference,
    Kid,
    SignedCredential,
    Status,
    StatusEntry,
    X5c,
)
from comity.did import web
from comity.errors import Code
from comity.keys import KeySigner
from comity.ports import Signer
from comity.status import bitstring_list, token_list
from comity.status.bits import StatusBits
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.checks import Result
from comity.verification.credential import Demand, HolderDemand
from comity.verification.evidence import Evidence, Needs, NotObtained, Obtained, Source
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AUDIENCE, NONCE = "x509_hash:verifier", "nonce-of-this-request"
PERSON = CredentialType(slug="person", version=1)
LICENCE = CredentialType(slug="drivers-licence", version=1)
LIST_SIZE = 131_072
DEMO_CLAIMS: Mapping[CredentialType, Mapping[str, Any]] = {
    PERSON: {
        "given_names": "Maya",
        "family_name": "Chen",
        "birthdate": "2008-03-14",
        "age_over_18": True,
        "age_over_19": False,
        "age_over_21": False,
    },
    LICENCE: {
        "licence_number": "DEMO-1234",
        "class": "G2",
        "given_names": "Maya",
        "family_name": "Chen",
        "birthdate": "2008-03-14",
        "issued_on": "2026-01-05",
        "expires_on": "2031-01-05",
        "age_over_18": True,
        "age_over_19": False,
        "age_over_21": False,
    },
}


class Authority:
    """One authority: its anchor, its certificates, its DID, its status lists."""

    def __init__(self, authority: str, base: str = "https://issuer.example", types: tuple[str, ...] = ()) -> None:
        self.authority = authority
        self.jurisdiction = authority.rpartition("/")[0]
        self.types = types
        self.issuer_id = f"{base}/{authority}"
        self.did = web.did_of(self.issuer_id)
        self.status_base = f"https://status.example/{authority}/status"
        self.anchor_key, self.key, self.did_key, self.status_key = (KeySigner.generate() for _ in range(4))
        window = {"not_before": NOW - timedelta(days=400), "not_after": NOW + timedelta(days=400)}
        self.anchor = x509.issue_anchor(name=f"{authority} anchor", signer=self.anchor_key, **window)
        self.leaf = self.certify(self.key, self.issuer_id)
        self.status_leaf = self.certify(self.status_key, self.status_base)
        self.bits = StatusBits(LIST_SIZE, 2)

    def certify(self, key: KeySigner, uri_san: str | None, **changes: Any) -> x509.Certificate:
        """Return a leaf of this authority's anchor."""
        arguments: dict[str, Any] = {
            "name": self.authority,
            "uri_san": uri_san,
            "dns_san": None,
            "public_jwk": key.public_jwk,
            "anchor": self.anchor,
            "anchor_signer": self.anchor_key,
            "not_before": NOW - timedelta(days=300),
            "not_after": NOW + timedelta(days=300),
        }
        return x509.issue_leaf(**{**arguments, **changes})

    @property
    def x5c(self) -> X5c:
        return X5c(chain=(x509.to_base64(self.leaf),))

    @property
    def kid(self) -> Kid:
        return Kid(did_url=f"{self.did}#credential")

    @property
    def document(self) -> bytes:
        """Its DID document."""
        members = web.web_document(self.did, {"credential": self.did_key.public_jwk}, {"assertionMethod"})
        return strict_json.serialise(members)

    @property
    def document_url(self) -> str:
        url = did.document_url(self.did)
        assert url is not None
        return url

    def list_uri(self, purpose: str | None = None) -> str:
        return f"{self.status_base}/0" + (f"/{purpose}" if purpose else "")

    def status_entries(self, credential_format: Format, index: int) -> tuple[StatusEntry, ...]:
        if credential_format is Format.DC_SD_JWT:
            return (StatusEntry(list_uri=self.list_uri(), index=index),)
        purposes = ("revocation", "suspension")
        return tuple(StatusEntry(list_uri=self.list_uri(each), index=index, purpose=each) for each in purposes)

    def token_list(self, at: datetime = NOW, **changes: Any) -> str:
        arguments: dict[str, Any] = {
            "uri": self.list_uri(),
            "bits": self.bits,
            "ttl_seconds": 300,
            "issued_at": at,
            "expires_at": at + timedelta(days=1),
            "signer": self.status_key,
            "key": X5c(chain=(x509.to_base64(self.status_leaf),)),
        }
        return token_list.sign(**{**arguments, **changes})

    def bitstring_list(self, purpose: str, at: datetime = NOW, **changes: Any) -> str:
        value = Status.REVOKED if purpose == "revocation" else Status.SUSPENDED
        arguments: dict[str, Any] = {
            "uri": self.list_uri(purpose),
            "purpose": purpose,
            "bits": self.bits.plane(value),
            "issuer": self.did,
            "ttl_seconds": 300,
            "valid_from": at,
            "valid_until": at + timedelta(days=1),
            "signer": self.did_key,
            "key": self.kid,
        }
        return bitstring_list.sign(**{**arguments, **changes})

    def registry_entry(self) -> dict[str, Any]:
        """Its entry in ``issuers.json``."""
        anchor = {"anchor": x509.to_base64(self.anchor), "anchor_sha256": x509.sha256_hex(self.anchor)}
        pins = {"id": self.did, "mechanism": "did", "key_thumbprints": [self.did_key.thumbprint]}
        return {
            "authority": self.authority,
            "name": {"en": f"Authority {self.authority}", "fr": f"Autorité {self.authority}"},
            "identifiers": [
                {"format": "dc+sd-jwt", "id": self.issuer_id, "mechanism": "x5c", **anchor},
                {"format": "vc+jwt", **pins},
            ],
            "accreditations": [{"type": each, "from": "2026-01-01"} for each in self.types],
            "status_signers": [
                {"format": "statuslist+jwt", "uri_prefix": self.status_base, "mechanism": "x5c", **anchor},
                {"format": "vc+jwt", "uri_prefix": self.status_base, **pins},
            ],
        }


@dataclass
class World:
    """The federation, a holder, and everything needed to verify. Change ``documents`` or ``evidence`` at will."""

    bc: Authority = field(default_factory=lambda: Authority("ca-bc/services", types=("person/1",)))
    on: Authority = field(default_factory=lambda: Authority("ca-on/services", types=("drivers-licence/1", "person/1")))
    stranger: Authority = field(default_factory=lambda: Authority("ca-on/nobody", base="https://stranger.example"))
    holder: KeySigner = field(default_factory=KeySigner.generate)

    def __post_init__(self) -> None:
        self.evidence: dict[str, Obtained | NotObtained] = {}
        self.asked: list[str] = []
        self.publish()

    def publish(self, at: datetime = NOW) -> None:
        """Sign every list anew and put it, with the DID documents, where verifiers find it."""
        for authority in (self.bc, self.on, self.stranger):
            self.put(authority.document_url, authority.document)
            self.put(authority.list_uri(), authority.token_list(at).encode())
            for purpose in ("revocation", "suspension"):
                self.put(authority.list_uri(purpose), authority.bitstring_list(purpose, at).encode())

    def put(self, url: str, body: bytes, **changes: Any) -> None:
        """Serve ``body`` at ``url``."""
        arguments: dict[str, Any] = {"body": body, "fetched_at": NOW, "source": Source.FETCHED}
        self.evidence[url] = Obtained(**{**arguments, **changes})

    @cached_property
    def documents(self) -> dict[str, Any]:
        """The registry's documents, to be changed before :meth:`snapshot`."""
        members = [("ca-bc", "province"), ("ca-on", "province")]
        return {
            "federation.json": {
                "version": 1,
                "members": [
                    {"id": each, "name": {"en": each, "fr": each}, "level": level, "since": "2026-01-01"}
                    for each, level in members
                ],
                "types": [
                    {
                        "id": f"{each.slug}/{each.version}",
                        "vct": each.vct,
                        "digest": schemas.digest(each.slug, each.version),
                    }
                    for each in (PERSON, LICENCE)
                ],
                "delegations": [{"to": each, "types": ["person/1", "drivers-licence/1"]} for each, _ in members],
                "recognition_default": {"accept": "members"},
            },
            "ca-bc/issuers.json": {"issuers": [self.bc.registry_entry()]},
            "ca-on/issuers.json": {"issuers": [self.on.registry_entry()]},
        }

    def snapshot(self, expires_at: datetime = NOW + timedelta(days=1)) -> RegistrySnapshot:
        targets = {name: strict_json.serialise(document) for name, document in self.documents.items()}
        return RegistrySnapshot.from_targets(targets, fetched_at=NOW, expires_at=expires_at)

    def credential(
        self, authority: Authority, credential_format: Format, credential_type: CredentialType, **changes: Any
    ) -> Credential:
        """Return an unsigned credential; ``changes`` replaces members."""
        claims = DEMO_CLAIMS[credential_type]
        arguments: dict[str, Any] = {
            "issuer": authority.issuer_id if credential_format is Format.DC_SD_JWT else authority.did,
            "type": credential_type,
            "claims": claims,
            "disclosable": frozenset(claims),
            "holder_jwk": self.holder.public_jwk,
            "issued_at": NOW - timedelta(days=10),
            "valid_from": NOW - timedelta(days=10),
            "valid_until": NOW + timedelta(days=365),
            "status": authority.status_entries(credential_format, 7),
        }
        return Credential(**{**arguments, **changes})

    def issue(
        self,
        authority: Authority,
        credential_format: Format,
        credential_type: CredentialType,
        *,
        signer: Signer | None = None,
        key: KeyReference | None = None,
        **changes: Any,
    ) -> SignedCredential:
        """Return a signed credential as the authority would issue it, but for what is given otherwise."""
        credential = self.credential(authority, credential_format, credential_type, **changes)
        by_certificate = credential_format is Format.DC_SD_JWT
        return formats.FORMATS[credential_format].sign(
            credential,
            signer or (authority.key if by_certificate else authority.did_key),
            key or (authority.x5c if by_certificate else authority.kid),
        )

    def present(self, held: SignedCredential, disclose: tuple[str, ...] = ("age_over_18",), **changes: Any) -> str:
        """Return a presentation by the holder."""
        arguments: dict[str, Any] = {"holder": self.holder, "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        chosen = {**arguments, **changes}
        holder = chosen.pop("holder")
        return formats.FORMATS[held.format].present(held, disclose, holder, **chosen)

    def demand(self, **changes: Any) -> Demand:
        holder = HolderDemand(audience=AUDIENCE, nonce=NONCE)
        arguments: dict[str, Any] = {"at": NOW, "place": "ca-pe", "holder": holder}
        return Demand(**{**arguments, **changes})

    def verify(
        self,
        encoded: str,
        *,
        demand: Demand | None = None,
        status: StatusDemand | None = None,
        snapshot: RegistrySnapshot | None = None,
    ) -> Result:
        """Verify one presentation or credential, answering every need from :attr:`evidence`."""
        outcome = verify_held(
            encoded,
            demand=demand or self.demand(),
            status=status or StatusDemand(),
            snapshot=snapshot or self.snapshot(),
        )
        return self.settle(outcome)

    def settle(self, outcome: Needs[Result] | Result) -> Result:
        """Answer what is needed; records in :attr:`asked` which URLs were wanted."""
        rounds = 0
        while isinstance(outcome, Needs):
            rounds += 1
            assert rounds <= 2, "a verification fetches in at most two rounds"
            wanted = [need.url for need in outcome.wanted]
            self.asked += wanted
            outcome = outcome.resume(self._evidence(wanted))
        return outcome

    def _evidence(self, wanted: list[str]) -> Evidence:
        nothing = NotObtained(code=Code.UNREACHABLE, detail="the host does not answer")
        return {url: self.evidence.get(url, nothing) for url in wanted}


Mutation = Callable[[World], str]
