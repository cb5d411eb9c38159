"""The pages of the site, put into the app."""

from fastapi import FastAPI

from api.web import assets
from api.web.pages import accounts, home, login, me

PAGES = (home, login, me, accounts)


def install_site(app: FastAPI) -> None:
    """Add every page, and what they load."""
    app.include_router(assets.router)
    for room in PAGES:
        app.include_router(room.router)
