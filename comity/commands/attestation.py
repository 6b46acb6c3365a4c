"""``comity verifier-attestation …``: an attester's key, and attestations of who verifiers are (OpenID4VP 1.0 §12)."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from comity import keys as public_keys
from comity import strict_json
from comity.errors import Code, Malformed
from comity.openid.presentation import client_id, verifier_attestation
from comity.runtime.clock import SystemClock
from comity.runtime.keystore import FileKeyStore
from comity.trust.places import is_jurisdiction

attestation = typer.Typer(
    no_args_is_help=True, help="Who verifiers are, attested. / L’identité des vérificateurs, attestée."
)
KEY = "verifier-attestation"
MAX_JWK_BYTES = 1 << 14

Issuer = Annotated[str, typer.Argument(help="Who attests, as attestations name it. / Nom du tiers qui atteste.")]
Keys = Annotated[Path, typer.Option("--keys", help="Where its keys are. / Dossier de ses clés.")]


@attestation.command()
def key(
    issuer: Issuer,
    keys: Keys,
    jurisdiction: Annotated[str, typer.Option(help="Who lists it, such as ca-on. / Administration qui l’inscrit.")],
    name_en: Annotated[str, typer.Option(help="Its name in English. / Nom en anglais.")],
    name_fr: Annotated[str, typer.Option(help="Its name in French. / Nom en français.")],
) -> None:
    """Print the registry edit that lists the attester, its key made when there is none. / Produire l’édition."""
    if not is_jurisdiction(jurisdiction):
        raise Malformed(Code.PLACE_UNKNOWN, "this is not a jurisdiction of Canada, such as ca-on")
    signer = FileKeyStore(keys).signer_or_create(KEY)
    edit = {
        "edit": "verifier_attester",
        "jurisdiction": jurisdiction,
        "iss": issuer,
        "name": {"en": name_en, "fr": name_fr},
        "keys": [public_keys.public_jwk(public_keys.public_key(signer.public_jwk))],
    }
    sys.stdout.write(strict_json.serialise({"edits": [edit]}).decode() + "\n")


@attestation.command()
def sign(
    issuer: Issuer,
    subject: Annotated[str, typer.Argument(help="The verifier's identifier, without prefix. / Son identifiant.")],
    keys: Keys,
    jwk: Annotated[Path, typer.Option("--key", help="What 'comity verifier keys public' prints. / Fichier JSON.")],
    name_en: Annotated[str, typer.Option(help="The verifier's name in English. / Nom en anglais.")] = "",
    name_fr: Annotated[str, typer.Option(help="The verifier's name in French. / Nom en français.")] = "",
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where answers may go; repeatable. / Adresse des réponses; répétable.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="How long it holds. / Durée en jours.")] = 90,
) -> None:
    """Print the signed attestation of a verifier, for VERIFIER_ATTESTATION_FILE. / Produire l’attestation signée."""
    client_id.parse(client_id.of_attestation(subject).text)
    try:
        public = strict_json.parse_object(jwk.read_bytes(), max_bytes=MAX_JWK_BYTES)
    except OSError:
        raise Malformed(Code.MALFORMED, "the verifier's key cannot be read") from None
    now = SystemClock().now()
    encoded = verifier_attestation.sign(
        FileKeyStore(keys).signer(KEY),
        issuer=issuer,
        subject=subject,
        jwk=public,
        at=now,
        until=now + timedelta(days=days),
        redirect_uris=redirect_uri or (),
        name={"en": name_en, "fr": name_fr} if name_en and name_fr else None,
    )
    sys.stdout.write(encoded + "\n")
