"""No engine runs at a test, so everything the image and the compose file name is checked against code and tree."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import typer.main
import yaml
from typer.core import TyperCommand, TyperGroup

import schemas
from comity import cli
from comity.runtime.clock import SystemClock
from comity.runtime.registry_repository import RegistryRepository
from comity.runtime.settings import ServiceSettings, load
from comity.trust import authoring
from issuer import authorities
from issuer.settings import IssuerSettings
from verifier.settings import VerifierSettings
from wallet.settings import WalletSettings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image", "").startswith("comity")}
LISTENING = [name for name, service in OURS.items() if "--port" in service.get("command", [])]
SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "ISSUER_": IssuerSettings,
    "WALLET_": WalletSettings,
    "VERIFIER_": VerifierSettings,
}
PORTS = {"issuer": "8101", "wallet": "8102", "verifier": "8103", "registry": "8104", "status": "8105"}
CONFIGS = {name: ROOT / each.get("file", "") for name, each in COMPOSE["configs"].items()}
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
INSTRUCTIONS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith(("#", " "))]
OTHER_VARIABLES = {"HEALTH_URL", "POSTGRES_USER", "POSTGRES_PASSWORD"}


def command_lines(name: str) -> Iterator[list[str]]:
    """Yield the `comity` command lines of a service: its command, or those in its shell script."""
    service = SERVICES[name]
    if service.get("entrypoint", [""])[0] != "sh":
        yield [str(part) for part in service["command"]]
        return
    script = re.sub(r"\\\n", " ", service["command"][0])
    for line in script.splitlines():
        found = re.search(r"\bcomity ((?:\$\$\w+|[^|>;&$])+)", line)
        if found and not line.lstrip().startswith("#"):
            yield shlex.split(re.sub(r"\$\$\w+", "ca-on", found[1]))


COMMANDS = [(name, line) for name in OURS for line in command_lines(name)]
DOCUMENTED = re.findall(r"^#   docker compose run --rm (\w+)([^#\n]*)", TEXT, re.MULTILINE)


def parse(arguments: list[str]) -> None:
    """Walk to the command that ``arguments`` call and parse its options; nothing is run."""
    command: Any = typer.main.get_command(cli.build(arguments))
    context = typer.Context(command, info_name="comity")
    while isinstance(command, TyperGroup):
        name, command, arguments = command.resolve_command(context, arguments)
        assert command is not None
        context = typer.Context(command, info_name=name, parent=context)
    assert isinstance(command, TyperCommand)
    command.make_context(command.name, list(arguments))


def mounts(name: str) -> dict[str, str]:
    """Return target → source of the volumes and configs of a service."""
    service = SERVICES[name]
    volumes = dict(reversed(each.split(":")[:2]) for each in service.get("volumes", []))
    return volumes | {each["target"]: each["source"] for each in service.get("configs", [])}


def mounted(name: str, path: str) -> bool:
    return any(PurePosixPath(path).is_relative_to(target) for target in mounts(name))


def variables(name: str) -> dict[str, str]:
    """Return the environment of a service, with a stand-in for what the person sets."""
    return {
        key: re.sub(r"\$\{DATABASE_PASSWORD[^}]*\}", "word", str(value))
        for key, value in SERVICES[name].get("environment", {}).items()
    }


# --- docker-compose.yml


def test_every_part_of_the_house_is_there() -> None:
    assert {*PORTS, "database", "registry-signer", "setup"} == set(SERVICES)


@pytest.mark.parametrize(("name", "line"), COMMANDS, ids=[f"{n}: {' '.join(c[:3])}" for n, c in COMMANDS])
def test_every_command_exists_with_its_options(name: str, line: list[str]) -> None:
    parse(line)


@pytest.mark.parametrize(("name", "line"), DOCUMENTED)
def test_every_documented_command_exists(name: str, line: str) -> None:
    assert name in OURS
    if line.strip():
        parse(shlex.split(line))


def test_a_command_that_does_not_exist_is_noticed() -> None:
    usage_error = typer.BadParameter.__bases__[0]
    for arguments in (["issuer", "sing"], ["issuer", "serve", "--prot", "8101"], ["issuer", "serve", "--port", "many"]):
        with pytest.raises(usage_error):
            parse(arguments)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"{prefix}{field.upper()}" for prefix, cls in SETTINGS.items() for field in cls.model_fields}
    assert set(variables(name)) - known - OTHER_VARIABLES == set()


@pytest.mark.parametrize("name", ["issuer", "wallet", "verifier", "setup"])
def test_every_service_accepts_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in variables(name).items():
        monkeypatch.setenv(key, value)
    prefixes = SETTINGS if name == "setup" else [f"{name.upper()}_"]
    for prefix in prefixes:
        settings = load(SETTINGS[prefix])
        service = prefix.lower().rstrip("_")
        assert settings.public_url == f"http://localhost:{PORTS[service]}"
        assert settings.database == f"postgresql+asyncpg://comity:word@localhost:5432/{service}"


@pytest.mark.parametrize("name", OURS)
def test_every_file_and_folder_is_mounted(name: str) -> None:
    paths = [value for key, value in variables(name).items() if re.search(r"_(FILE|DIR|DIRECTORY)$", key)]
    paths += [part for line in command_lines(name) for part in line if part.startswith(("/data", "/etc"))]
    assert [path for path in paths if not mounted(name, path)] == []


def test_every_volume_and_config_is_declared_and_used() -> None:
    sources = {source for name in SERVICES for source in mounts(name).values()}
    assert sources == {*COMPOSE["volumes"], *COMPOSE["configs"]}


def test_no_text_is_put_into_a_container_that_is_read_only() -> None:
    """Docker Compose copies inline `content` (and `environment`) into the container, which the engine refuses there.

    "container rootfs is marked read-only" ended `setup` and `issuer`. A file is bound in, read-only container or not;
    it has to be in the repository, and readable by the user of the image.
    """
    sources = {each["source"] for service in SERVICES.values() for each in service.get("configs", [])}
    assert {name: set(each) for name, each in COMPOSE["configs"].items()} == {each: {"file"} for each in sources}
    assert "secrets" not in COMPOSE
    assert [path for path in CONFIGS.values() if not path.is_file() or not path.stat().st_mode & 0o004] == []


def test_ports_are_those_of_the_house() -> None:
    assert set(LISTENING) == set(PORTS)
    for name in LISTENING:
        command = SERVICES[name]["command"]
        assert command[command.index("--port") + 1] == PORTS[name]
        assert variables(name)["HEALTH_URL"] == f"http://localhost:{PORTS[name]}/healthz"
    published = {port.split(":")[-1] for service in SERVICES.values() for port in service.get("ports", [])}
    assert published == set(PORTS.values())
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", []))


def test_urls_point_at_services_of_this_file() -> None:
    urls = {value for name in OURS for value in variables(name).values() if value.startswith("http")}
    assert {urlsplit(url).netloc for url in urls} == {f"localhost:{port}" for port in PORTS.values()}


def test_all_share_one_network_namespace() -> None:
    assert {name for name, service in SERVICES.items() if "network_mode" not in service} == {"database"}
    assert {service["network_mode"] for service in SERVICES.values() if "network_mode" in service} == {
        "service:database"
    }


def test_whoever_uses_the_database_waits_for_it() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        if any("_DATABASE_URL" in key for key in service.get("environment", {})):
            assert service["depends_on"] == {"database": {"condition": "service_healthy"}}, name


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_the_image_is_built_once_and_never_asked_for_elsewhere() -> None:
    """A `build` at each service makes Docker Compose build the same image once for each.

    The builder is in no profile, since `docker compose build` leaves services of a profile out.
    """
    (builder,) = [service for service in SERVICES.values() if "build" in service]
    assert "profiles" not in builder
    assert {(service["image"], service["pull_policy"]) for service in OURS.values()} == {(builder["image"], "never")}
    assert (ROOT / builder["build"]["context"] / builder["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", OURS)
def test_a_stop_ends_every_container_at_once(name: str) -> None:
    """Process 1 ignores SIGTERM unless it handles it; the re-signer does not, and was killed after ten seconds."""
    assert SERVICES[name]["init"] is True


def test_private_registry_keys_are_mounted_only_where_they_sign() -> None:
    assert {name for name in SERVICES if "registry-keys" in mounts(name).values()} == {"registry-signer", "setup"}
    writers = {name for name in OURS if "registry:/data/registry" in SERVICES[name].get("volumes", [])}
    assert writers == {"registry-signer", "setup"}


def test_the_databases_are_created() -> None:
    created = set(re.findall(r"CREATE DATABASE (\w+)", CONFIGS["databases"].read_text(encoding="utf-8")))
    used = {
        urlsplit(value).path.strip("/")
        for name in OURS
        for key, value in variables(name).items()
        if key.endswith("_DATABASE_URL")
    }
    assert created == used == {"issuer", "wallet", "verifier"}


def test_the_authorities_can_be_read() -> None:
    descriptions = authorities.load(CONFIGS["authorities"])
    assert len(json.loads(CONFIGS["authorities"].read_text(encoding="utf-8"))) == len(descriptions) == 9


def test_the_members_can_be_admitted(tmp_path: Path) -> None:
    repository = RegistryRepository.create(tmp_path, SystemClock(), name_en="Demo", name_fr="Démo")
    repository.apply([authoring.type_edit(f"{slug}/{version}") for slug, version in schemas.all_types()])
    repository.apply(authoring.plan(json.loads(CONFIGS["members"].read_text(encoding="utf-8"))))
    assert len(repository.documents()["federation.json"]["members"]) == 8


def test_every_authority_is_entered_in_the_registry_with_its_types() -> None:
    content = json.loads(CONFIGS["authorities"].read_text(encoding="utf-8"))
    described = {each["authority"]: each["types"] for each in content}
    entered = {
        line[line.index("--authority") + 1]: [line[i + 1] for i, part in enumerate(line) if part == "--type"]
        for name, line in COMMANDS
        if line[:3] == ["registry", "add", "issuer"]
    }
    assert entered == described


def test_the_only_thing_to_set_is_documented() -> None:
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert wanted == {"DATABASE_PASSWORD"}
    assert 'echo "DATABASE_PASSWORD=' in TEXT


# --- Dockerfile


def values(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_every_file_copied_exists() -> None:
    copied = [part for rest in values("COPY") if not rest.startswith("--from") for part in rest.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {name for name in copied if f"!{name}" not in ignored} == set()


def test_every_package_of_the_wheel_is_copied() -> None:
    copied = {part for rest in values("COPY") for part in rest.split()}
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.search(r"^packages = (\[.*\])$", pyproject, re.MULTILINE)
    assert packages
    assert set(json.loads(packages[1])) <= copied


def test_packages_are_installed_at_locked_hashes_only() -> None:
    installs = [rest for rest in values("RUN") if "pip install" in rest]
    assert len(installs) == 2
    assert "--require-hashes -r requirements/run.txt" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]
    locked = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z])", locked.strip()) if "==" in block)


def test_bytecode_is_compiled_since_the_image_is_read_only() -> None:
    assert any("compileall" in rest for rest in values("RUN"))


def test_the_base_image_is_named_with_its_version_in_both_stages() -> None:
    assert {rest.split()[0] for rest in values("FROM")} == {"python:3.12-slim"}


def test_the_image_does_not_run_as_root() -> None:
    (user,) = values("USER")
    assert user == "10001:10001"
    assert "useradd --uid 10001" in " ".join(values("RUN"))


def test_folders_that_volumes_replace_belong_to_the_user() -> None:
    made = set(re.findall(r"/data/[a-z-]+", " ".join(values("RUN"))))
    assert {target for name in OURS for target in mounts(name) if target.startswith("/data")} == made


def test_the_image_has_a_health_check_and_exposes_the_ports() -> None:
    assert len(values("HEALTHCHECK")) == 1
    assert values("EXPOSE")[0].split() == sorted(PORTS.values())


def test_the_entry_point_is_the_command() -> None:
    assert values("ENTRYPOINT") == ['["comity"]']


def test_no_volume_without_a_name_is_left_behind_by_every_container() -> None:
    """`docker compose down` keeps what a `VOLUME` of the image made, one for each container of each start."""
    assert values("VOLUME") == []
