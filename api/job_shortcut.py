"""The short way to how a job is, which hundreds ask each second while a backlog is worked on."""

import re

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes import jobs
from api.services import Services
from core.job import JOB_ID

_JOB = re.compile(f"/v1/jobs/({JOB_ID})")


class JobShortcut:
    """ASGI middleware inside the gate: calls the route `GET /v1/jobs/{id}` without looking for it.

    Finding a route among all of them and what it depends on takes longer than the answer. What is not quite
    this request goes the usual way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._route = next(
            route
            for route in jobs.router.routes
            if isinstance(route, APIRoute) and route.endpoint is jobs.show_job
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        job = _JOB.fullmatch(scope["path"]) if scope.get("method") == "GET" else None
        if job is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        services: Services = scope["app"].state.services
        answer = await jobs.show_job(job[1], services)
        await answer(scope, receive, send)
