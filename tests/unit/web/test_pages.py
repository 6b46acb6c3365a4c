"""Pages and forms of a made-up face, through HTTP without sockets."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Code, Denied
from comity.web import pages as module
from comity.web.app import create_base
from comity.web.pages import Pages, next_path
from tests.unit.web.test_app import LampSettings

URL = "http://lamp.example"
SESSION = "lamp_session"
KEY = bytes(32)


def build() -> Any:
    """Return an application with a page that shows a form, keeps what it is sent, and one behind a sign-in."""
    app = create_base(LampSettings(public_url=URL), title="lamp", version="1")
    pages = Pages("tests.unit.web.lamp", "pages", public_url=URL, form_key=KEY, session_cookie=SESSION, sign_in="/in")
    routes = pages.router()
    app.state.kept = []

    @routes.get("/")
    async def show(request: Request) -> Response:
        return pages.render(request, "lamp.html")

    @routes.post("/")
    async def take(request: Request) -> Response:
        form = await pages.form(request)
        name = form.text("name", most=20)
        if not form.is_ok:
            return pages.render(request, "lamp.html", status=422, form=form)
        app.state.kept.append(name)
        return pages.to(request, "/done")

    @routes.post("/locked")
    async def locked(request: Request) -> Response:
        await pages.form(request)
        raise Denied(Code.VAULT_LOCKED)

    @routes.get("/locked")
    async def closed() -> Response:
        raise Denied(Code.VAULT_LOCKED)

    @routes.get("/broken")
    async def broken() -> Response:
        raise ValueError("Marguerite DEMO 1990-01-01")

    @app.get("/api/v1/closed")
    async def api() -> None:
        raise Denied(Code.NOT_PERMITTED)

    app.include_router(routes)
    pages.install(app)
    return app


@pytest.fixture
async def app() -> Any:
    return build()


@pytest.fixture
async def browser(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


def token_in(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found
    return found[1]


async def test_the_front_leads_to_the_language_of_the_browser_or_of_the_last_visit(browser: httpx.AsyncClient) -> None:
    first = await browser.get("/", headers={"accept-language": "fr-CA, en;q=0.5"})
    assert (first.status_code, first.headers["location"]) == (303, "/fr/")
    assert (await browser.get("/")).headers["location"] == "/en/"
    shown = await browser.get("/fr/")
    assert shown.headers["content-language"] == "fr"
    assert '<html lang="fr-CA">' in shown.text
    assert (await browser.get("/", headers={"accept-language": "en"})).headers["location"] == "/fr/", "remembered"


async def test_the_toggle_leads_to_the_same_page_and_says_its_own_language(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/en/?place=ca-on")).text
    assert '<a class="toggle" href="/fr/?place=ca-on" lang="fr" hreflang="fr">' in page


@pytest.mark.good_twin("W01")
async def test_a_form_of_ours_is_taken_and_leads_on_by_get(app: Any, browser: httpx.AsyncClient) -> None:
    token = token_in((await browser.get("/en/")).text)
    sent = await browser.post("/en/", data={"form_token": token, "name": "Élise"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/en/done")
    assert app.state.kept == ["Élise"]


@pytest.mark.parametrize("token", ["", "AAAA", "é"])
async def test_a_form_with_another_token_is_shown_again_with_what_was_typed(
    app: Any, browser: httpx.AsyncClient, token: str
) -> None:
    await browser.get("/en/")
    again = await browser.post("/en/", data={"form_token": token, "name": "Élise"})
    assert again.status_code == 422
    assert 'value="Élise"' in again.text
    assert "Nothing you typed is lost" in again.text
    assert app.state.kept == []
    good = await browser.post("/en/", data={"form_token": token_in(again.text), "name": "Élise"})
    assert good.status_code == 303


async def test_a_token_drawn_for_another_browser_or_session_is_none_of_ours(
    app: Any, browser: httpx.AsyncClient
) -> None:
    """Two browsers: whoever plants his own form cookie and token in another browser gains nothing (fixation)."""
    page = await browser.get("/en/")
    token, cookie = token_in(page.text), browser.cookies["comity_form"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as other:
        await other.get("/en/")
        assert (await other.post("/en/", data={"form_token": token, "name": "x"})).status_code == 422
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as victim:
        victim.cookies.set("comity_form", cookie)
        victim.cookies.set(SESSION, "the victim's")
        assert (await victim.post("/en/", data={"form_token": token, "name": "x"})).status_code == 422
    assert app.state.kept == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": URL, "sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.attack("W01")
async def test_another_site_cannot_send_a_form(app: Any, browser: httpx.AsyncClient, headers: dict[str, str]) -> None:
    token = token_in((await browser.get("/en/")).text)
    sent = await browser.post("/en/", data={"form_token": token, "name": "x"}, headers=headers)
    assert sent.status_code == 403
    assert app.state.kept == []
    assert "<h1>" in sent.text, "people are told in a page"


@pytest.mark.parametrize("origin", ["null", URL])
async def test_a_browser_hides_or_names_the_origin_of_our_own_forms(browser: httpx.AsyncClient, origin: str) -> None:
    token = token_in((await browser.get("/en/")).text)
    headers = {"origin": origin, "sec-fetch-site": "same-origin"}
    sent = await browser.post("/en/", data={"form_token": token, "name": "x"}, headers=headers)
    assert sent.status_code == 303


async def test_a_missing_and_a_long_field_are_named_beside_the_field_and_in_the_summary(
    browser: httpx.AsyncClient,
) -> None:
    token = token_in((await browser.get("/fr/")).text)
    empty = await browser.post("/fr/", data={"form_token": token, "name": " "})
    assert empty.status_code == 422
    assert '<a href="#f-name">' in empty.text
    assert 'aria-describedby=" e-name"' in empty.text
    long = await browser.post("/fr/", data={"form_token": token, "name": "x" * 21})
    assert "Le texte est trop long" in long.text


@pytest.mark.attack("Q02")
async def test_a_form_of_a_megabyte_is_refused_kindly(app: Any, browser: httpx.AsyncClient) -> None:
    token = token_in((await browser.get("/en/")).text)
    for name in ("x" * (1 << 20), "x" * (2 << 20)):
        sent = await browser.post("/en/", data={"form_token": token, "name": name})
        assert sent.status_code == 413
        assert sent.headers["content-type"].startswith("text/html")
    assert app.state.kept == []


async def test_what_was_typed_when_the_session_had_ended_goes_along_but_no_secret(browser: httpx.AsyncClient) -> None:
    token = token_in((await browser.get("/en/")).text)
    sent = await browser.post("/en/locked", data={"form_token": token, "name": 'Élise "DEMO"', "passphrase": "secret!"})
    assert sent.status_code == 401
    assert 'name="kept.name" value="Élise &#34;DEMO&#34;"' in sent.text
    assert "secret!" not in sent.text
    shown = await browser.get("/fr/locked?a=b")
    assert (shown.status_code, shown.headers["location"]) == (303, "/fr/in?next=/fr/locked%3Fa%3Db")


async def test_errors_are_pages_for_people_and_problems_for_programs(browser: httpx.AsyncClient) -> None:
    lost = await browser.get("/fr/nowhere")
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "not_found" in lost.text
    broken = await browser.get("/en/broken")
    assert broken.status_code == 500
    assert "Marguerite" not in broken.text
    api = await browser.get("/api/v1/closed", headers={"accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"


@pytest.mark.attack("V09", "W02")
@pytest.mark.good_twin("V09", "W02")
async def test_stored_markup_and_deceiving_signs_do_no_harm(browser: httpx.AsyncClient) -> None:
    token = token_in((await browser.get("/en/")).text)
    typed = "<script>x</script>\u202eeno\u200b gné"
    shown = await browser.post("/en/", data={"form_token": token, "name": typed})
    assert "&lt;script&gt;x&lt;/script&gt;eno gné" in shown.text
    assert "<script>x" not in shown.text


async def test_static_files_are_named_by_content_and_kept_for_long(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/en/")).text
    for path in re.findall(r'"(/static/[^"]+)"', page):
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    look = re.search(r'"(/static/look\.[^"]+)"', page)
    assert look
    assert ".card-drivers-licence-1{--card-paper:#1d4d2b;--card-ink:#ffffff}" in (await browser.get(look[1])).text
    assert (await browser.get("/static/look.0000.css")).status_code == 404


@pytest.mark.attack("Q03")
@pytest.mark.good_twin("Q03")
async def test_a_file_is_served_whole_however_many_ranges_are_asked_for(browser: httpx.AsyncClient) -> None:
    """RFC 9110 §14.2: a server may pass over ranges; ours has none to count, to sort or to answer in parts."""
    path = re.findall(r'"(/static/[^"]+)"', (await browser.get("/en/")).text)[0]
    whole = await browser.get(path)
    for ranges in ("0-0", ",".join(f"{start}-" for start in range(5000)), "-1," * 5000 + "0-"):
        answer = await browser.get(path, headers={"range": f"bytes={ranges}"})
        assert (answer.status_code, answer.content) == (200, whole.content)
        assert "content-range" not in answer.headers


PART = b'--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nMaya\r\n'
END = b"--x--\r\n"


@pytest.mark.attack("Q02")
@pytest.mark.parametrize(
    "sent",
    [
        PART * 100_000 + END,
        PART * 201 + END,
        PART + PART.replace(b"name=", b"filename=") * 5 + END,
        PART + PART.replace(b'name="name"', b'name="f"; filename="a"') * 5 + END,
        PART + b"--x\r\n\r\nMaya\r\n" + END,
        PART + b"--x\r\ncontent-disposition: form-data\r\n\r\nMaya\r\n" + END,
        b"--x" * 1000,
        b"\r\n" * 100_000,
        b"",
    ],
    ids=lambda sent: f"{len(sent)}-bytes-{sent[:40]!r}",
)
async def test_a_form_in_parts_that_is_none_is_refused(app: Any, browser: httpx.AsyncClient, sent: bytes) -> None:
    kind = {"content-type": "multipart/form-data; boundary=x", "sec-fetch-site": "same-origin"}
    token = token_in((await browser.get("/en/")).text)
    genuine = PART.replace(b'"name"', b'"form_token"').replace(b"Maya", token.encode())
    answer = await browser.post("/en/", content=genuine + sent, headers=kind)
    assert answer.status_code in {400, 413, 422}
    assert app.state.kept == []


@pytest.mark.good_twin("Q02")
async def test_a_form_in_parts_is_read(app: Any, browser: httpx.AsyncClient) -> None:
    kind = {"content-type": "multipart/form-data; boundary=x", "sec-fetch-site": "same-origin"}
    token = token_in((await browser.get("/en/")).text)
    genuine = PART.replace(b'"name"', b'"form_token"').replace(b"Maya", token.encode())
    assert (await browser.post("/en/", content=genuine + PART + END, headers=kind)).status_code == 303
    assert app.state.kept == ["Maya"]


@pytest.mark.parametrize(
    "value", ["https://evil.example/", "//evil.example/en/", "/en", "/en/\\evil", "javascript:x", "/api/v1", "/en/\n"]
)
@pytest.mark.attack("W04")
@pytest.mark.good_twin("W04")
def test_only_pages_of_ours_are_gone_on_to(value: str) -> None:
    assert next_path(value, "/fr/") in {"/fr/", "/en"}
    assert next_path("/en/cards?a=b", "/fr/") == "/en/cards?a=b"


def test_live_streams_are_no_pages() -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "path": "/en/x",
        "method": "GET",
        "headers": [(b"accept", b"text/event-stream")],
    }
    scope |= {"query_string": b"", "server": ("lamp.example", 80), "scheme": "http"}
    assert not module.is_page(Request(scope))
