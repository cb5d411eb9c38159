"""The pages of the site, put into the app."""

from fastapi import FastAPI

from api.web import assets
from api.web.pages import (
    accounts,
    agreement,
    cutout,
    home,
    jobs,
    label,
    label_dataset,
    login,
    me,
    models,
    pictures,
    projects,
    results,
    tonight,
    workers,
)

PAGES = (
    *(home, login, me, accounts, tonight, results, cutout, pictures, jobs, models, workers),
    *(projects, label_dataset, label, agreement),
)


def install_site(app: FastAPI) -> None:
    """Add every page, and what they load."""
    app.include_router(assets.router)
    for room in PAGES:
        app.include_router(room.router)
    for shared in (projects, label_dataset):  # under the paths of calls, which come after them
        app.include_router(shared.pages)
