"""Where a person begins."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

router = APIRouter(include_in_schema=False)


@router.get("/")
def home() -> RedirectResponse:
    """The first page."""
    return RedirectResponse("/results", 303)
