"""Who scores."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.services import ServicesOf
from storage.workers import WorkerInfo

router = APIRouter(prefix="/v1/workers", tags=["workers"])


class Workers(BaseModel):
    """Those that reported within the last 15 s."""

    workers: list[WorkerInfo]


@router.get("")
def list_workers(services: ServicesOf) -> Workers:
    """The scoring processes; one that drains finishes its shard and ends, one that is unwell says why."""
    return Workers(workers=list(services.record.workers.present()))
