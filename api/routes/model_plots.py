"""The curves of a model version."""

from fastapi import APIRouter, Response

from api.services import ServicesOf
from core.errors import NotFound

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("/{version}/plots/{name}", response_class=Response)
def plot(version: str, name: str, services: ServicesOf) -> Response:
    """One of the plots that a version's card names, an SVG file."""
    card = services.record.models.get(version)
    if card is None:
        raise NotFound(f"model version {version!r} is not registered")
    if name not in card.plots:
        raise NotFound(
            f"{version} has no plot {name[:80]!r}; expected one of {', '.join(card.plots) or 'none'}"
        )
    return Response(
        services.record.blobs.get(card.plots[name]),
        media_type="image/svg+xml",
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )
