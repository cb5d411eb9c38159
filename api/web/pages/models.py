"""Models: versions with their figures side by side, their cards and plots, and promoting one."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.routes.models import Promotion, RegisteredModel, list_models, promote, show_model
from api.services import Admin, Caller, Services, ServicesOf
from api.web.rendering import page
from core.errors import CallerError, NotFound
from core.legacy import is_legacy
from storage.score_changes import sampled_changes

router = APIRouter(include_in_schema=False)

MOST_COMPARED = 20_000
"""Cutouts; of more a random sample is compared, which tells shares of a thousandth to a few per cent."""


@router.get("/models")
def models(request: Request, services: ServicesOf, caller: Caller) -> Response:
    """Every version, by classifier, with its figures on the standing benchmarks."""
    del caller
    by_classifier: dict[str, list[RegisteredModel]] = {}
    for model in reversed(list_models(services).models):
        by_classifier.setdefault(model.classifier, []).append(model)
    return page(request, "models.html", classifiers=by_classifier, is_legacy=is_legacy)


@router.get("/models/{version}")
def model(request: Request, version: str, services: ServicesOf, caller: Caller) -> Response:
    """The card of one version, beside what is in production."""
    del caller
    return _page(request, version, services, fault=None)


@router.get("/models/{version}/promote")
def confirm(request: Request, version: str, services: ServicesOf, caller: Admin) -> Response:
    """What a promotion would change, and the question."""
    del caller
    wanted, standing = show_model(version, services), _standing(services, version)
    return page(
        request,
        "promote.html",
        model=wanted,
        standing=standing,
    )


@router.get("/models/{version}/changes")
async def would_flip(request: Request, version: str, services: ServicesOf, caller: Admin) -> Response:
    """The part of that page that takes longer: what would flip, on at most MOST_COMPARED cutouts."""
    del caller

    def compared() -> Response:
        standing = _standing(services, version)
        return page(
            request,
            "_changes.html",
            model=show_model(version, services),
            changes=[
                sampled_changes(services.record, other.version, version, most=MOST_COMPARED)
                for other in standing
            ],
        )

    return await services.scans.run(compared)


@router.post("/models/{version}/promote")
def promoted(
    request: Request,
    version: str,
    services: ServicesOf,
    caller: Admin,
    even_if_worse: Annotated[bool, Form()] = False,
    beside: Annotated[bool, Form()] = False,
) -> Response:
    """Promote it; where that is refused, say why."""
    try:
        promote(version, Promotion(even_if_worse=even_if_worse, beside=beside), services, caller)
    except NotFound:
        raise
    except CallerError as error:
        return _page(request, version, services, fault=str(error), status=409)
    return RedirectResponse("/models", 303)


def _page(
    request: Request, version: str, services: Services, *, fault: str | None, status: int = 200
) -> Response:
    wanted = show_model(version, services)
    return page(
        request,
        "model.html",
        status=status,
        fault=fault,
        model=wanted,
        standing=_standing(services, version),
        figures=_figures(wanted),
        is_legacy=is_legacy(version),
    )


def _standing(services: Services, version: str) -> list[RegisteredModel]:
    """The other versions of the classifier that are in production."""
    classifier = version.partition("@")[0]
    return [
        model
        for model in list_models(services).models
        if model.classifier == classifier and model.stage == "production" and model.version != version
    ]


def _figures(model: RegisteredModel) -> dict[str, dict[str, Any]]:
    """The benchmarks of a card that hold a confusion matrix."""
    return {name: found for name, found in model.metrics.items() if _is_measured(found)}


def _is_measured(found: object) -> bool:
    return isinstance(found, dict) and "confusion_matrix" in found
