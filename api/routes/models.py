"""The registry of model versions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from api.model_archive import read_archive
from api.services import Admin, ServicesOf
from core.errors import InvalidRequest, NotFound
from core.model_card import ModelCard, Stage

router = APIRouter(prefix="/v1/models", tags=["models"])


class RegisteredModel(ModelCard):
    """A card, and where the version stands."""

    stage: Stage


class Models(BaseModel):
    """By classifier and number."""

    models: list[RegisteredModel]


@router.get("")
def list_models(services: ServicesOf) -> Models:
    """Every version that is registered."""
    return Models(models=[_registered(card, stage) for card, stage in services.record.models.all()])


class Promotion(BaseModel):
    """What a promotion may be told."""

    even_if_worse: bool = False
    beside: bool = False


class Threshold(BaseModel):
    """From which score on a version calls a cutout 1."""

    threshold: float


class Moved(BaseModel):
    """A threshold, and the one before. Cutouts on record are being decided again."""

    version: str
    threshold: float
    before: float


class Promoted(BaseModel):
    """What is in production now, and what was replaced."""

    version: str
    replaced: list[str]


async def _body(request: Request) -> bytes:
    """The body, whose length the gate has checked."""
    return await request.body()


@router.post("", status_code=201)
def add_model(
    body: Annotated[bytes, Depends(_body)], services: ServicesOf, _: Admin, response: Response
) -> RegisteredModel:
    """Register a candidate from a zip of its `card.json` and its `weights.npz`; nothing of it is executed."""
    card, data = read_archive(body)
    family = services.settings.families.get(card.classifier)
    if family is not None and card.classes != family.classes:
        raise InvalidRequest(
            f"{card.version} has the classes {card.classes}; expected those of {card.classifier}: "
            f"{family.classes}"
        )
    services.record.models.register(card, data)
    response.headers["Location"] = f"/v1/models/{card.version}"
    return show_model(card.version, services)


@router.get("/{version}")
def show_model(version: str, services: ServicesOf) -> RegisteredModel:
    """The card of one version."""
    for card, stage in services.record.models.all():
        if card.version == version:
            return _registered(card, stage)
    raise NotFound(f"model version {version!r} is not registered")


@router.get("/{version}/weights", response_class=Response)
def weights(version: str, services: ServicesOf) -> Response:
    """The weights of one version as its card describes them: an npz of plain arrays."""
    card = services.record.models.get(version)
    if card is None:
        raise NotFound(f"model version {version!r} is not registered")
    return Response(services.record.models.weights(card), media_type="application/octet-stream")


@router.post("/{version}/promote")
def promote(version: str, wanted: Promotion, services: ServicesOf, caller: Admin) -> Promoted:
    """Put a version into production; new jobs use it, jobs that were accepted keep theirs."""
    replaced = services.record.models.promote(
        version, by=caller.name, even_if_worse=wanted.even_if_worse, beside=wanted.beside
    )
    return Promoted(version=version, replaced=replaced)


@router.post("/{version}/archive")
def archive(version: str, services: ServicesOf, caller: Admin) -> RegisteredModel:
    """Let a version be used no longer that is not the only one of its family in production."""
    services.record.models.archive(version, by=caller.name)
    return show_model(version, services)


@router.put("/{version}/threshold")
def set_threshold(version: str, wanted: Threshold, services: ServicesOf, caller: Admin) -> Moved:
    """Move a version's threshold. Answers follow at once, cutouts on record as the sweeper comes by."""
    before = services.record.models.set_threshold(version, wanted.threshold, by=caller.name)
    return Moved(version=version, threshold=wanted.threshold, before=before)


def _registered(card: ModelCard, stage: Stage) -> RegisteredModel:
    return RegisteredModel(**card.model_dump(), stage=stage)
