"""Before the first journey: keys, a new registry, and every service as its own process with ordinary settings."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import schemas
from comity import strict_json
from comity.credential import CredentialType
from comity.demo import cast, wallet_provider
from comity.demo.cast import Member
from comity.demo.certificate import HostCertificate
from comity.demo.door.house import SignIn
from comity.demo.processes import HOST, Process, free_ports, run
from comity.demo.wallet_provider import Admission
from comity.errors import Code, Misconfigured
from comity.runtime.files import Occupied, alone_in
from comity.runtime.installation import Installation

NAMES = ("issuer", "wallet", "verifier", "registry", "status")
FIXED_PORTS = {"issuer": 8101, "wallet": 8102, "verifier": 8103, "registry": 8104, "status": 8105}

MAX_STATUS_AGE_SECONDS = 1
"""The one thing the demo sets to see changes at once: how old a status list may be before it is re-validated."""
REGISTRY_REFRESH_SECONDS = 1
DEMO_COUNTER = "Counter / Comptoir (DEMO)"
"""The relying party for which visitors of the demo may open counters without a pairing code."""
PUBLISH_SECONDS = 0.1


SHOWN_DESKS = (
    ("ca-bc/services", "clerk"),
    ("ca-on/services", "clerk"),
    ("ca-on/services", "supervisor"),
    ("ca-on/toronto/services", "clerk"),
)
"""The desks that the front door lets visitors try: those of the journeys that it tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Https:
    """Services under a name that phones know: its certificate, and the loopback port of each service behind it."""

    certificate: HostCertificate
    ports: Mapping[str, int]


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that was set up.

    Attributes:
        folder: where all of it lies.
        urls: service name → base URL.
        processes: service name → process.
        operator_token: a supervisor's token at the issuer.
        relying_party_token: a relying party's token at the verifier.
        desk: the accounts at the issuer's console: ``{password, accounts: [{name, role, authority}]}``.
        entries: the registry entry of each authority as its software printed it, by authority.
        admitted: jurisdictions that joined while everything was running.
        databases: service name → database URL; a service without one keeps an SQLite file in its data folder.
        inner: service name → address on loopback, where that is another one than people use (https under a name).
        certificate: of that name; None without https.
        sign_ins: what visitors of the demo may sign in with.
        admission: which wallets the issuer takes.
    """

    folder: Path
    urls: Mapping[str, str]
    processes: dict[str, Process] = field(default_factory=dict)
    operator_token: str = ""
    relying_party_token: str = ""
    desk: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)
    databases: Mapping[str, str] = field(default_factory=dict)
    inner: Mapping[str, str] = field(default_factory=dict)
    certificate: HostCertificate | None = None
    sign_ins: list[SignIn] = field(default_factory=list)
    admission: Admission = field(default_factory=Admission)

    @property
    def registry_folder(self) -> Path:
        """The registry's own folder."""
        return self.folder / "registry"

    @property
    def registry_keys(self) -> Path:
        """Where the registry's private keys are: beside the registry, never inside what is served."""
        return self.folder / "registry-keys"

    def settings(self, service: str) -> dict[str, str]:
        """Return the environment variables of a service; every one of them an ordinary setting."""
        prefix = service.upper()
        common = {
            "ENVIRONMENT": "development",
            "PUBLIC_URL": self.urls[service],
            "DATA_DIR": str(self.folder / service),
            "ALLOW_LOOPBACK_HTTP": "true",
        }
        if service in self.databases:
            common["DATABASE_URL"] = self.databases[service]
        if self.certificate is not None:
            common["DEMO_HOST"] = self.certificate.host
            common["DEMO_CA_FILE"] = str(self.certificate.authority_file)
        reader = {
            "REGISTRY_URL": self.urls["registry"],
            "REGISTRY_ROOT_FILE": str(self.registry_folder / "root.json"),
            "REGISTRY_REFRESH_SECONDS": str(REGISTRY_REFRESH_SECONDS),
        }
        special: dict[str, dict[str, str]] = {
            "issuer": {
                "AUTHORITIES_FILE": str(self.folder / "authorities.json"),
                "OPERATORS_FILE": str(self.folder / "operators.json"),
                "STATUS_PUBLIC_URL": self.urls["status"],
                "STATUS_DIRECTORY": str(self.folder / "status-lists"),
                "PUBLISH_SECONDS": str(PUBLISH_SECONDS),
                "WALLET_PROVIDERS_FILE": str(self.folder / wallet_provider.TRUST_FILE),
                "WALLET_URL": self.urls["wallet"],
                **self.admission.settings(),
            },
            "wallet": {**reader, "PROVIDER_KEY_FILE": str(self.folder / wallet_provider.KEY_FILE)},
            "verifier": {
                **reader,
                "PLACE": "ca-on",
                "RELYING_PARTIES_FILE": str(self.folder / "relying-parties.json"),
                "MAX_STATUS_AGE_SECONDS": str(MAX_STATUS_AGE_SECONDS),
                "DEMO_COUNTER": DEMO_COUNTER,
                "WALLET_URL": self.urls["wallet"],
            },
        }
        return {f"{prefix}_{name}": value for name, value in {**common, **special[service]}.items()}

    def process(self, name: str, *, data: str = "") -> Process:
        """Return the process of a service, not started. ``data`` gives it another data folder."""
        address = self.inner.get(name, self.urls[name])
        port = address.rpartition(":")[2]
        listen = ["--host", HOST, "--port", port]
        folder = self.registry_folder
        arguments = {
            "registry": ["registry", "serve", *listen, "--dir", str(folder), "--keys", str(self.registry_keys)],
            "status": ["issuer", "status-host", *listen, "--directory", str(self.folder / "status-lists")],
        }.get(name, [name, "serve", *listen])
        settings = {} if name in {"registry", "status"} else self.settings(name)
        if data:
            settings[f"{name.upper()}_DATA_DIR"] = str(self.folder / data)
        probes = {"registry": "/metadata/timestamp.json", "status": "/healthz"}
        return Process(
            name=name,
            url=address,
            arguments=arguments,
            settings=settings,
            log=self.folder / "logs" / f"{name}.log",
            probe=probes.get(name, "/readyz"),
        )

    async def apply(self, edits: list[dict[str, Any]], *, name: str = "plan") -> None:
        """Apply edits to the registry and publish them, as its operator would."""
        plan = self.folder / f"{name}.json"
        await asyncio.to_thread(plan.write_bytes, strict_json.serialise({"edits": edits}))
        place = ["--dir", str(self.registry_folder), "--keys", str(self.registry_keys)]
        await run("registry", "apply", str(plan), *place)

    def stop(self) -> None:
        """Stop every process, the last started first."""
        for process in reversed(list(self.processes.values())):
            process.stop()
        self.processes.clear()


async def found(
    folder: Path,
    *,
    fixed_ports: bool = False,
    databases: Mapping[str, str] | None = None,
    https: Https | None = None,
    admission: Admission | None = None,
) -> Stage:
    """Make everything new in ``folder`` and start it; what was there before is removed.

    ``databases`` names empty databases by service, for those that are not to keep an SQLite file. With ``https`` the
    services are named by its host at the fixed ports, and listen where it says. ``admission`` says which wallets the
    issuer takes; without it, any.

    Raises:
        Misconfigured: a set-up command failed.
        Unreachable: a service did not come up; the detail names its log.
    """
    folder = await asyncio.to_thread(_clear, folder)
    ports = FIXED_PORTS if fixed_ports else dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    urls = {name: f"http://{HOST}:{ports[name]}" for name in NAMES}
    admission = admission or Admission()
    stage = Stage(folder=folder, urls=urls, databases=databases or {}, admission=admission)
    if https is not None:
        stage.urls = {name: f"https://{https.certificate.host}:{FIXED_PORTS[name]}" for name in NAMES}
        stage.inner = {name: f"http://{HOST}:{https.ports[name]}" for name in NAMES}
        stage.certificate = https.certificate
    await asyncio.to_thread(_write, folder / "authorities.json", admission.authorities(cast.deployment()))
    await asyncio.to_thread(_write, folder / cast.PEOPLE_FILE, cast.people())
    await asyncio.to_thread(wallet_provider.found, folder, wallet_url=stage.urls["wallet"], others=admission.others)
    await _make_keys(stage)
    await asyncio.gather(_read_entries(stage), _open_desks(stage))
    await stage.apply(first_plan(stage, await _verifier_entry(stage)))
    try:
        await start(stage)
    except BaseException:  # whoever interrupts a set-up leaves no service behind
        await asyncio.to_thread(stage.stop)
        raise
    _installation(stage).save(folder.parent)
    return stage


async def start(stage: Stage) -> None:
    """Start all processes and wait until each is ready."""
    for name in ("registry", "status", "issuer"):
        stage.processes[name] = stage.process(name)
        stage.processes[name].start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await stage.processes["registry"].wait_ready(client)
        for name in ("wallet", "verifier"):
            stage.processes[name] = stage.process(name)
            stage.processes[name].start()
        await asyncio.gather(*(process.wait_ready(client) for process in stage.processes.values()))


async def _make_keys(stage: Stage) -> None:
    """Let each party make its own keys, with its own command."""
    place = [str(stage.registry_folder), "--keys", str(stage.registry_keys)]
    names = ["--name-en", "Pan-Canadian Trust Registry (DEMO)"]
    names += ["--name-fr", "Registre de confiance pancanadien (DÉMO)"]
    issuer, verifier = stage.settings("issuer"), stage.settings("verifier")
    _, _, _, operator, party = await asyncio.gather(
        run("registry", "init", *place, *names),
        run("issuer", "keys", "init", settings=issuer),
        run("verifier", "keys", "init", settings=verifier),
        run("issuer", "operators", "add", "Demo desk", "supervisor", settings=issuer),
        run(
            "verifier",
            "relying-party",
            "add",
            DEMO_COUNTER,
            "--file",
            str(stage.folder / "relying-parties.json"),
        ),
    )
    stage.operator_token = operator.strip().splitlines()[-1]
    stage.relying_party_token = party.strip().splitlines()[-1]


async def _read_entries(stage: Stage) -> None:
    printed = await run("issuer", "identifiers", "--json", settings=stage.settings("issuer"))
    stage.entries = {each["authority"]: each for each in strict_json.parse(printed)}


async def _open_desks(stage: Stage) -> None:
    """Let the issuer open the accounts of the demo's clerks, whose password everybody may know."""
    stage.desk = strict_json.parse_object(await run("issuer", "clerk", "demo", settings=stage.settings("issuer")))
    stage.sign_ins += [
        SignIn(
            face="console",
            name=each["name"],
            password=stage.desk["password"],
            role=each["role"],
            office=cast.office(each["authority"]),
        )
        for each in stage.desk["accounts"]
        if (each["authority"], each["role"]) in SHOWN_DESKS
    ]


async def _verifier_entry(stage: Stage) -> dict[str, Any]:
    names = ["--name-en", "Corner store (DEMO)", "--name-fr", "Dépanneur du coin (DÉMO)"]
    printed = await run("verifier", "identifiers", *names, settings=stage.settings("verifier"))
    return strict_json.parse_object(printed)


def first_plan(stage: Stage, verifier: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the edits that make the first eight members, their scope, their issuers and one verifier."""
    edits: list[dict[str, Any]] = [_type(*each) for each in schemas.all_types()]
    for member in cast.MEMBERS:
        edits.append(_member(member))
    edits += [
        {"edit": "delegation", "to": to, "types": types}
        for to, types in (
            ("ca", ["boating-card/1", "work-permit/1"]),
            ("ca-bc", ["person/1", "serving-it-right/1"]),
            ("ca-on", ["drivers-licence/1", "fare-subsidy/1", "business-licence/1"]),
            ("ca-pe", ["health-card/1"]),
            ("ca-nt", ["identification-card/1"]),
            ("ca-yt", ["fishing-licence/1"]),
            ("ca-on/peel", ["fare-subsidy/1"]),
            ("ca-on/toronto", ["business-licence/1"]),
        )
    ]
    for member in (*cast.MEMBERS, cast.IMMIGRATION):
        # Toronto lists in its own file more than Ontario ever let it.
        types = (*member.types, *cast.ROGUE_TYPES) if member.id == "ca-on/toronto" else member.types
        edits.append(issuer_edit(stage, member, types))
    edits.append({"edit": "verifier", "jurisdiction": "ca-on", "verifier": dict(verifier)})
    return edits


async def admit(stage: Stage, member: Member) -> None:
    """Admit ``member`` with its issuer; one that was a member before only gets its issuer back."""
    edits: list[dict[str, Any]] = []
    if member.id not in stage.admitted:
        edits = [_member(member), {"edit": "delegation", "to": member.id, "types": list(member.types)}]
    await stage.apply([*edits, issuer_edit(stage, member, member.types)])
    stage.admitted.add(member.id)


def issuer_edit(stage: Stage, member: Member, types: tuple[str, ...]) -> dict[str, Any]:
    """Return the edit that lists a member's authority with what its software printed."""
    entry = stage.entries[member.authority]
    return {"edit": "issuer", **entry, "types": list(types), "since": cast.SINCE}


def _member(member: Member) -> dict[str, Any]:
    return {
        "edit": "member",
        "id": member.id,
        "name": member.name,
        "level": member.level,
        "since": cast.SINCE,
    }


def _type(slug: str, version: int) -> dict[str, Any]:
    vct = CredentialType(slug=slug, version=version).vct
    return {"edit": "type", "id": f"{slug}/{version}", "vct": vct, "digest": schemas.digest(slug, version)}


def _installation(stage: Stage) -> Installation:
    return Installation(
        registry_url=stage.inner.get("registry", stage.urls["registry"]),
        registry_root_file=str(stage.registry_folder / "root.json"),
        registry_cache=str(stage.folder / "verifier" / "registry"),
        status_cache=str(stage.folder / "verifier" / "status"),
        allow_loopback_http=True,
        place="ca-on",
        services=dict(stage.urls),
        data_folders={name: str(stage.folder / name) for name in ("issuer", "wallet", "verifier")},
    )


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Keep others who would make ``folder`` anew out of it; the kernel lets go for a process that dies.

    Raises:
        Misconfigured: ``demo_running``, somebody works in it.
    """
    try:
        with alone_in(folder.parent, patience=0):
            yield
    except Occupied:
        raise Misconfigured(Code.DEMO_RUNNING, f"somebody works in {folder} already") from None


def _clear(folder: Path) -> Path:
    """Make ``folder`` empty and return its absolute path."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.absolute()


def _write(path: Path, value: Any) -> None:
    path.write_bytes(strict_json.serialise(value))
