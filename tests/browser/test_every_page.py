"""An account of the run: every page of the three faces was judged by axe in both languages, in light and in dark.

The other tests of this folder open pages as people reach them, and judge each (``Visitor.check``).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Route

from comity.demo.founding import Stage
from comity.web import i18n
from issuer.app import create_app as create_issuer
from issuer.settings import IssuerSettings
from tests.browser.visitor import JUDGED
from verifier.app import create_app as create_verifier
from verifier.settings import VerifierSettings
from wallet.app import create_app as create_wallet
from wallet.settings import WalletSettings

HERE = Path(__file__).parent
NO_PAGES = {
    "issuer": {
        "/files/sample/{slug}/{version}": "a file",
        "/files/{job_id}/refused": "a file",
        "/files/{job_id}/links": "a file",
        "/files/{job_id}/codes": "a file",
        "/log/export": "a file",
        "/log/refusals/export": "a file",
        "/offers/{offer_id}/record": "leads on to the record",
        "/issue/{slug}/{version}/offer": "leads back to the review",
    },
    "wallet": {
        "/app.webmanifest": "for browsers",
        "/offline/copy": "for a script",
        "/callback": "leads on, or to the page of what came of it",
    },
    "verifier": {
        "/counter/history.csv": "a file",
        "/sign-in/{sign_in_id}/leave": "leads back to the website",
    },
}
"""Routes below a language that answer with something else than a page of their own."""


def pages_of(app: FastAPI, no_pages: dict[str, str]) -> Iterator[str]:
    """Yield the paths, below the language, of everything that answers GET with a page."""
    for each in app.routes:
        if not isinstance(each, Route):
            continue
        path = each.path.removeprefix("/{lang:lang}")
        is_page = path != each.path and "GET" in (each.methods or ()) and not path.endswith("/events")
        if is_page and path not in no_pages:
            yield path


def apps(stage: Stage) -> Iterator[tuple[str, FastAPI]]:
    """Yield each service's application, not started."""

    def of(service: str) -> dict[str, Any]:
        prefix = f"{service.upper()}_"
        return {name.removeprefix(prefix).lower(): value for name, value in stage.settings(service).items()}

    yield "issuer", create_issuer(IssuerSettings(**of("issuer")))
    yield "wallet", create_wallet(WalletSettings(**of("wallet")))
    yield "verifier", create_verifier(VerifierSettings(**of("verifier")))


def test_every_page_was_judged_in_both_languages(request: pytest.FixtureRequest, stage: Stage) -> None:
    ran = {each.path for each in request.session.items}
    if not ran >= set(HERE.glob("test_*.py")):
        pytest.skip("only some of the tests ran that open pages; run the whole of tests/browser")
    missing = []
    for service, app in apps(stage):
        found = set(pages_of(app, NO_PAGES[service]))
        assert len(found) > 8, service
        assert NO_PAGES[service].keys() <= set(pages_of(app, {})), "an exception that is none"
        for path in sorted(found):
            shape = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path))
            for language in i18n.LANGUAGES:
                seen = re.compile(f"/{language}{shape}")
                if not any(origin == stage.urls[service] and seen.fullmatch(path) for origin, path in JUDGED):
                    missing.append(f"{service}: /{language}{path}")
    assert missing == []
