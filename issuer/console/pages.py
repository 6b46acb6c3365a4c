"""Puts the console together: its pages, its routes, its session."""

from pathlib import Path

from fastapi import FastAPI

from comity.web import api_docs, csrf
from comity.web.pages import Pages
from comity.web.routes import take_over
from issuer.console import (
    deciding,
    entering,
    files,
    handing_over,
    home,
    issuing,
    overseeing,
    records,
    refused,
    webhooks,
)
from issuer.console.desk import Desk, context_of, cookie_name


def install(app: FastAPI, *, public_url: str, data_folder: Path) -> None:
    """Add the console to the issuer's application."""
    made: list[Pages] = []
    pages = Pages(
        "issuer.console",
        "console",
        public_url=public_url,
        form_key=csrf.key_in(data_folder),
        session_cookie=cookie_name(public_url),
        sign_in="/sign-in",
        extra=lambda request: context_of(request, lambda: made[0]),
    )
    made.append(pages)
    desk, routes = Desk(pages, public_url=public_url), pages.router()
    for add in (
        entering.add_routes,
        home.add_routes,
        records.add_routes,
        records.add_approving,
        deciding.add_routes,
        issuing.add_routes,
        issuing.add_taking,
        issuing.add_making,
        handing_over.add_routes,
        handing_over.add_settled,
        files.add_routes,
        files.add_running,
        files.add_downloads,
        overseeing.add_log,
        refused.add_routes,
        overseeing.add_clerks,
        webhooks.add_routes,
        webhooks.add_log,
    ):
        add(routes, desk)
    api_docs.add_routes(routes, pages)
    take_over(app, routes)
    pages.install(app)
