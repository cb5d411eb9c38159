"""Labelling projects: all that one is a member of, and one with its data sets and members."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from api.labelling_access import InProject, ProjectEdited, ProjectSeen
from api.project_editing import (
    add_dataset,
    add_project,
    change_project,
    refuse_other_name,
    remove_member,
    remove_project,
    set_member,
)
from api.project_view import project_views
from api.services import Caller, Labeller, Services, ServicesOf
from api.web.browser_route import BrowserRoute
from api.web.rendering import page
from core.errors import CallerError
from core.project import LONGEST_DESCRIPTION, LONGEST_NAME, PROJECT_ROLES, ProjectRole
from core.user import User

router = APIRouter(prefix="/projects", include_in_schema=False)
pages = APIRouter(prefix="/projects", include_in_schema=False, route_class=BrowserRoute)

_MOST = 10_000  # characters of a field, which the checks behind it bound further
Text = Annotated[str, Form(max_length=_MOST)]


class ProjectForm(BaseModel):
    """What is typed of a project: classes with spaces between them, an empty classifier for none."""

    name: str = Field(max_length=_MOST)
    classes: str = Field(max_length=_MOST)
    description: str = Field("", max_length=_MOST)
    classifier: str = Field("", max_length=_MOST)

    def fields(self) -> dict[str, Any]:
        """The same as a project has it, not checked."""
        return self.model_dump() | {"classes": self.classes.split(), "classifier": self.classifier.strip()}


Typed = Annotated[ProjectForm, Form()]


@pages.get("")
def projects(request: Request, services: ServicesOf, caller: Caller) -> Response:
    """The list."""
    return _list(request, services, caller)


@router.post("")
def add(request: Request, services: ServicesOf, caller: Labeller, typed: Typed) -> Response:
    """Make a project, and go to it."""
    try:
        made = add_project(services.record, caller, **typed.fields())
    except CallerError as error:
        return _list(request, services, caller, fault=str(error), typed=typed)
    return RedirectResponse(f"/projects/{made.id}", 303)


@pages.get("/{pid}")
def project(request: Request, services: ServicesOf, found: ProjectSeen) -> Response:
    """One project."""
    return _project(request, services, found)


@router.post("/{pid}/edit")
def edit(request: Request, services: ServicesOf, found: ProjectEdited, typed: Typed) -> Response:
    """Change what it is called and what is told apart."""
    try:
        change_project(services.record, found, **typed.fields())
    except CallerError as error:
        return _project(request, services, found, fault=str(error))
    return _back(found)


@router.post("/{pid}/remove")
def remove(request: Request, services: ServicesOf, found: ProjectEdited, name: Text) -> Response:
    """Remove it, if its name was typed."""
    try:
        refuse_other_name(name, found.project.name)
    except CallerError as error:
        return _project(request, services, found, fault=str(error))
    remove_project(services.record, found)
    return RedirectResponse("/projects", 303)


@router.post("/{pid}/members")
def put_member(
    request: Request,
    services: ServicesOf,
    found: ProjectEdited,
    user: Text,
    role: Annotated[ProjectRole, Form()],
) -> Response:
    """Add a member, or give one another role."""
    try:
        set_member(services.record, found, user.strip(), role)
    except CallerError as error:
        return _project(request, services, found, fault=str(error))
    return _back(found)


@router.post("/{pid}/members/{user}/remove")
def take_member(request: Request, services: ServicesOf, found: ProjectEdited, user: str) -> Response:
    """Take a member away."""
    try:
        remove_member(services.record, found, user)
    except CallerError as error:
        return _project(request, services, found, fault=str(error))
    return RedirectResponse("/projects", 303) if user == found.caller.name else _back(found)


@router.post("/{pid}/datasets")
def new_dataset(
    request: Request, services: ServicesOf, found: ProjectEdited, name: Text, description: Text = ""
) -> Response:
    """Make a data set, and go to where it is filled."""
    try:
        made = add_dataset(services.record, found, name=name, description=description)
    except CallerError as error:
        return _project(request, services, found, fault=str(error))
    return RedirectResponse(f"/projects/{found.project.id}/datasets/{made.id}", 303)


def _back(found: InProject) -> Response:
    return RedirectResponse(f"/projects/{found.project.id}", 303)


def _list(
    request: Request,
    services: Services,
    caller: User,
    *,
    fault: str | None = None,
    typed: ProjectForm | None = None,
) -> Response:
    own = services.record.projects.of_user(caller)
    return page(
        request,
        "projects.html",
        status=200 if fault is None else 400,
        projects=project_views(services.record, own, caller),
        fault=fault,
        typed=typed or ProjectForm(name="", classes=""),
        longest_name=LONGEST_NAME,
        longest_description=LONGEST_DESCRIPTION,
    )


def _project(request: Request, services: Services, found: InProject, *, fault: str | None = None) -> Response:
    (view,) = project_views(services.record, [found.project], found.caller)
    return page(
        request,
        "project.html",
        status=200 if fault is None else 400,
        project=view,
        may_edit=found.may_edit(),
        may_label=found.may_label(),
        fault=fault,
        roles=PROJECT_ROLES,
        strangers=_strangers(services, found) if found.may_edit() else [],
        longest_name=LONGEST_NAME,
        longest_description=LONGEST_DESCRIPTION,
    )


def _strangers(services: Services, found: InProject) -> list[str]:
    """Accounts that are no members yet."""
    return [user.name for user in services.record.accounts.all() if user.name not in found.project.members]
