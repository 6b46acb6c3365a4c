"""``comity entitlement …``: a jurisdiction's key for attesting what verifiers may ask, and the attestations."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from comity import keys as public_keys
from comity import strict_json
from comity.errors import Code, Malformed
from comity.runtime.clock import SystemClock
from comity.runtime.keystore import FileKeyStore
from comity.trust import attestation
from comity.trust.places import is_jurisdiction

entitlement = typer.Typer(
    no_args_is_help=True, help="What verifiers may ask, attested. / Ce que les vérificateurs peuvent demander."
)
MAX_ENTRY_BYTES = 1 << 20

Jurisdiction = Annotated[str, typer.Argument(help="Who attests, such as ca-on. / Administration qui atteste.")]
Keys = Annotated[Path, typer.Option("--keys", help="Where its keys are. / Dossier de ses clés.")]


@entitlement.command()
def key(jurisdiction: Jurisdiction, keys: Keys) -> None:
    """Print the registry edit that lists the key, made when there is none. / Produire l’édition du registre."""
    signer = FileKeyStore(keys).signer_or_create(_name(jurisdiction))
    jwk = public_keys.public_jwk(public_keys.public_key(signer.public_jwk))
    edit = {"edit": "entitlement_signer", "jurisdiction": jurisdiction, "jwk": jwk}
    sys.stdout.write(strict_json.serialise({"edits": [edit]}).decode() + "\n")


@entitlement.command()
def sign(
    jurisdiction: Jurisdiction,
    keys: Keys,
    entry: Annotated[Path, typer.Option("--from", help="What 'comity verifier identifiers' prints. / Fichier JSON.")],
    days: Annotated[int, typer.Option(min=1, max=400, help="How long it holds. / Durée en jours.")] = 90,
) -> None:
    """Print the signed entitlement of a verifier, for VERIFIER_ENTITLEMENT_FILE. / Produire l’habilitation signée."""
    signer, now = FileKeyStore(keys).signer(_name(jurisdiction)), SystemClock().now()
    try:
        content = strict_json.parse_object(entry.read_bytes(), max_bytes=MAX_ENTRY_BYTES)
    except OSError:
        raise Malformed(Code.MALFORMED, "the verifier's entry cannot be read") from None
    until = now + timedelta(days=days)
    sys.stdout.write(attestation.sign(content, signer, jurisdiction=jurisdiction, at=now, until=until) + "\n")


def _name(jurisdiction: str) -> str:
    """Return the name of a jurisdiction's key in the key store."""
    if not is_jurisdiction(jurisdiction):
        raise Malformed(Code.PLACE_UNKNOWN, "this is not a jurisdiction of Canada, such as ca-on")
    return f"entitlement-{jurisdiction.replace('/', '-')}"
