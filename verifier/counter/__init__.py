"""The counter: pages for whoever asks, on a screen beside the till, and for those who build that into a site."""

from fastapi import FastAPI

from verifier.counter import asking, developers, home, records, scans, shop, sign_in, signing_in
from verifier.counter.face import open_face
from verifier.deployment import Deployment


def install(app: FastAPI, deployment: Deployment) -> None:
    """Add every page of the counter to the verifier's application, last of all its routes."""
    face = open_face(deployment)
    for part in (home, sign_in, asking, scans, records, developers, shop, signing_in):
        app.include_router(part.router(face))
    face.pages.install(app)
