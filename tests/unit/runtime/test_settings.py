from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from comity.errors import Misconfigured
from comity.runtime.settings import RegistryReaderSettings, ServiceSettings, load, masked


class LampSettings(ServiceSettings, RegistryReaderSettings):
    """The settings of a made-up service."""

    model_config = SettingsConfigDict(env_prefix="LAMP_")
    service: ClassVar[str] = "lamp"

    pepper: SecretStr | None = None
    brightness: int = 3

    def refuse_in_production(self) -> Iterator[str]:
        yield from super().refuse_in_production()
        yield from self.reasons_against_registry()
        if self.pepper is None:
            yield "PEPPER must be set"


NO_SECRETS = Path("/nowhere")
GOOD = {
    "LAMP_PUBLIC_URL": "https://lamp.example/",
    "LAMP_REGISTRY_URL": "https://registry.example/metadata/",
    "LAMP_REGISTRY_ROOT_FILE": "/etc/lamp/root.json",
}
PRODUCTION = GOOD | {"LAMP_ENVIRONMENT": "production", "LAMP_PEPPER": "hot", "LAMP_DATA_DIR": "/var/lib/lamp"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def given(environment: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        environment.setenv(name, value)


def refusal(folder: Path = NO_SECRETS) -> str:
    with pytest.raises(Misconfigured) as refused:
        load(LampSettings, secrets_folder=folder)
    return refused.value.detail


def test_defaults_are_those_of_a_demonstration(environment: pytest.MonkeyPatch) -> None:
    given(environment, GOOD)
    settings = load(LampSettings, secrets_folder=NO_SECRETS)
    assert settings.public_url == "https://lamp.example"
    assert settings.registry_url == "https://registry.example/metadata"
    assert not settings.is_production
    assert settings.data_folder == Path(".comity/lamp")
    assert settings.database == f"sqlite:///{Path.cwd()}/.comity/lamp/lamp.sqlite3"
    assert settings.registry_refresh_seconds == 300
    assert not settings.allow_loopback_http


def test_what_is_set_is_taken(environment: pytest.MonkeyPatch) -> None:
    url = "postgresql://lamp:lit@db.example/lamp"
    given(environment, GOOD | {"LAMP_DATABASE_URL": url, "LAMP_DATA_DIR": "/srv", "lamp_brightness": "7"})
    settings = load(LampSettings, secrets_folder=NO_SECRETS)
    assert settings.database == url
    assert settings.data_folder == Path("/srv")
    assert settings.brightness == 7
    shown = masked(settings)
    assert shown["brightness"] == "7"
    assert "lit" not in str(shown)
    assert "lit" not in repr(settings)


def test_settings_do_not_change(environment: pytest.MonkeyPatch) -> None:
    given(environment, GOOD)
    settings = load(LampSettings, secrets_folder=NO_SECRETS)
    with pytest.raises(ValidationError):
        settings.brightness = 4


def test_secrets_come_from_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(environment, GOOD)
    (tmp_path / "lamp_pepper").write_text("hot\n")
    pepper = load(LampSettings, secrets_folder=tmp_path).pepper
    assert pepper is not None
    assert pepper.get_secret_value() == "hot"


@pytest.mark.parametrize("name", ["LAMP_BRIGHTNES", "lamp_public_uri", "LAMP_", "LAMP_PEPPER_"])
def test_a_misspelt_name_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    given(environment, GOOD | {name: "very secret"})
    detail = refusal()
    assert name in detail
    assert "very secret" not in detail


def test_other_programs_variables_are_left_alone(environment: pytest.MonkeyPatch) -> None:
    given(environment, GOOD | {"LAMPPOST": "x", "XLAMP_Y": "z"})
    assert load(LampSettings, secrets_folder=NO_SECRETS).service == "lamp"


def test_values_that_are_wrong_are_named_but_not_shown(environment: pytest.MonkeyPatch) -> None:
    given(environment, {"LAMP_BRIGHTNESS": "dazzling", "LAMP_PUBLIC_URL": "lamp-secret"})
    detail = refusal()
    for name in ("LAMP_BRIGHTNESS", "LAMP_PUBLIC_URL", "LAMP_REGISTRY_URL", "LAMP_REGISTRY_ROOT_FILE"):
        assert name in detail
    assert "dazzling" not in detail
    assert "lamp-secret" not in detail


@pytest.mark.parametrize(
    "url",
    ["", "lamp.example", "ftp://lamp.example", "https://", "https:///x", "https://u@lamp.example", "https://lamp.example?x",
     "https://lamp.example/#y", "https://lamp .example", "https://:80", "https://lamp.example\\x"],
)  # fmt: skip
def test_a_public_url_is_absolute_and_plain(environment: pytest.MonkeyPatch, url: str) -> None:
    given(environment, GOOD | {"LAMP_PUBLIC_URL": url})
    assert "LAMP_PUBLIC_URL" in refusal()


def test_a_refresh_that_never_comes_is_refused(environment: pytest.MonkeyPatch) -> None:
    given(environment, GOOD | {"LAMP_REGISTRY_REFRESH_SECONDS": "0"})
    assert "REFRESH" in refusal()


def test_production_accepts_what_is_complete(environment: pytest.MonkeyPatch) -> None:
    given(environment, PRODUCTION)
    assert load(LampSettings, secrets_folder=NO_SECRETS).is_production


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("LAMP_PUBLIC_URL", "http://lamp.example", "PUBLIC_URL"),
        ("LAMP_PUBLIC_URL", "https://localhost:8101", "PUBLIC_URL"),
        ("LAMP_PUBLIC_URL", "https://127.0.0.1", "PUBLIC_URL"),
        ("LAMP_REGISTRY_URL", "http://localhost:8104", "REGISTRY_URL"),
        ("LAMP_ALLOW_LOOPBACK_HTTP", "true", "ALLOW_LOOPBACK_HTTP"),
        ("LAMP_DATA_DIR", None, "DATA_DIR"),
        ("LAMP_PEPPER", None, "PEPPER"),
    ],
)
def test_production_refuses_what_only_a_demonstration_may(
    environment: pytest.MonkeyPatch, name: str, value: str | None, named: str
) -> None:
    values = {key: each for key, each in (PRODUCTION | {name: value}).items() if each is not None}
    given(environment, values)
    assert named in refusal()
    environment.setenv("LAMP_ENVIRONMENT", "development")
    assert load(LampSettings, secrets_folder=NO_SECRETS).service == "lamp"


def test_settings_of_something_else_are_loaded_without_the_production_check(environment: pytest.MonkeyPatch) -> None:
    class Reader(RegistryReaderSettings):
        model_config = SettingsConfigDict(env_prefix="READER_")

    given(environment, {"READER_REGISTRY_URL": "http://localhost:1", "READER_REGISTRY_ROOT_FILE": "root.json"})
    assert load(Reader, secrets_folder=NO_SECRETS).registry_root_file == Path("root.json")
    environment.setenv("REGISTRY_URL", "http://localhost:2")
    environment.setenv("REGISTRY_ROOT_FILE", "x")
    assert load(RegistryReaderSettings, secrets_folder=NO_SECRETS).registry_url == "http://localhost:2"
