"""Labelling projects and their members."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.labelling_access import ProjectEdited, ProjectSeen
from api.project_editing import add_project, change_project, remove_member, remove_project, set_member
from api.project_view import ProjectView, project_views
from api.services import Caller, Labeller, ServicesOf
from core.project import MOST_OVERLAP, ProjectRole

router = APIRouter(prefix="/v1/projects", tags=["labelling"])


class NewProject(BaseModel):
    """What a new project is."""

    model_config = ConfigDict(extra="forbid")
    name: str
    description: str = ""
    classes: list[str]
    classifier: str | None = Field(None, description="such as rb; what the labels are for")


class ProjectChange(BaseModel):
    """What is to change; an empty classifier for none."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    description: str | None = None
    classes: list[str] | None = None
    classifier: str | None = None
    overlap: int | None = Field(
        None, ge=0, le=MOST_OVERLAP, description="people for each item; 0 for everybody"
    )


class MemberRole(BaseModel):
    """A role in a project."""

    model_config = ConfigDict(extra="forbid")
    role: ProjectRole


class Projects(BaseModel):
    """The newest first."""

    projects: list[ProjectView]


@router.get("")
def list_projects(services: ServicesOf, caller: Caller) -> Projects:
    """The projects that the caller is a member of; all of them for an administrator."""
    projects = services.record.projects.of_user(caller)
    return Projects(projects=project_views(services.record, projects, caller))


@router.post("", status_code=201)
def create_project(
    new: NewProject, response: Response, services: ServicesOf, caller: Labeller
) -> ProjectView:
    """A new project, whose admin is the caller."""
    project = add_project(
        services.record,
        caller,
        name=new.name,
        description=new.description,
        classes=new.classes,
        classifier=new.classifier,
    )
    response.headers["Location"] = f"/v1/projects/{project.id}"
    return project_views(services.record, [project], caller)[0]


@router.get("/{pid}")
def show_project(services: ServicesOf, found: ProjectSeen) -> ProjectView:
    """One project."""
    return project_views(services.record, [found.project], found.caller)[0]


@router.patch("/{pid}")
def edit_project(change: ProjectChange, services: ServicesOf, found: ProjectEdited) -> ProjectView:
    """Change a project; a class that labels give can't be removed."""
    project = change_project(services.record, found, **change.model_dump(exclude_unset=True))
    return project_views(services.record, [project], found.caller)[0]


@router.delete("/{pid}", status_code=204)
def delete_project(services: ServicesOf, found: ProjectEdited) -> None:
    """Remove a project; its labels stay on record."""
    remove_project(services.record, found)


@router.put("/{pid}/members/{user}")
def put_member(user: str, wanted: MemberRole, services: ServicesOf, found: ProjectEdited) -> ProjectView:
    """Make an account a member, or change its role."""
    project = set_member(services.record, found, user, wanted.role)
    return project_views(services.record, [project], found.caller)[0]


@router.delete("/{pid}/members/{user}", status_code=204)
def delete_member(user: str, services: ServicesOf, found: ProjectEdited) -> None:
    """Take a member away; their labels stay."""
    remove_member(services.record, found, user)
