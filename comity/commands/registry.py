"""``comity registry …``: make, edit, sign, refresh and serve a trust registry."""

import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import schemas
from comity import strict_json
from comity.errors import Code, Malformed, Misconfigured, NotFound
from comity.runtime.clock import SystemClock
from comity.runtime.registry_repository import Published, RegistryRepository
from comity.trust import authoring
from comity.trust.authoring import Edit
from comity.trust.places import level_of
from comity.web import i18n

registry = typer.Typer(no_args_is_help=True, help="The trust registry. / Le registre de confiance.")
_add = typer.Typer(no_args_is_help=True, help="Add to it. / Y ajouter.")
registry.add_typer(_add, name="add")

DEFAULT_FOLDER = Path(".comity/registry")
_PERIOD = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Folder = Annotated[Path, typer.Option("--dir", help="The registry's folder. / Dossier du registre.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Where private keys are. / Dossier des clés privées.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document. / Produire un document JSON.")]
Lang = Annotated[str, typer.Option("--lang", help="en | fr")]
Types = Annotated[list[str], typer.Option("--type", help="Credential type, person/1. / Type d’attestation.")]
Since = Annotated[str, typer.Option(help="First day, YYYY-MM-DD; today if absent. / Premier jour.")]
Until = Annotated[str, typer.Option(help="Last day, YYYY-MM-DD. / Dernier jour.")]
From = Annotated[Path, typer.Option("--from", help="File with what its software prints. / Fichier JSON.")]


@registry.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The registry's folder. / Dossier du registre.")] = DEFAULT_FOLDER,
    *,
    name_en: Annotated[str, typer.Option(help="English name. / Nom anglais.")],
    name_fr: Annotated[str, typer.Option(help="French name. / Nom français.")],
    root_keys: Annotated[int, typer.Option(min=1, help="Root keys to make. / Clés racines à créer.")] = 1,
    root_threshold: Annotated[int, typer.Option(min=1, help="How many must sign. / Signatures exigées.")] = 1,
    timestamp_days: Annotated[int, typer.Option(min=1, help="Days without the host. / Jours sans l’hôte.")] = 3,
    recognition_default: Annotated[str, typer.Option(help="members | none | unset")] = "members",
    keys: Keys = None,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Make a new registry with its keys. / Créer un registre et ses clés."""
    made = RegistryRepository.create(
        folder,
        SystemClock(),
        name_en=name_en,
        name_fr=name_fr,
        recognition_default=None if recognition_default == "unset" else recognition_default,
        keys=keys,
        root_keys=root_keys,
        root_threshold=root_threshold,
        days={"timestamp": timestamp_days},
    )
    facts = {"root_file": str(made.root_file), "public": str(made.public_folder)}
    if json:
        _print_json(facts)
    else:
        typer.echo(i18n.text("registry.created", lang, **facts))


@_add.command("member")
def add_member(
    jurisdiction: Annotated[str, typer.Argument(help="ca-on, ca-on/toronto")],
    *,
    name_en: Annotated[str, typer.Option(help="English name. / Nom anglais.")],
    name_fr: Annotated[str, typer.Option(help="French name. / Nom français.")],
    level: Annotated[str, typer.Option(help="federal | province | territory | municipality")] = "",
    since: Since = "",
    until: Until = "",
    role_keys: Annotated[int, typer.Option(min=1, help="Keys to make for it. / Clés à créer.")] = 1,
    threshold: Annotated[int, typer.Option(min=1, help="How many must sign. / Signatures exigées.")] = 1,
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Admit a jurisdiction. / Admettre une administration."""
    edit = {
        "edit": "member",
        "id": jurisdiction,
        "name": {"en": name_en, "fr": name_fr},
        "level": level or level_of(jurisdiction),
        "since": _day(since),
        **_optional(until=until),
    }
    done = _open(folder, keys).apply([edit], role_keys=role_keys, role_threshold=threshold)
    _tell(done, json=json, lang=lang)


@_add.command("type")
def add_type(
    types: Annotated[list[str], typer.Argument(help="person/1; with 'all': every known one. / ou « all ».")],
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Add credential types that this software knows. / Ajouter des types connus du logiciel."""
    wanted = [f"{slug}/{version}" for slug, version in schemas.all_types()] if types == ["all"] else types
    _apply([authoring.type_edit(each) for each in wanted], folder, keys, json=json, lang=lang)


@_add.command("delegation")
def add_delegation(
    to: Annotated[str, typer.Argument(help="ca-on, ca-on/toronto")],
    types: Types,
    until: Until = "",
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Let a jurisdiction issue types. / Permettre à une administration de délivrer des types."""
    edit = {"edit": "delegation", "to": to, "types": types, **_optional(until=until)}
    _apply([edit], folder, keys, json=json, lang=lang)


@_add.command("issuer")
def add_issuer(
    source: From,
    types: Types,
    since: Since = "",
    until: Until = "",
    authority: Annotated[list[str] | None, typer.Option(help="Only these of the file. / Seulement celles-ci.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Add authorities printed by ``comity issuer identifiers --json``. / Ajouter des autorités émettrices."""
    entries = _read(source)
    edits = [
        {"edit": "issuer", **entry, "types": types, "since": _day(since), **_optional(until=until)}
        for entry in (entries if isinstance(entries, list) else [entries])
        if isinstance(entry, dict) and (not authority or entry.get("authority") in authority)
    ]
    if not edits:
        raise NotFound(Code.NOT_FOUND, "the file names no such authority")
    _apply(edits, folder, keys, json=json, lang=lang)


@_add.command("verifier")
def add_verifier(
    jurisdiction: Annotated[str, typer.Argument(help="ca-on")],
    source: From,
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Add the verifier printed by ``comity verifier identifiers``. / Ajouter un vérificateur."""
    _apply(
        [{"edit": "verifier", "jurisdiction": jurisdiction, "verifier": _read(source)}],
        folder,
        keys,
        json=json,
        lang=lang,
    )


@_add.command("recognition")
def add_recognition(
    place: Annotated[str, typer.Argument(help="ca-on")],
    *,
    accept: Annotated[bool, typer.Option("--accept/--refuse", help="What the rule says. / Ce que dit la règle.")],
    jurisdiction: Annotated[str, typer.Option(help="Whose credentials. / Attestations de qui.")] = "",
    type_id: Annotated[str, typer.Option("--type", help="Which type. / Quel type.")] = "",
    purpose: Annotated[str, typer.Option(help="For which purpose. / Pour quelle fin.")] = "",
    reference: Annotated[str, typer.Option(help="Legal reference. / Référence juridique.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Let a place depart from the default. / Permettre à un lieu de s’écarter de la règle générale."""
    about = _optional(jurisdiction=jurisdiction, type=type_id, purpose=purpose, reference=reference)
    edit = {"edit": "recognition", "place": place, "rule": {"accept": accept, **about}}
    _apply([edit], folder, keys, json=json, lang=lang)


@registry.command()
def withdraw(
    authority: Annotated[str, typer.Argument(help="ca-on/services")],
    *,
    effect: Annotated[str, typer.Option(help="keep | lose")],
    reason: Annotated[str, typer.Option(help="mandate_ended, key_compromise, …")],
    on: Annotated[str, typer.Option(help="Day, YYYY-MM-DD; today if absent. / Jour.")] = "",
    type_id: Annotated[str, typer.Option("--type", help="One type; absent: all. / Un type, sinon tous.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Withdraw accreditations, or change how they were withdrawn. / Retirer des accréditations."""
    edit = {
        "edit": "withdraw",
        "authority": authority,
        "on": _day(on),
        "effect": effect,
        "reason": reason,
        **_optional(type=type_id),
    }
    _apply([edit], folder, keys, json=json, lang=lang)


@registry.command("apply")
def apply_plan(
    plan: Annotated[Path, typer.Argument(help="Plan of edits, JSON. / Plan de modifications.")],
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Apply many edits and sign once. / Appliquer plusieurs modifications et signer une fois."""
    value = _read(plan)
    _apply(authoring.plan(value if isinstance(value, dict) else {}), folder, keys, json=json, lang=lang)


@registry.command()
def sign(
    role: Annotated[str, typer.Argument(help="Role; absent: all that waits. / Rôle; sinon tout ce qui attend.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Add missing signatures, or sign a role anew. / Ajouter des signatures ou signer de nouveau."""
    _tell(_open(folder, keys).sign(role or None), json=json, lang=lang)


@registry.command()
def refresh(
    every: Annotated[str, typer.Option(help="Repeat: 30m, 1h, 1d. / Répéter.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Sign snapshot and timestamp anew. / Signer de nouveau l’instantané et l’horodatage."""
    pause = period(every) if every else None
    while True:
        _tell(_open(folder, keys).refresh(), json=json, lang=lang)
        if pause is None:
            return
        sys.stdout.flush()
        time.sleep(pause)


@registry.command()
def rotate(
    role: Annotated[str, typer.Argument(help="root, targets, snapshot, timestamp, ca-on …")],
    new_keys: Annotated[int, typer.Option(min=1, help="Keys to make. / Clés à créer.")] = 1,
    threshold: Annotated[int, typer.Option(min=1, help="How many must sign. / Signatures exigées.")] = 1,
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
    *,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Replace the keys of a role. / Remplacer les clés d’un rôle."""
    _tell(_open(folder, keys).rotate(role, keys=new_keys, threshold=threshold), json=json, lang=lang)


@registry.command()
def show(folder: Folder = DEFAULT_FOLDER, keys: Keys = None, *, json: Json = False, lang: Lang = "en") -> None:
    """Show roles, members, issuers and what waits. / Afficher rôles, membres, émetteurs et attentes."""
    repository = _open(folder, keys)
    status, documents = repository.status(), repository.documents()
    if json:
        _print_json({**status, "documents": documents})
        return
    console = Console(highlight=False)
    columns = ("role", "version", "expires", "threshold", "keys", "keys_here")
    roles = [{**each, "expires": each["expires"][:10]} for each in status["roles"]]
    console.print(_table("roles", columns, roles, lang))
    members = [{**each, "name": i18n.pick(each["name"], lang)} for each in documents["federation.json"]["members"]]
    console.print(_table("members", ("id", "name", "level", "since", "until"), members, lang))
    console.print(
        _table("issuers", ("authority", "type", "from", "until", "withdrawn_at", "effect"), _issuers(documents), lang)
    )
    if status["pending"]:
        console.print(i18n.text("registry.pending", lang, roles=", ".join(status["pending"])))


@registry.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on. / Adresse d’écoute.")] = "localhost",
    port: int = 8104,
    refresh_every: Annotated[str, typer.Option(help="Also sign anew: 1h. / Signer aussi de nouveau.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    keys: Keys = None,
) -> None:
    """Serve the published files. / Servir les fichiers publiés."""
    from comity.runtime.registry_host import RegistryHost
    from comity.web import serving

    repository = _open(folder, keys)
    repository.documents()  # a folder without a registry is told now
    host_app = RegistryHost(
        repository.public_folder,
        refresh=repository.refresh if refresh_every else None,
        every_seconds=period(refresh_every) if refresh_every else 0.0,
    )
    serving.serve(host_app, host, port, name="registry")


def period(text: str) -> float:
    """Return ``30m``, ``1h`` … in seconds.

    Raises:
        Malformed: it is not written so.
    """
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise Malformed(Code.MALFORMED, "a period is written like 45s, 30m, 1h or 1d")
    return float(int(match[1]) * _SECONDS[match[2]])


def _open(folder: Path, keys: Path | None) -> RegistryRepository:
    return RegistryRepository(folder, SystemClock(), keys=keys)


def _apply(edits: Sequence[Edit], folder: Path, keys: Path | None, *, json: bool, lang: str) -> None:
    _tell(_open(folder, keys).apply(edits), json=json, lang=lang)


def _tell(done: Published, *, json: bool, lang: str) -> None:
    """Say what came of it."""
    facts = {"documents": list(done.documents), "roles": list(done.roles), "pending": list(done.pending)}
    if json:
        _print_json(facts)
        return
    for fact, values in facts.items():
        if values:
            typer.echo(
                i18n.text(f"registry.{fact}", lang, **{fact if fact != "pending" else "roles": ", ".join(values)})
            )


def _print_json(value: Mapping[str, Any]) -> None:
    typer.echo(strict_json.serialise(dict(value)).decode())


def _read(path: Path) -> Any:
    try:
        return strict_json.parse(path.read_bytes())
    except OSError:
        raise Misconfigured(Code.NOT_FOUND, "the file cannot be read") from None


def _day(text: str) -> str:
    """Return ``text``, or today in UTC; that it is a day is checked with the edit."""
    today: date = SystemClock().now().date()
    return text or today.isoformat()


def _optional(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _issuers(documents: authoring.Documents) -> list[Mapping[str, Any]]:
    return [
        {"authority": issuer["authority"], **accreditation}
        for name in sorted(documents)
        for issuer in documents[name].get("issuers", ())
        for accreditation in issuer["accreditations"]
    ]


def _table(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], lang: str) -> Table:
    table = Table(title=i18n.text(f"registry.table_{title}", lang), title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(i18n.text(f"registry.column_{column}", lang), overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(column) or "") for column in columns))
    return table
