import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from comity.runtime.logging import REDACTED, configure, redact, without_message

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_production_writes_one_json_object_a_line(out: io.StringIO) -> None:
    configure("issuer", "production", stream=out)
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("here").info("credential issued", list=3, code="ok")
    logging.getLogger("uvicorn.error").warning("from the %s library", "standard")
    first, second = lines(out)
    assert first["event"] == "credential issued"
    assert (first["service"], first["level"], first["logger"]) == ("issuer", "info", "here")
    assert (first["request_id"], first["list"], first["code"]) == ("abc", 3, "ok")
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "from the standard library"
    assert second["service"] == "issuer"


def test_development_writes_readable_lines(out: io.StringIO) -> None:
    configure("issuer", "development", stream=out)
    structlog.get_logger("here").info("credential issued", token="abc")
    (line,) = out.getvalue().splitlines()
    assert "credential issued" in line
    assert "abc" not in line


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str], out: io.StringIO) -> None:
    configure("issuer", "production")
    structlog.get_logger("here").info("hello")
    assert json.loads(capsys.readouterr().err)["event"] == "hello"


def test_chatty_libraries_are_quiet(out: io.StringIO) -> None:
    configure("issuer", "production", stream=out)
    logging.getLogger("httpx").info("GET https://a.example/?token=x")
    structlog.get_logger("here").debug("details")
    assert out.getvalue() == ""


@pytest.mark.parametrize("how", ["structlog", "standard", "standard_true", "true", "error"])
def test_exceptions_are_told_without_their_words(out: io.StringIO, how: str) -> None:
    configure("issuer", "production", stream=out)
    try:
        raise ValueError("Marguerite DEMO was born 1990-01-01")
    except ValueError as error:
        if how == "structlog":
            structlog.get_logger("here").exception("failed")
        elif how == "true":
            structlog.get_logger("here").error("failed", exc_info=True)
        elif how == "error":
            structlog.get_logger("here").error("failed", exc_info=error)
        elif how == "standard_true":
            logging.getLogger("x").error("failed", exc_info=True)  # noqa: G201
        else:
            logging.getLogger("x").exception("failed")
    (record,) = lines(out)
    assert record["error_type"] == "ValueError"
    assert any("test_logging.py" in place for place in record["error_places"])
    assert "Marguerite" not in out.getvalue()


def test_no_exception_is_told_where_there_is_none(out: io.StringIO) -> None:
    configure("issuer", "production", stream=out)
    structlog.get_logger("here").error("failed", exc_info=True)
    assert "error_type" not in lines(out)[0]


SECRET_NAMES = """
token access_token TOKEN code pre_authorized_code tx_code claims claim_values passphrase password nonce c_nonce
authorization Authorization cookie set_cookie session recovery_code pepper secret client_secret d jwk private_key proof
presentation vp_token disclosures url uri query body payload encoded credential_offer k
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_secret_names_are_redacted_at_any_depth(name: str) -> None:
    event = {"outer": {"list": [{name: "Swordfish"}]}, name: "Swordfish", "kept": "fish"}
    cleaned = redact(None, "info", event)
    assert "Swordfish" not in str(cleaned)
    assert cleaned["kept"] == "fish"


def test_our_own_codes_are_shown_but_nothing_that_looks_otherwise() -> None:
    cleaned = redact(None, "info", {"code": "issuer_unknown", "status_code": 404, "codes": "ok"})
    assert cleaned == {"code": "issuer_unknown", "status_code": 404, "codes": "ok"}
    for value in ("SplxlOBeZQQYbYS6WxSbIA", "493-536", JWT, ["a"]):
        assert redact(None, "info", {"code": value}) == {"code": REDACTED}


@pytest.mark.parametrize("text", [JWT, f"{JWT}~WyJzYWx0Il0~", "A" * 64, f"Bearer {JWT}", f"https://a.example/?x={JWT}"])
def test_tokens_are_redacted_wherever_they_stand(text: str) -> None:
    cleaned = redact(None, "info", {"event": f"got {text}", "list": [text]})
    assert JWT not in str(cleaned)
    assert "A" * 64 not in str(cleaned)


@pytest.mark.attack("W13")
@pytest.mark.good_twin("W13")
def test_control_characters_cannot_forge_lines() -> None:
    cleaned = redact(None, "info", {"event": 'a\r\n{"level":"info"}\x1b[31m\u2028'})
    assert cleaned["event"] == 'a\\u000d\\u000a{"level":"info"}\\u001b[31m\\u2028'


def test_other_values_are_kept_or_named() -> None:
    cleaned = redact(None, "info", {"a": None, "b": True, "n": 1.5, "raw": b"bytes", "o": object, "_record": 1})
    assert cleaned["a"] is None
    assert cleaned["b"] is True
    assert cleaned["n"] == 1.5
    assert cleaned["raw"] == REDACTED
    assert cleaned["o"] == "<class 'object'>"
    assert cleaned["_record"] == 1
    assert len(redact(None, "info", {"event": "ab" * 9000})["event"]) <= 2000


def test_depth_is_bounded() -> None:
    nested: Any = "deep"
    for _ in range(30):
        nested = [nested]
    assert "deep" not in str(redact(None, "info", {"x": nested}))


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5))
)
def test_any_event_is_cleaned(event: dict[str, Any]) -> None:
    assert set(redact(None, "info", event)) == set(event)


def test_words_of_an_error_are_given_only_when_asked_for() -> None:
    error = ValueError("secret")
    assert without_message(error) == {"error_type": "ValueError", "error_places": []}
    assert without_message(error, with_message=True)["error_message"] == "secret"
