"""What waits for workers."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.queues import Queue, queues
from api.services import ServicesOf

router = APIRouter(prefix="/v1/queues", tags=["workers"])


class Queues(BaseModel):
    """The queues of scoring."""

    queues: list[Queue]


@router.get("")
def list_queues(services: ServicesOf) -> Queues:
    """What waits, and for how long; by this workers are started where none run while there is no work."""
    return Queues(queues=queues(services))
