"""What people make of streaks: accepting and rejecting them, and taking that back."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.services import Labeller, Services, ServicesOf
from core.errors import NotFound
from core.verdict import Verdict, Word, standing

router = APIRouter(prefix="/v1", tags=["verdicts"])

EventId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="of the client's choice: it may send again")
]


class GivenVerdict(BaseModel):
    """A verdict, or that an earlier one of one's own is `undone`, which `undoes` names."""

    model_config = ConfigDict(extra="forbid")
    cutout: str = Field(max_length=300)
    word: Word
    undoes: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")

    @model_validator(mode="after")
    def _undoes_one(self) -> "GivenVerdict":
        if (self.word == "undone") != (self.undoes is not None):
            raise ValueError("`undoes` comes with the word `undone`, and only with it")
        return self


class StandingVerdict(BaseModel):
    """The verdict that stands; whose and since when."""

    id: str
    word: Literal["accepted", "rejected"]
    person: str
    at: datetime


class Verdicts(BaseModel):
    """Of one cutout: what stands, and all that was said, in order."""

    cutout: str
    standing: StandingVerdict | None
    events: list[dict[str, object]]


@router.put("/verdicts/{event}")
def give_verdict(event: EventId, given: GivenVerdict, services: ServicesOf, caller: Labeller) -> Verdicts:
    """Append an event. The same one sent again changes nothing; answers with what stands then."""
    document = services.record.cutouts.get(given.cutout)
    if document is None:
        raise NotFound(f"there is no cutout {given.cutout[:100]!r}")
    services.record.verdicts.add(
        Verdict(
            id=event,
            cutout=given.cutout,
            word=given.word,
            person=caller.name,
            at=datetime.now(UTC),
            seen=dict(document.get("scores") or {}),
            undoes=given.undoes,
        )
    )
    return _of(services, given.cutout)


@router.get("/cutouts/{cutout}/verdicts")
def show_verdicts(cutout: str, services: ServicesOf) -> Verdicts:
    """Everything that people made of a cutout, in order."""
    if services.record.cutouts.get(cutout) is None:
        raise NotFound(f"there is no cutout {cutout[:100]!r}")
    return _of(services, cutout)


def _of(services: Services, cutout: str) -> Verdicts:
    events = services.record.verdicts.of_cutout(cutout)
    found = standing(events)
    return Verdicts(
        cutout=cutout,
        standing=None if found is None else told(found),
        events=[vars(event) for event in events],
    )


def told(verdict: Verdict) -> StandingVerdict:
    """A verdict that stands, as it is told."""
    return StandingVerdict.model_validate(vars(verdict))
