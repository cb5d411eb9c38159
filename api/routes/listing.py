"""The cutouts that a filter is true of, page by page."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.routes.exports import FilterOf, ModelsOf, listed
from api.services import ServicesOf
from core.errors import Conflict, InvalidRequest
from storage.exports import Asked, Row, asked, cutout_page

router = APIRouter(prefix="/v1", tags=["cutouts"])

LONGEST_CURSOR = 1000
_DIGEST = 12


class ListedCutout(BaseModel):
    """A cutout and its scores by exact version, null where a version gave none, or none yet.

    `not_run` names the versions that a cascade did not ask, as rb was too low.
    """

    id: str
    file: str
    night: str | None
    scores: dict[str, float | None]
    plausible: bool | None
    rejection: dict[str, str] | None
    instrument: str | None
    uncalibrated: list[dict[str, Any]]
    not_run: list[str]


class Cutouts(BaseModel):
    """By id. `versions` are those of the scores and of `plausible`; `filter` names those that it asks.

    `next` is the cursor of the next page, null at the end: a page may be short, or empty, before it.
    """

    versions: list[str]
    filter: str
    cutouts: list[ListedCutout]
    next: str | None


@router.get("/cutouts")
def list_cutouts(
    services: ServicesOf,
    text: FilterOf = "",
    models: ModelsOf = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=LONGEST_CURSOR)] = None,
) -> Cutouts:
    """Cutouts by a filter. `rb` in it is the version in production, which the answer names."""
    wanted = asked(services.record, text, listed(models))
    after = None if cursor is None else _read(cursor, wanted)
    page = cutout_page(services.record, wanted.filter, wanted.thresholds, after=after, limit=limit)
    return Cutouts(
        versions=list(wanted.thresholds),
        filter=wanted.filter,
        cutouts=[_listed(row, wanted) for row in page.rows],
        next=None if page.next is None else f"{_digest(wanted)}.{page.next}",
    )


def _listed(row: Row, wanted: Asked) -> ListedCutout:
    result = row.result
    return ListedCutout(
        id=str(result.cutout),
        file=result.name,
        night=row.night,
        scores={version: result.scores.get(version) for version in wanted.thresholds},
        plausible=result.plausible,
        rejection=None if result.rejection is None else vars(result.rejection),
        instrument=result.instrument,
        uncalibrated=[vars(departure) for departure in result.uncalibrated],
        not_run=list(result.not_run),
    )


def _read(cursor: str, wanted: Asked) -> str:
    """The id that a page ended with; raises Conflict where this one would not be of the same versions."""
    digest, dot, after = cursor.partition(".")
    if not (dot and after and len(digest) == _DIGEST):
        raise InvalidRequest(f"cursor {cursor[:40]!r}; expected the `next` of the page before")
    if digest != _digest(wanted):
        raise Conflict(
            "the page before was of another filter or of other versions (was one promoted?); expected the"
            " `filter` and, as models, the `versions` that it told"
        )
    return after


def _digest(wanted: Asked) -> str:
    """A fingerprint of a bound filter and of the versions, in their order."""
    text = "\n".join([wanted.filter, *wanted.thresholds])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
