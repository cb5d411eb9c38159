"""A cutout's page: its picture, every score on record with where it came from, its data and labels."""

from fastapi import APIRouter, Request, Response

from api.services import Caller, ServicesOf
from api.web.rendering import page
from core.errors import NotFound
from storage.decisions import plausible_now

router = APIRouter(include_in_schema=False)

_SHOWN_ELSEWHERE = frozenset(
    {"_id", "ades", "scores", "versions", "plausible", "decided_by", "midpoint_coordinates", "rb", "sl"}
)


@router.get("/cutouts/{cutout}")
def cutout_page(request: Request, cutout: str, services: ServicesOf, caller: Caller) -> Response:
    """The page. Raises NotFound for an id that is not on record."""
    del caller
    record = services.record
    document = record.cutouts.get(cutout)
    outcomes = sorted(record.outcomes.of_cutout(cutout), key=lambda found: str(found["_id"]["version"]))
    if document is None and not outcomes:
        raise NotFound(f"there is no cutout {cutout[:100]!r}")
    document = document or {"_id": cutout}  # of what could not be read the outcome alone is on record
    versions = [found["_id"]["version"] for found in outcomes]
    return page(
        request,
        "cutout.html",
        cutout=document,
        outcomes=outcomes,
        thresholds=record.models.thresholds(versions),
        production=frozenset(record.models.production()),
        plausible=plausible_now(record.models, document) if "versions" in document else None,
        labels=record.labels.of_cutout(cutout),
        facts={key: value for key, value in sorted(document.items()) if key not in _SHOWN_ELSEWHERE},
        ades=document.get("ades"),
    )
