"""The app: `uvicorn --factory api.main:create_app --http h11 --loop uvloop --no-proxy-headers`.

The settings name proxies.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.answers import install_answers
from api.description import described
from api.gate import Gate
from api.job_shortcut import JobShortcut
from api.metrics import Metrics, metrics_registry, metrics_router
from api.routes import (
    ades,
    auth,
    blobs,
    cutouts,
    datasets,
    exports,
    health,
    imports,
    job_events,
    jobs,
    label_agreement,
    label_datasets,
    label_files,
    label_queue,
    label_scoring,
    listing,
    model_plots,
    models,
    nights,
    project_archive,
    projects,
    queues,
    rescore,
    score_changes,
    streaks,
    submit,
    subscriptions,
    tokens,
    training,
    users,
    verdicts,
    workers,
    zwickyverse,
)
from api.services import open_services
from api.startup import ReadableStartup
from api.web.site import install_site
from core.errors import Misconfigured
from core.memory import bound_arenas, settle
from core.settings import Settings, load_settings
from core.telemetry import configure_logging

_NEEDS_TOKEN = [Depends(HTTPBearer(auto_error=False))]  # for the description; the gate decides


def create_app(settings: Settings | None = None) -> FastAPI:
    """The API on these settings, or on those of the environment. Connects when it is started, not before."""
    if settings is None:
        bound_arenas()
        settings = _settings_of_environment()
        configure_logging(settings.log_level)
    app = FastAPI(
        title="deep-asteroids",
        summary="Scores streak cutouts with neural networks.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked for in each request
    )
    app.state.settings = settings
    registry = metrics_registry()
    install_answers(app)
    app.add_middleware(JobShortcut)
    app.add_middleware(Gate)
    app.add_middleware(ReadableStartup)
    if settings.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.proxies))
    app.add_middleware(Metrics, registry=registry)
    for open_room in (health, auth):
        app.include_router(open_room.router)
    for room in (
        tokens,
        submit,
        training,
        rescore,
        jobs,
        job_events,
        score_changes,
        exports,  # before cutouts: `export` is no cutout's id
        listing,
        cutouts,
        streaks,
        verdicts,
        subscriptions,
        ades,
        models,
        model_plots,
        datasets,
        project_archive,  # before projects: `import` is no project's id
        projects,
        label_datasets,
        label_queue,
        label_agreement,
        label_files,
        label_scoring,
        nights,
        imports,
        workers,
        queues,
        users,
        blobs,
    ):
        app.include_router(room.router, dependencies=_NEEDS_TOKEN)
    app.include_router(metrics_router(registry), dependencies=_NEEDS_TOKEN)
    install_site(app)
    app.include_router(zwickyverse.router, dependencies=_NEEDS_TOKEN)  # after pages of the same paths
    app.add_api_route("/openapi.json", described(app), include_in_schema=False)
    return app


def _settings_of_environment() -> Settings:
    """The settings; ends the process with one line when they are wrong."""
    try:
        return load_settings()
    except Misconfigured as error:
        raise SystemExit(f"deep-asteroids can't start: {error}") from error


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with open_services(app.state.settings) as services:
        app.state.services = services
        settle()
        yield
