"""Who may do what in a labelling project: a member may look and label, an admin of it may change it.

Nobody may do more here than in the service: who is a viewer there labels nothing. To a stranger a project is
not there.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path

from api.services import Caller, ServicesOf
from core.errors import NotAllowed, NotFound
from core.project import LabelDataset, Project, ProjectRole
from core.user import User

PROJECT_ID = Path(max_length=64, description="of a project", alias="pid")
DATASET_ID = Path(max_length=64, description="of a data set of it", alias="did")


@dataclass(frozen=True)
class InProject:
    """A project that the caller is a member of, and their role in it."""

    project: Project
    caller: User
    role: ProjectRole

    def may_label(self) -> bool:
        """Whether the caller may label here."""
        return self.caller.may("labeller")

    def may_edit(self) -> bool:
        """Whether the caller may change the project."""
        return self.role == "admin" and self.caller.may("labeller")


@dataclass(frozen=True)
class InDataset(InProject):
    """A data set of such a project."""

    dataset: LabelDataset


def in_project(services: ServicesOf, caller: Caller, pid: Annotated[str, PROJECT_ID]) -> InProject:
    """For whom may look; raises NotFound."""
    project = services.record.projects.get(pid)
    role = project.role_of(caller)
    if role is None:
        raise NotFound(f"there is no project {pid[:80]!r}")
    return InProject(project, caller, role)


def editing_project(found: Annotated[InProject, Depends(in_project)]) -> InProject:
    """For whom may change it; raises NotFound, NotAllowed."""
    return _editing(found)


def in_dataset(
    services: ServicesOf,
    found: Annotated[InProject, Depends(in_project)],
    did: Annotated[str, DATASET_ID],
) -> InDataset:
    """For whom may look; raises NotFound, also for a data set of another project."""
    dataset = services.record.label_datasets.get(found.project.id, did)
    return InDataset(found.project, found.caller, found.role, dataset)


def labelling_dataset(found: Annotated[InDataset, Depends(in_dataset)]) -> InDataset:
    """For whom may label; raises NotFound, NotAllowed."""
    if not found.may_label():
        raise NotAllowed(f"the role {found.caller.role!r} may not label; expected labeller or more")
    return found


def editing_dataset(found: Annotated[InDataset, Depends(in_dataset)]) -> InDataset:
    """For whom may change it; raises NotFound, NotAllowed."""
    _editing(found)
    return found


def _editing(found: InProject) -> InProject:
    if not found.may_edit():
        role = f"a {found.role} of this project with the role {found.caller.role!r} may not change it"
        raise NotAllowed(f"{role}; expected an admin of it, who may label")
    return found


ProjectSeen = Annotated[InProject, Depends(in_project)]
ProjectEdited = Annotated[InProject, Depends(editing_project)]
DatasetSeen = Annotated[InDataset, Depends(in_dataset)]
DatasetLabelled = Annotated[InDataset, Depends(labelling_dataset)]
DatasetEdited = Annotated[InDataset, Depends(editing_dataset)]
