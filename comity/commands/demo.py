"""``comity demo`` and ``comity serve``: the main job on this machine."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from comity import strict_json
from comity.runtime import installation
from comity.terminal import Exit

LanguageOption = Annotated[str, typer.Option("--lang", help="en | fr")]


def demo(
    lang: LanguageOption = "en",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document. / Produire un document JSON.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Stay up afterwards. / Rester en service ensuite.")] = False,
) -> None:
    """Issue, hold, present, verify, revoke, across eight jurisdictions. / Démonstration complète."""
    from comity.demo import run
    from comity.demo.view import View, document

    view = View(lang, quiet=json)
    outcome = asyncio.run(run.demo(installation.FOLDER / "demo", view, lang, stay=serve))
    if json:
        sys.stdout.write(strict_json.serialise(document(outcome.passed, outcome.steps, lang)).decode() + "\n")
    if not all(outcome.passed.values()):
        raise SystemExit(Exit.REJECTED)


def serve(
    lang: LanguageOption = "en",
    host: Annotated[
        str,
        typer.Option(help="This machine's name on the network: https, so that phones take part. / Nom sur le réseau."),
    ] = "",
    wallet_providers: Annotated[
        Path | None,
        typer.Option(help="Trust these wallet providers too (a JSON file). / Autres fournisseurs de portefeuilles."),
    ] = None,
    attested: Annotated[
        bool,
        typer.Option("--attested", help="Issue to attested wallets and keys only. / Portefeuilles attestés seulement."),
    ] = False,
) -> None:
    """Start registry, status host, issuer, wallet and verifier, and leave them up. / Démarrer tous les services."""
    from comity.demo import open_house, wallet_provider
    from comity.demo.view import View

    others = wallet_provider.read(wallet_providers) if wallet_providers else ()
    admission = wallet_provider.Admission(others=others, attested=attested)
    asyncio.run(open_house.serve(installation.FOLDER / "demo", View(lang), host=host, admission=admission))
