"""Whom a deployment trusts as client: wallet providers who vouch for wallets and their keys, and registered clients.

Two files of the deployment's operator say so, read at start. Nobody is trusted by default.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from comity import keys, strict_json, x509
from comity.errors import Code, Malformed, Misconfigured
from comity.openid import client_assertion, client_attestation, endpoint
from comity.openid.attester import Attester
from comity.openid.client_authentication import NONE, ClientAuthentication
from comity.ports import Jwk

LONGEST_NAME = 200
"""Most characters of a ``client_id``."""

_MAX_FILE_BYTES = 1 << 20
_PROVIDER = {"name", "client_ids", "keys", "anchors", "status_lists", "ignores_status"}


class ClientTrust(Struct, frozen=True, kw_only=True):
    """What clients of this deployment may show, and whether they must.

    Attributes:
        attesters: whose attestations are taken.
        registered: the keys of each registered client, by the names a ``kid`` may call them.
        is_required: clients that show nothing are refused.
        gives_challenges: proofs of possession need a challenge of this server.
        attestation_age: oldest client attestation that is fresh enough.
    """

    attesters: tuple[Attester, ...] = ()
    registered: Mapping[str, Mapping[str, Jwk]] = field(default_factory=dict)
    is_required: bool = False
    gives_challenges: bool = True
    attestation_age: timedelta = timedelta(days=1)

    @property
    def named(self) -> frozenset[str]:
        """Clients that can show who they are, and so must."""
        return frozenset(self.registered).union(*(attester.client_ids for attester in self.attesters))

    @property
    def takes_attestations(self) -> bool:
        """Whether anybody who vouches for clients is trusted."""
        return any(attester.client_ids for attester in self.attesters)

    def described(self, issuer: str) -> ClientAuthentication:
        """Return what the metadata of the authorization server ``issuer`` say of it."""
        methods = {
            client_attestation.METHOD: self.takes_attestations,
            client_attestation.METHOD_DPOP: self.takes_attestations,
            client_assertion.METHOD: bool(self.registered),
            NONE: not self.is_required,
        }
        has_challenges = self.takes_attestations and self.gives_challenges
        return ClientAuthentication(
            methods=tuple(name for name, is_taken in methods.items() if is_taken),
            assertion_algorithms=_algorithms(client_assertion.CONTEXT),
            attestation_algorithms=_algorithms(client_attestation.CONTEXT),
            pop_algorithms=_algorithms(client_attestation.POP_CONTEXT),
            challenge_endpoint=f"{issuer}/challenge" if has_challenges else None,
        )


def load(
    providers_file: Path | None,
    clients_file: Path | None,
    *,
    is_required: bool,
    gives_challenges: bool,
    attestation_age: timedelta,
) -> ClientTrust:
    """Read both files; an absent one trusts nobody.

    Raises:
        Misconfigured: a file cannot be read or is malformed, or authentication is required and nobody is trusted.
    """
    trust = ClientTrust(
        attesters=tuple(_attester(each) for each in _list(providers_file, "wallet providers")),
        registered=dict(_registered(each) for each in _list(clients_file, "clients")),
        is_required=is_required,
        gives_challenges=gives_challenges,
        attestation_age=attestation_age,
    )
    names = [name for attester in trust.attesters for name in (*attester.keys, *attester.client_ids)]
    names += trust.registered
    if len(set(names)) != len(names):
        raise _wrong("a client or a key is named twice among wallet providers and clients")
    if is_required and not trust.takes_attestations and not trust.registered:
        raise _wrong("ISSUER_CLIENT_AUTHENTICATION is required, but no wallet provider and no client is trusted")
    return trust


def _list(file: Path | None, what: str) -> Sequence[object]:
    if file is None:
        return ()
    try:
        entries = strict_json.parse(file.read_bytes(), max_bytes=_MAX_FILE_BYTES)
    except OSError:
        raise _wrong(f"the file of {what} {file} cannot be read") from None
    except Malformed as error:
        raise _wrong(f"the file of {what}: {error.detail}") from None
    if not isinstance(entries, list):
        raise _wrong(f"the file of {what} must hold a list")
    return entries


def _attester(entry: object) -> Attester:
    """Read ``{name, client_ids, keys: [JWK], anchors: [base64 DER], status_lists?: [address], ignores_status?}``."""
    if not isinstance(entry, dict) or not set(entry) <= _PROVIDER or not isinstance(entry.get("name"), str):
        raise _wrong(f"a wallet provider is described by {', '.join(sorted(_PROVIDER))}")
    name = entry["name"]
    known = _keys(entry.get("keys", []), f"wallet provider {name}")
    anchors = entry.get("anchors", [])
    if not isinstance(anchors, list) or not (known or anchors):
        raise _wrong(f"wallet provider {name}: keys or anchors are needed")
    try:
        certificates = tuple(x509.from_base64(each) if isinstance(each, str) else _not_text() for each in anchors)
    except Malformed as error:
        raise _wrong(f"wallet provider {name}: {error.detail}") from None
    return Attester(
        name=name,
        client_ids=_texts(entry.get("client_ids", []), f"wallet provider {name}: client_ids"),
        keys=known,
        anchors=certificates,
        status_lists=_addresses(entry.get("status_lists", []), f"wallet provider {name}: status_lists"),
        ignores_status=entry.get("ignores_status") is True,
    )


def _registered(entry: object) -> tuple[str, Mapping[str, Jwk]]:
    """Read ``{client_id, keys: [JWK]}``."""
    if not isinstance(entry, dict) or set(entry) != {"client_id", "keys"} or not isinstance(entry["client_id"], str):
        raise _wrong("a client is described by client_id and keys")
    (name,) = _texts([entry["client_id"]], "client_id")
    known = _keys(entry["keys"], f"client {name}")
    if not known:
        raise _wrong(f"client {name}: at least one key is needed")
    return name, known


def _keys(jwks: object, whose: str) -> dict[str, Jwk]:
    """Return keys by thumbprint, and by their own ``kid`` where they have one."""
    found: dict[str, Jwk] = {}
    if not isinstance(jwks, list):
        raise _wrong(f"{whose}: keys must be a list of JWKs")
    for jwk in jwks:
        try:
            public = keys.public_jwk(keys.public_key(jwk))
        except Malformed as error:
            raise _wrong(f"{whose}: {error.detail}") from None
        names: set[Any] = {keys.thumbprint(public), jwk.get("kid", keys.thumbprint(public))}
        if not all(isinstance(name, str) for name in names) or names & set(found):
            raise _wrong(f"{whose}: a key is there twice, or its kid is not text")
        found |= dict.fromkeys(names, public)
    return found


def _texts(value: object, what: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(
        isinstance(each, str) and 1 <= len(each) <= LONGEST_NAME for each in value
    ):
        raise _wrong(f"{what} must be a list of texts of at most {LONGEST_NAME} characters")
    return frozenset(value)


def _addresses(value: object, what: str) -> tuple[str, ...]:
    found = sorted(_texts(value, what))
    if not all(endpoint.is_identifier(each) for each in found):
        raise _wrong(f"{what} must be https addresses without a query")
    return tuple(found)


def _algorithms(context: str) -> tuple[str, ...]:
    return tuple(sorted(keys.allowed_algorithms(context)))


def _not_text() -> x509.Certificate:
    raise Malformed(Code.MALFORMED_CERTIFICATE, "an anchor is a certificate as base64 text")


def _wrong(detail: str) -> Misconfigured:
    return Misconfigured(Code.MISCONFIGURED, detail)
