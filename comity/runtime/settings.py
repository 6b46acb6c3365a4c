"""What an installation sets, read once at start; the only module that reads the environment.

Each service derives from :class:`ServiceSettings`, names its prefix and adds fields. Values come from environment
variables and, for secrets, from files of the same name in a folder (``/run/secrets`` in containers).
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from comity.errors import Code, ComityError, Misconfigured
from comity.runtime.neighbour import Neighbour, neighbour
from comity.runtime.urls import require_allowed

SECRETS_FOLDER = Path("/run/secrets")


def _base_url(value: str) -> str:
    """Accept an absolute http(s) URL without query; return it without the slash at its end."""
    url = value.rstrip("/")
    if not url.startswith(("https://", "http://")) or any(mark in url for mark in "?#@ \\"):
        raise ValueError("must be an absolute http or https URL without user information, query or fragment")
    if not urlsplit(url).hostname:
        raise ValueError("must name a host")
    return url


BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""A URL to which paths are appended: absolute, no query, no slash at its end."""


class ServiceSettings(BaseSettings):
    """What every service sets.

    Attributes:
        environment: ``production`` refuses everything that is only good enough for a demonstration.
        public_url: the URL under which the world reaches this service; every link is built from it.
        database_url: SQLAlchemy URL; absent: an SQLite file in ``data_dir``.
        data_dir: where the service keeps its files; absent: ``.comity/<service>`` below the current folder.
        allow_loopback_http: let outbound requests go to this machine without TLS.
        demo_host: this machine's name in a demonstration that phones take part in; see :mod:`comity.runtime.neighbour`.
        demo_ca_file: certificate of the demonstration's own authority for that name.
        failpoint: breaks this process at a named place, once, for tests (``comity.runtime.failpoints``).
        max_in_flight: requests that one process works on at one time; more are told to come back in a second.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    service: ClassVar[str] = ""

    environment: Literal["development", "production"] = "development"
    public_url: BaseUrl
    database_url: SecretStr | None = None
    data_dir: Path | None = None
    allow_loopback_http: bool = False
    demo_host: str = ""
    demo_ca_file: Path | None = None
    failpoint: str | None = None
    max_in_flight: int = Field(default=128, ge=1, le=10_000)

    @property
    def is_production(self) -> bool:
        """Whether real people's credentials are at stake."""
        return self.environment == "production"

    @property
    def data_folder(self) -> Path:
        """Where the service keeps its files. Not created by asking."""
        return self.data_dir if self.data_dir is not None else Path(".comity") / self.service

    @property
    def database(self) -> str:
        """The SQLAlchemy URL to open. May hold a password: not for logs."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_folder / f'{self.service}.sqlite3').absolute()}"

    def neighbour(self) -> Neighbour | None:
        """Return this machine under its name in a demonstration; raises ``Misconfigured`` without its certificate."""
        return neighbour(self.demo_host, self.demo_ca_file)

    def refuse_in_production(self) -> Iterator[str]:
        """Yield one English sentence for each setting that must not reach production.

        A service that overrides this yields from ``super().refuse_in_production()`` first.
        """
        yield from reasons_against_url("PUBLIC_URL", self.public_url)
        if self.allow_loopback_http:
            yield "ALLOW_LOOPBACK_HTTP must not be set"
        if self.demo_host or self.demo_ca_file:
            yield "DEMO_HOST and DEMO_CA_FILE must not be set"
        if self.data_dir is None:
            yield "DATA_DIR must be set"
        if self.failpoint is not None:
            yield "FAILPOINT must not be set"


class RegistryReaderSettings(BaseSettings):
    """What a service sets that reads the trust registry; a mixin beside :class:`ServiceSettings`.

    Attributes:
        registry_url: where the registry's metadata and targets are served.
        registry_root_file: the pinned root metadata; whoever can change it decides whom to trust.
        registry_refresh_seconds: how often the registry is read again, never per presentation.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    registry_url: BaseUrl
    registry_root_file: Path
    registry_refresh_seconds: float = Field(default=300, gt=0)

    def reasons_against_registry(self) -> Iterator[str]:
        """Yield what about the registry must not reach production; for ``refuse_in_production``."""
        yield from reasons_against_url("REGISTRY_URL", self.registry_url)


def reasons_against_url(name: str, url: str) -> Iterator[str]:
    """Yield why ``url``, set under ``name``, must not reach production: not https, or not a public host."""
    try:
        require_allowed(url)
    except ComityError as error:
        yield f"{name}: {error.detail}"


Settings = TypeVar("Settings", bound=BaseSettings)


def load(cls: type[Settings], *, secrets_folder: Path = SECRETS_FOLDER) -> Settings:
    """Read ``cls`` from the environment and the secrets folder.

    Raises:
        Misconfigured: a value is missing or wrong, a variable with the prefix of ``cls`` is unknown (a misspelt name
            would silently mean the default), or production refuses the result. The detail names variables only.
    """
    prefix = cls.model_config.get("env_prefix", "").upper()
    _refuse_unknown(prefix, cls, os.environ)  # noqa: TID251  (this is the one place)
    try:
        settings = cls(_secrets_dir=secrets_folder if secrets_folder.is_dir() else None)
    except ValidationError as error:
        raise Misconfigured(Code.MISCONFIGURED, _sentence(prefix, error)) from None
    if isinstance(settings, ServiceSettings):
        _refuse_in_production(prefix, settings)
    return settings


def is_set(cls: type[BaseSettings], *, secrets_folder: Path = SECRETS_FOLDER) -> bool:
    """Say whether the environment or the secrets folder sets anything under the prefix of ``cls``."""
    prefix = cls.model_config.get("env_prefix", "").lower()
    files = (path.name for path in secrets_folder.iterdir()) if secrets_folder.is_dir() else ()
    return any(name.lower().startswith(prefix) for name in (*os.environ, *files))  # noqa: TID251  (this is the one place)


def _refuse_unknown(prefix: str, cls: type[BaseSettings], environment: Mapping[str, str]) -> None:
    known = {f"{prefix}{name.upper()}" for name in cls.model_fields}
    unknown = sorted(name for name in environment if name.upper().startswith(prefix) and name.upper() not in known)
    if prefix and unknown:
        raise Misconfigured(Code.MISCONFIGURED, f"unknown settings: {', '.join(unknown)}")


def _sentence(prefix: str, error: ValidationError) -> str:
    problems = (
        f"{prefix}{'.'.join(str(part) for part in each['loc']).upper()}: {each['msg']}"
        for each in error.errors(include_input=False, include_url=False, include_context=False)
    )
    return "; ".join(problems)


def _refuse_in_production(prefix: str, settings: ServiceSettings) -> None:
    reasons = tuple(settings.refuse_in_production()) if settings.is_production else ()
    if reasons:
        raise Misconfigured(Code.MISCONFIGURED, f"not fit for production ({prefix}…): {'; '.join(reasons)}")


def masked(settings: BaseSettings) -> dict[str, str]:
    """Return every setting as text for people, secrets as asterisks, passwords inside URLs never shown."""
    return {name: str(getattr(settings, name)) for name in type(settings).model_fields}
