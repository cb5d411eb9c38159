"""Submitting trainings."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from api.services import Operator, ServicesOf
from core.training import RECIPES, RecipeName, TrainingRequest

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MOST_SEED = 2**48
MOST_CUTOUTS = 1_000_000


class WantedTraining(BaseModel):
    """What is to be trained; what is left out is the recipe's."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    classifier: str
    dataset: str = Field(description="a simulator's preset")
    architecture: str = "vgg6"
    recipe: RecipeName = "default"
    epochs: int | None = Field(None, ge=1, le=1000)
    batch_size: int | None = Field(None, ge=1, le=4096)
    learning_rate: float | None = Field(None, gt=0, le=1)
    seed: int = Field(1, ge=0, le=MOST_SEED, description="of data, starting weights and order")
    count: int | None = Field(None, ge=1, le=MOST_CUTOUTS, description="cutouts; the preset's own by default")
    start_from: str | None = Field(None, alias="from", description="a version to go on from, as rb@3")

    def request(self) -> TrainingRequest:
        """The same with the recipe's numbers where none came."""
        sizes = RECIPES[self.recipe]
        return TrainingRequest(
            classifier=self.classifier,
            dataset=self.dataset,
            architecture=self.architecture,
            recipe=self.recipe,
            epochs=self.epochs or sizes.epochs,
            batch_size=self.batch_size or sizes.batch_size,
            seed=self.seed,
            count=self.count,
            learning_rate=self.learning_rate,
            start_from=self.start_from,
        )


class AcceptedTraining(BaseModel):
    """A promise: a candidate with all its figures, or a reason why there is none."""

    job: str


@router.post("/train", status_code=202)
def submit_training(
    wanted: WantedTraining,
    response: Response,
    services: ServicesOf,
    caller: Operator,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> AcceptedTraining:
    """Train a network; it becomes a candidate. The same Idempotency-Key with the same contents is one job."""
    job = services.training_submitter.submit(
        wanted.request(),
        owner=caller.name,
        idempotency_key=idempotency_key,
        fingerprint=hashlib.sha256(wanted.model_dump_json().encode()).hexdigest(),
    )
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return AcceptedTraining(job=job.id)
