"""Whether the process is up, and whether the service can do its work. Open to anyone."""

from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pymongo import timeout
from pymongo.errors import PyMongoError

from api.services import Services, ServicesOf
from core.errors import ServiceError
from storage.database import check

router = APIRouter(tags=["health"])

PATIENCE_S = 2.0  # who probes does not wait long


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


class Checks(BaseModel):
    """`ok`, or what is wrong; and how many workers take work."""

    mongo: str
    redis: str
    workers: int


class Readiness(BaseModel):
    """Whether the service can do its work, and what it lacks."""

    ready: bool
    checks: Checks


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(services: ServicesOf) -> JSONResponse:
    """Ready when MongoDB and Redis answer and at least one worker holds its networks; 503 until then."""
    return await run_sync(_readiness, services, limiter=services.probes)


def _readiness(services: Services) -> JSONResponse:
    with timeout(PATIENCE_S):
        mongo = _mongo(services)
        workers = _workers(services) if mongo == "ok" else 0
    redis = _redis(services)
    ready = mongo == "ok" and redis == "ok" and workers >= 1
    told = Readiness(ready=ready, checks=Checks(mongo=mongo, redis=redis, workers=workers))
    return JSONResponse(told.model_dump(), 200 if ready else 503)


def _mongo(services: Services) -> str:
    try:
        check(services.record.database)
    except ServiceError as error:
        return str(error)
    return "ok"


def _redis(services: Services) -> str:
    try:
        services.messenger.check()
    except ServiceError as error:
        return str(error)
    return "ok"


def _workers(services: Services) -> int:
    try:
        return len(services.record.workers.ready())
    except PyMongoError:
        return 0
