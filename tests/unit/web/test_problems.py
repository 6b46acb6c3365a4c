import pytest
from starlette.requests import Request

from comity.errors import Code, ComityError, Conflict, Denied, Malformed, Misconfigured, NotFound, Unreachable
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.strict_json import parse_object
from comity.web import problems


def request(language: str = "en", request_id: str | None = "abc") -> Request:
    state = {} if request_id is None else {"request_id": request_id}
    return Request({"type": "http", "headers": [(b"accept-language", language.encode())], "state": state})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed(Code.MALFORMED_JWS), 400),
        (Malformed(Code.TOO_LARGE), 413),
        (Malformed(Code.UNSUPPORTED_MEDIA_TYPE), 415),
        (NotFound(Code.OFFER_UNKNOWN), 404),
        (Conflict(Code.CODE_ALREADY_USED), 409),
        (Denied(Code.NOT_PERMITTED), 403),
        (Denied(Code.NOT_AUTHENTICATED), 401),
        (Denied(Code.TOO_MANY_ATTEMPTS), 429),
        (Denied(Code.VAULT_LOCKED), 401),
        (Unreachable(Code.UNREACHABLE), 502),
        (Unreachable(Code.BUSY), 503),
        (Unreachable(Code.ADDRESS_NOT_PUBLIC), 400),
        (Misconfigured(Code.MISCONFIGURED), 500),
        (ComityError(Code.INTERNAL), 500),
        (ComityError(Code.EXPIRED), 500),
    ],
)
def test_status_follows_code_then_family(error: ComityError, status: int) -> None:
    assert problems.http_status(error) == status
    assert problems.problem(request(), error).status_code == status


def test_a_problem_says_what_happened_and_what_to_do_in_both_languages() -> None:
    error = NotFound(Code.OFFER_UNKNOWN, "there is no such offer")
    answers = {language: problems.problem(request(language), error) for language in ("en", "fr-CA")}
    english, french = (parse_object(bytes(answer.body)) for answer in answers.values())
    assert english["type"] == "urn:comity:problem:offer_unknown"
    assert (english["status"], english["code"], english["request_id"]) == (404, "offer_unknown", "abc")
    assert english["detail"] == "there is no such offer"
    for member in ("title", "meaning", "next_step"):
        assert english[member]
        assert french[member]
        assert english[member] != french[member]
    assert answers["fr-CA"].headers["content-language"] == "fr"
    assert answers["fr-CA"].headers["vary"] == "Accept-Language"
    assert answers["en"].headers["content-type"] == "application/problem+json"


def test_members_that_would_be_empty_are_left_out() -> None:
    members = parse_object(bytes(problems.problem(request(request_id=None), Malformed(Code.MALFORMED)).body))
    assert "detail" not in members
    assert "request_id" not in members


@pytest.mark.parametrize("code", list(Code))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_code_can_be_a_problem(code: Code, language: str) -> None:
    document = problems.document(ComityError(code), language)
    assert document["code"] == code.value
    assert document["title"]
    assert document["next_step"]


def test_headers_say_when_and_how_to_come_back() -> None:
    busy = problems.problem(request(), Unreachable(Code.BUSY, retry_after=7))
    assert busy.headers["retry-after"] == "7"
    assert "retry-after" not in problems.problem(request(), Unreachable(Code.BUSY)).headers
    assert problems.problem(request(), Denied(Code.NOT_AUTHENTICATED)).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in problems.problem(request(), Denied(Code.NOT_PERMITTED)).headers


def test_oauth_errors_are_written_as_oauth_demands() -> None:
    answer = problems.oauth_error("invalid_grant", 'the "code" was\nused \\ é', headers={"dpop-nonce": "x"})
    assert answer.status_code == 400
    assert parse_object(bytes(answer.body)) == {"error": "invalid_grant", "error_description": "the code wasused  "}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["dpop-nonce"] == "x"
    assert parse_object(bytes(problems.oauth_error("invalid_token", status=401).body)) == {"error": "invalid_token"}
    assert problems.oauth_error("invalid_token", status=401).status_code == 401


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (OAuthError(Code.STATE_MISMATCH, "no"), 400, "invalid_request"),
        (OAuthError(Code.TOKEN_INVALID, "no", error=OAuthErrorCode.INVALID_TOKEN), 401, "invalid_token"),
        (NotFound(Code.REQUEST_UNKNOWN, "no"), 404, "invalid_request"),
        (Conflict(Code.REQUEST_EXPIRED, "no"), 400, "invalid_request"),
        (Malformed(Code.UNSUPPORTED_MEDIA_TYPE, "no"), 400, "invalid_request"),
        (Malformed(Code.TOO_LARGE, "no"), 413, "invalid_request"),
        (Denied(Code.NOT_PERMITTED, "no"), 403, "access_denied"),
        (Unreachable(Code.REGISTRY_UNAVAILABLE, "no"), 503, "temporarily_unavailable"),
        (Misconfigured(Code.MISCONFIGURED, "no"), 500, "server_error"),
    ],
)
def test_protocol_errors_carry_our_code_beside_that_of_the_protocol(error: ComityError, status: int, told: str) -> None:
    answer = problems.protocol_error(error)
    members = {"error": told, "error_description": "no", "code": error.code.value}
    assert (answer.status_code, parse_object(bytes(answer.body))) == (status, members)
    assert answer.headers["cache-control"] == "no-store"
    assert "retry-after" not in answer.headers


def test_protocol_errors_say_when_to_come_back() -> None:
    assert problems.protocol_error(Unreachable(Code.BUSY, retry_after=3)).headers["retry-after"] == "3"
