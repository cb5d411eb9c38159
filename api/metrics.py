"""What the API counts of its answers, and the route by which Prometheus reads it."""

import time

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.metrics_server import PLAIN

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
UNKNOWN = "none"
"""The route, or the method, of what has none: what somebody made up is no label."""


class Metrics:
    """ASGI middleware outside of all others: counts answers by route, and how long they took to begin."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self._app = app
        labels = ["method", "route", "status"]
        self._answers = Counter("streaks_http_answers", "Answers.", labels, registry=registry)
        self._seconds = Histogram(
            "streaks_http_seconds", "Until an answer began.", ["method", "route"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", UNKNOWN)
                method = scope["method"] if scope["method"] in METHODS else UNKNOWN
                self._answers.labels(method, route, message["status"]).inc()
                self._seconds.labels(method, route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noted)


def metrics_registry() -> CollectorRegistry:
    """One app's, with the figures of its process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def metrics_router(registry: CollectorRegistry) -> APIRouter:
    """`GET /metrics` of this registry."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Figures of this process for Prometheus; for users, and for the secrets' metrics_token."""
        return Response(generate_latest(registry), media_type=PLAIN)

    return router
