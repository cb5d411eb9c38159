"""Cutouts and their scores, over all jobs."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.services import Services, ServicesOf
from core.errors import NotFound
from core.model_card import VERSION
from cutouts.file_kinds import kind_of
from storage.database import Document
from storage.decisions import plausible_now

router = APIRouter(prefix="/v1", tags=["cutouts"])

VersionOf = Annotated[str | None, Query(max_length=64, description="the sha256, to keep the answer for ever")]
KnownOf = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]


class Score(BaseModel):
    """One cutout's score."""

    id: str
    score: float


class Scores(BaseModel):
    """Highest first."""

    version: str
    scores: list[Score]


@router.get("/cutouts/{cutout}")
def show_cutout(cutout: str, services: ServicesOf) -> JSONResponse:
    """What is known of a cutout, and its outcome under each model version that was ever asked."""
    document = _document(services, cutout)
    outcomes = [
        {"version": found["_id"]["version"]} | {k: v for k, v in found.items() if k != "_id"}
        for found in services.record.outcomes.of_cutout(cutout)
    ]
    known = {"id": document["_id"]} | {key: value for key, value in document.items() if key != "_id"}
    if "versions" in known:
        known["plausible"] = plausible_now(services.record.models, document)
    return JSONResponse(jsonable_encoder(known | {"outcomes": outcomes}))


@router.get("/cutouts/{cutout}/image", response_class=Response)
def cutout_image(
    cutout: str,
    services: ServicesOf,
    v: Annotated[
        str | None, Query(max_length=64, description="the sha256: the answer is kept for ever")
    ] = None,
    known: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None,
) -> Response:
    """The bytes, as they were submitted. Their ETag is their sha256."""
    document = _document(services, cutout)
    sha256 = document.get("sha256")
    if sha256 is None or sha256 not in services.record.blobs:
        raise NotFound(f"the bytes of cutout {cutout!r} are not stored here; it was given by reference")
    headers = kept_by(sha256, v) | {"Content-Disposition": "inline"}
    if known is not None and headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    data = services.record.blobs.get(sha256)
    return Response(data, media_type=kind_of(data).media_type, headers=headers)


def kept_by(sha256: str, version: str | None) -> dict[str, str]:
    """Headers by which a browser keeps bytes: for ever under their sha256, else until it asked again."""
    kept = "private, max-age=31536000, immutable" if version == sha256 else "private, no-cache"
    return {"ETag": f'"{sha256}"', "Cache-Control": kept}


@router.get("/scores")
def list_scores(
    services: ServicesOf,
    version: Annotated[str, Query(pattern=VERSION.pattern, description="such as rb@1")],
    low: Annotated[float, Query(ge=0, le=1)] = 0.0,
    high: Annotated[float, Query(ge=0, le=1)] = 1.0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> Scores:
    """Cutouts whose score under one version lies between two bounds."""
    found = services.record.outcomes.scores(version, low=low, high=high, limit=limit)
    return Scores(version=version, scores=[Score(id=cutout, score=score) for cutout, score in found])


def _document(services: Services, cutout: str) -> Document:
    document = services.record.cutouts.get(cutout)
    if document is None:
        raise NotFound(f"there is no cutout {cutout!r}")
    return document
