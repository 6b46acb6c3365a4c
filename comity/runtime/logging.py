"""Logs: JSON in production, readable in development, and nothing in them that is personal or secret."""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog

REDACTED = "[redacted]"
_SECRET_WORDS = (
    "authorization",
    "claim",
    "code",
    "cookie",
    "credential_offer",
    "disclosure",
    "nonce",
    "offer_uri",
    "passphrase",
    "password",
    "pepper",
    "presentation",
    "private",
    "proof",
    "recovery",
    "secret",
    "session",
    "token",
)
_SECRET_NAMES = frozenset({"d", "jwk", "k", "body", "payload", "encoded", "url", "uri", "query", "query_string"})
_HARMLESS = frozenset({"code", "error_code", "status_code", "codes", "exit_code"})
"""These hold our own stable codes, and only those are let through."""
_STABLE_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_JWT_LIKE = re.compile(r"ey[A-Za-z0-9_-]{8,}(?:[.~][A-Za-z0-9_.~-]*)?")
_LONG_BASE64 = re.compile(r"[A-Za-z0-9_-]{64,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_TEXT = 2000


def configure(service: str, environment: str, *, stream: TextIO | None = None) -> None:
    """Send every log record, structlog's and the standard library's, to ``stream`` (standard error by default).

    One JSON object a line in ``production``; otherwise one readable line. Every record passes :func:`redact`; of an
    exception the type and the places in the code are kept, never its message.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_message,
        _Named(service),
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if environment == "production"
        else structlog.dev.ConsoleRenderer(colors=False, sort_keys=True)
    )
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "asyncio", "alembic", "tuf"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what is secret or personal by its name, at any depth; make control characters visible."""
    return {name: _clean(name, value, depth=0) for name, value in event.items()}


def without_message(error: BaseException, *, with_message: bool = False) -> dict[str, Any]:
    """Return ``error`` for a log record: its type and where it arose; its words only ``with_message``.

    Messages of unforeseen exceptions quote what they could not handle, which may be a claim or a key.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
    record: dict[str, Any] = {"error_type": type(error).__qualname__, "error_places": places[-12:]}
    if with_message:
        record["error_message"] = str(error)
    return record


class _Named:
    """Adds the name of the service."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", self._service)
        return event


def _exception_without_message(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else sys.exc_info()[1] if info is True else None
    if isinstance(info, tuple):
        error = info[1]
    if error is not None:
        event.update(without_message(error))
    return event


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return lower in _SECRET_NAMES or any(word in lower for word in _SECRET_WORDS)


def _clean(name: str, value: Any, *, depth: int) -> Any:
    if name.startswith("_") and depth == 0:
        return value  # structlog's own bookkeeping, removed before rendering
    if name.lower() in _HARMLESS:
        return value if isinstance(value, int) or _STABLE_CODE.match(str(value)) else REDACTED
    if _is_secret(name):
        return REDACTED
    if depth > 8:
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), item, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [_clean("", item, depth=depth + 1) for item in value]
    return _clean_text(value)


def _clean_text(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return REDACTED
    words = _LONG_BASE64.sub(REDACTED, _JWT_LIKE.sub(REDACTED, str(value)[:_MAX_TEXT]))
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", words)
