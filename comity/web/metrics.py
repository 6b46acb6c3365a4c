"""What a service counts, at ``/metrics`` in Prometheus' text form (exposition format 0.0.4).

Labels are route templates, methods and status classes: never an address, an id, a name or anything else that tells of
a person. Who may read them is the operator's matter (a network rule in front); there is nothing secret in them.
"""

import time
from collections.abc import Callable

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/metrics"
UNKNOWN = "unknown"
_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The counters of one service; each service has a registry of its own, so that tests never share one."""

    def __init__(self, service: str, version: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "comity_requests", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "comity_request_seconds",
            "Time until the answer began.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        info = Gauge("comity_info", "What is running.", ["service", "version"], registry=self.registry)
        info.labels(service, version).set(1)

    def count(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        """Return a new counter of the service's own."""
        return Counter(name, help_text, labels, registry=self.registry)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Show ``value`` whenever the metrics are read."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer; the status as its class, such as ``2xx``."""
        known = method if method in _METHODS else UNKNOWN
        self._requests.labels(route, known, f"{status // 100}xx").inc()
        self._seconds.labels(route).observe(seconds)

    def turned_away(self, method: str) -> None:
        """Count one who was told *later* before a route was looked for; it took no time worth noting."""
        self._requests.labels(UNKNOWN, method if method in _METHODS else UNKNOWN, "5xx").inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text form."""
        return generate_latest(self.registry)


def install(app: FastAPI, metrics: Metrics) -> None:
    """Serve ``/metrics`` and count every request of ``app``."""
    app.state.metrics = metrics
    app.add_middleware(_Counted, metrics=metrics)

    @app.get(PATH, include_in_schema=False)
    async def show() -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})


class _Counted:
    """Counts requests by the template of their route."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - started
                self._metrics.answered(_template(scope), scope["method"], int(message["status"]), seconds)
            await send(message)

        await self._app(scope, receive, send_counted)


def _template(scope: Scope) -> str:
    """Return the template of the route that answers a request, never the path that was asked for."""
    found = getattr(scope.get("route"), "path", None)
    return found if isinstance(found, str) else UNKNOWN


def of(request: Request) -> Metrics:
    """Return the metrics of the service that answers ``request``."""
    found: Metrics = request.app.state.metrics
    return found
