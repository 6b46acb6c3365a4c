"""A foreign office that issues: its certificates, made without a line of ours, and how the registry admits it."""

import asyncio
import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from comity.demo import cast
from comity.demo.founding import Stage
from comity.demo.processes import free_ports
from comity.runtime.clock import SystemClock

JURISDICTION = "ca-nb"
AUTHORITY = "ca-nb/foreign"
NAME = {"en": "Foreign office (DEMO)", "fr": "Bureau étranger (DÉMO)"}
CONFIGURATION = "a-name-of-its-own"
TYPES = ["person/1", "drivers-licence/1", "fare-subsidy/1"]
VCT = "https://types.comity.example/person/1"

Pair = dict[str, Any]
"""A certificate chain (``x5c``) and the key of its leaf (``key``), as the programs in ``node/`` take them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Where it will stand and what it signs with; ``stranger`` is a pair whose anchor nobody admitted."""

    port: int
    anchor: str
    signing: Pair
    status: Pair
    stranger: Pair
    did_signing: Pair
    did_status: Pair

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}/office"

    @property
    def did(self) -> str:
        return f"did:web:localhost%3A{self.port}:office"

    @property
    def w3c(self) -> dict[str, Any]:
        """Return what ``issuing`` needs beside that to issue W3C credentials."""
        contexts, types = ["https://types.comity.example/drivers-licence/1/context"], ["DriversLicence"]
        return {
            "did": self.did,
            "contexts": contexts,
            "types": types,
            "signing": self.did_signing,
            "status": self.did_status,
        }

    @property
    def asked(self) -> dict[str, Any]:
        """Return what the program ``issuing`` is started with."""
        claims = cast.person(cast.ELISE, 38)
        return {
            "port": self.port,
            "configurationId": CONFIGURATION,
            "vct": VCT,
            "claims": claims,
            "office": self.signing,
            "status": self.status,
        }

    @property
    def entry(self) -> dict[str, Any]:
        """Return its entry in the registry, as docs/guides/connect-an-issuer.md says that it is written by hand."""
        known = {"mechanism": "x5c", "anchor": self.anchor}
        did, lists = {"mechanism": "did", "id": self.did}, f"{self.issuer}/status"
        return {
            "authority": AUTHORITY,
            "name": NAME,
            "identifiers": [
                {"format": "dc+sd-jwt", "id": self.issuer, **known},
                {"format": "vc+jwt", **did, "key_thumbprints": [_thumbprint(self.did_signing)]},
            ],
            "status_signers": [
                {"format": "statuslist+jwt", "uri_prefix": lists, **known},
                {"format": "vc+jwt", "uri_prefix": lists, **did, "key_thumbprints": [_thumbprint(self.did_status)]},
            ],
        }


def founded() -> Office:
    """Return a new office with an anchor of its own."""
    [port] = free_ports(1)
    issuer = f"http://localhost:{port}/office"
    key, anchor = _anchor()
    other_key, other = _anchor()
    return Office(
        port=port,
        anchor=_der(anchor),
        signing=_pair(issuer, key, anchor),
        status=_pair(f"{issuer}/status", key, anchor),
        stranger=_pair(issuer, other_key, other),
        did_signing=_jwks(ECKey.generate_key("P-256")),
        did_status=_jwks(ECKey.generate_key("P-256")),
    )


def admit(stage: Stage, office: Office) -> None:
    """Let the registry admit the office as an authority of a new member that may issue its types."""
    member = {"id": JURISDICTION, "name": {"en": "New Brunswick", "fr": "Nouveau-Brunswick"}, "level": "province"}
    edits: list[dict[str, Any]] = [
        {"edit": "member", **member, "since": cast.SINCE},
        {"edit": "delegation", "to": JURISDICTION, "types": TYPES},
        {"edit": "issuer", **office.entry, "types": TYPES, "since": cast.SINCE},
    ]
    asyncio.run(stage.apply(edits, name="foreign-office"))


def _anchor() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("Foreign anchor DEMO", key.public_key()).issuer_name(_name("Foreign anchor DEMO"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment"), False)
    usage |= dict.fromkeys(("data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
    builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def _pair(name: str, anchor_key: ec.EllipticCurvePrivateKey, anchor: x509.Certificate) -> Pair:
    """Return a leaf with the one URI ``name``, and its key; as small tools make it, without key identifiers."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("Foreign office DEMO", key.public_key()).issuer_name(anchor.subject)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)])
    leaf = builder.add_extension(names, critical=False).sign(anchor_key, hashes.SHA256())
    return {"x5c": [_der(leaf)], "key": _jwks(ECKey.import_key(key))}


def _jwks(key: ECKey) -> Pair:
    private, public = key.as_dict(private=True), key.as_dict(private=False)
    return {"privateJwk": dict(private), "publicJwk": dict(public)}


def _thumbprint(pair: Pair) -> str:
    return str(ECKey.import_key(pair["publicJwk"]).thumbprint())


def _builder(name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = SystemClock().now()
    builder = x509.CertificateBuilder(subject_name=_name(name), public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _der(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
