"""Labelling projects and their data sets as the API and the pages show them, with their counts."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from core.project import LabelDataset, Project, ProjectRole
from core.user import User
from storage.record import Record


class DatasetView(BaseModel):
    """A data set: how many items it has, and how many of them anybody has labelled."""

    id: str
    project: str
    name: str
    description: str
    origin: str
    created: datetime
    last_modified: datetime
    items: int
    labelled: int


class ProjectView(BaseModel):
    """A project, what the caller is in it, and its data sets in the order in which they were made."""

    id: str
    name: str
    description: str
    classes: list[str]
    classifier: str | None
    overlap: int
    role: ProjectRole
    members: dict[str, ProjectRole]
    created: datetime
    last_modified: datetime
    datasets: list[DatasetView]


def project_views(record: Record, projects: Sequence[Project], user: User) -> list[ProjectView]:
    """Projects that a user is a member of."""
    datasets = dataset_views(record, record.label_datasets.of_projects([project.id for project in projects]))
    return [
        ProjectView(
            id=project.id,
            name=project.name,
            description=project.description,
            classes=list(project.classes),
            classifier=project.classifier,
            overlap=project.overlap,
            role=project.role_of(user) or "user",
            members=dict(project.members),
            created=project.created,
            last_modified=project.last_modified,
            datasets=[dataset for dataset in datasets if dataset.project == project.id],
        )
        for project in projects
    ]


def dataset_views(record: Record, datasets: Sequence[LabelDataset]) -> list[DatasetView]:
    """Data sets with their counts."""
    ids = [dataset.id for dataset in datasets]
    items, labelled = record.label_datasets.count(ids), record.label_events.count_labelled(ids)
    return [
        DatasetView(
            id=dataset.id,
            project=dataset.project,
            name=dataset.name,
            description=dataset.description,
            origin=dataset.origin,
            created=dataset.created,
            last_modified=dataset.last_modified,
            items=items.get(dataset.id, 0),
            labelled=labelled.get(dataset.id, 0),
        )
        for dataset in datasets
    ]
