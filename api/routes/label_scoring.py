"""Scoring the pictures of a labelling data set, so that they can be labelled in the order of their scores."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.labelling_access import DatasetSeen, InDataset
from api.services import Operator, Services, ServicesOf
from core.errors import Conflict
from core.instrument import DEFAULT_INSTRUMENT
from core.job import Item, Job
from core.project import LabelItem
from cutouts.names import instrument_of

router = APIRouter(prefix="/v1/projects/{pid}/datasets/{did}", tags=["labelling"])

_LOOKED_UP = 1000


class ScoringView(BaseModel):
    """The job, its items, and the versions that score them."""

    job: str
    items: int
    versions: list[str]


@router.post("/score", status_code=202)
def score(response: Response, services: ServicesOf, found: DatasetSeen, caller: Operator) -> ScoringView:
    """Submit a job of the pictures that lack a score by a version in production."""
    del caller  # is asked for because scoring takes an operator, which is found.caller
    job = submit_scoring(services, found)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return ScoringView(job=job.id, items=job.items, versions=list(job.versions))


def submit_scoring(services: Services, found: InDataset) -> Job:
    """The job; raises Conflict where there is nothing to score.

    Pictures of other instruments are passed over: they are scored where they are submitted, by their profile.
    """
    record = services.record
    versions = record.models.resolve(())
    items = list(record.label_datasets.items(found.dataset))
    wanted: list[LabelItem] = []
    for start in range(0, len(items), _LOOKED_UP):
        some = [item for item in items[start : start + _LOOKED_UP] if _is_scorable(item)]
        done = record.outcomes.existing([item.cutout for item in some], versions)
        wanted += [item for item in some if any((item.cutout, version) not in done for version in versions)]
    if not wanted:
        raise Conflict(f"every picture has an outcome by {', '.join(versions)}; there is nothing to score")
    job_items = [Item(name=item.name, cutout=item.cutout, sha256=item.sha256) for item in wanted]
    return services.submitter.submit_score(job_items, owner=found.caller.name, models=versions)


def _is_scorable(item: LabelItem) -> bool:
    return item.sha256 is not None and instrument_of(item.cutout) == DEFAULT_INSTRUMENT
