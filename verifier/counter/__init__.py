"""The counter: pages for whoever asks, on a screen beside the till, and for those who build that into a site."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.routing import BaseRoute

from comity.web.routes import take_over
from verifier.counter import asking, developers, home, records, scans, shop, sign_in, signing_in
from verifier.counter.face import open_face
from verifier.deployment import Deployment


def install(app: FastAPI, deployment: Deployment) -> Sequence[BaseRoute]:
    """Add every page of the counter to the verifier's application, last of all its routes; return these."""
    face = open_face(deployment)
    routers = [part.router(face) for part in (home, sign_in, asking, scans, records, developers, shop, signing_in)]
    for each in routers:
        take_over(app, each)
    face.pages.install(app)
    return [route for each in routers for route in each.routes]
