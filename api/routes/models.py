"""The registry of model versions, to be read."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.services import ServicesOf
from core.errors import NotFound
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


@router.get("/{version}")
def show_model(version: str, services: ServicesOf) -> RegisteredModel:
    """The card of one version."""
    for card, stage in services.record.models.all():
        if card.version == version:
            return _registered(card, stage)
    raise NotFound(f"model version {version!r} is not registered")


def _registered(card: ModelCard, stage: Stage) -> RegisteredModel:
    return RegisteredModel(**card.model_dump(), stage=stage)
