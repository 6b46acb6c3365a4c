"""The citizen's wallet as pages: they call the use cases, not the wallet's own HTTP interface."""

from fastapi import FastAPI

from comity.web.routes import take_over
from wallet.deployment import Deployment
from wallet.pages import (
    collecting,
    consenting,
    door,
    entering,
    home,
    installing,
    keeping,
    offline,
    passkeying,
    remembering,
    renewing,
    returning,
    telling,
    waiting,
)
from wallet.pages.face import Face
from wallet.settings_shown import Shown

PARTS = (
    home,
    entering,
    passkeying,
    door,
    telling,
    collecting,
    returning,
    renewing,
    waiting,
    consenting,
    remembering,
    keeping,
    installing,
    offline,
)


def add(app: FastAPI, deployment: Deployment, shown: Shown) -> None:
    """Put the pages into the wallet's application."""
    face = Face.of(deployment, shown)
    for part in PARTS:
        take_over(app, part.router(face))
    door.add_link(face, app)
    returning.add_link(face, app)
    installing.add_worker(face, app)
    face.pages.install(app)
