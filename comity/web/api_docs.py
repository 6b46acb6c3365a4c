"""A page that shows a service's OpenAPI description: our own, static, and without anything from another host."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from comity import strict_json
from comity.web.pages import Pages

PATH = "/api"
_FORM = "application/x-www-form-urlencoded"
_METHODS = ("get", "post", "put", "patch", "delete")


class Operation(Struct, frozen=True, kw_only=True):
    """One operation as the page shows it.

    Attributes:
        id: where on the page it stands.
        method: upper case.
        path: the template.
        summary: its first sentence.
        about: the rest of what is said of it.
        parameters: name, place and description of each.
        fields: of the body: name, whether it is needed, description.
        example: a body to try, as text; empty when it takes none.
        answers: status and description of each.
        curl: the call as a command line.
    """

    id: str
    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[tuple[str, str, str], ...]
    fields: tuple[tuple[str, bool, str], ...]
    example: str
    answers: tuple[tuple[str, str], ...]
    curl: str


def add_routes(routes: APIRouter, pages: Pages) -> None:
    """Add the page at ``/{lang}/api``; anybody may read it, as they may read ``/openapi.json``."""

    @routes.get(PATH)
    async def show(request: Request) -> Response:
        app: FastAPI = request.app
        found = tuple(operations(app.openapi(), pages.public_url))
        return pages.render(request, "api.html", operations=found, version=app.version)


def require_bearer(app: FastAPI, schemes: Mapping[str, Any]) -> None:
    """Let the description of ``app`` name how callers prove who they are."""
    made = app.openapi

    def described() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {})["securitySchemes"] = dict(schemes)
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI documents this very assignment


def operations(document: Mapping[str, Any], public_url: str) -> Iterator[Operation]:
    """Yield the operations of an OpenAPI document in its own order."""
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                yield _operation(path, method, item[method], public_url)


def _operation(path: str, method: str, said: Mapping[str, Any], public_url: str) -> Operation:
    contents = said.get("requestBody", {}).get("content", {})
    is_form = _FORM in contents
    content = contents.get(_FORM if is_form else "application/json", {})
    example = ""
    if "example" in content:
        example = urlencode(content["example"]) if is_form else _pretty(content["example"])
    schema = content.get("schema", {})
    first, _, rest = str(said.get("description", "")).partition("\n\n")
    return Operation(
        id=f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        method=method.upper(),
        path=path,
        summary=first or str(said.get("summary", "")),
        about=rest,
        parameters=tuple(
            (each["name"], each["in"], str(each.get("description", ""))) for each in said.get("parameters", ())
        ),
        fields=tuple(
            (name, name in schema.get("required", ()), str(rule.get("description", "")))
            for name, rule in schema.get("properties", {}).items()
        ),
        example=example,
        answers=tuple((status, str(each["description"])) for status, each in said.get("responses", {}).items()),
        curl=_curl(path, method, example, public_url, is_open=said.get("security") == [], is_form=is_form),
    )


def _curl(path: str, method: str, example: str, public_url: str, *, is_open: bool, is_form: bool) -> str:
    lines = [f"curl -X {method.upper()} '{public_url}{path}'"]
    lines += [] if is_open else ["  -H 'Authorization: Bearer TOKEN'"]
    if example:
        quoted = example.replace("'", "'\\''")
        lines += [f"  -H 'Content-Type: {_FORM if is_form else 'application/json'}'", f"  -d '{quoted}'"]
    return " \\\n".join(lines)


def _pretty(value: Any, indent: str = "") -> str:
    """Return JSON with one member on each line."""
    if not isinstance(value, dict) or not value:
        return strict_json.serialise(value).decode()
    inner = f"{indent}  "
    lines = (f"{inner}{strict_json.serialise(name).decode()}: {_pretty(each, inner)}" for name, each in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
