"""Projects and labels in the formats of Zwickyverse, the predecessors' labelling site."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from api.project_view import ProjectView
from core.label_event import Label
from core.project import LabelDataset
from storage.record import Record

ProjectDocument = dict[str, Any]
LabelDocument = dict[str, list[str]]
"""By file name the classes that were given to it."""


def project_document(project: ProjectView) -> ProjectDocument:
    """The contents of `{pid}.json`."""
    return {
        "_id": project.id,
        "name": project.name,
        "description": project.description,
        "classes": project.classes,
        "datasets": {
            dataset.id: {
                "name": dataset.name,
                "description": dataset.description,
                "num_files": dataset.items,
                "num_classified": dataset.labelled,
            }
            for dataset in project.datasets
        },
        "last_modified": project.last_modified.isoformat(),
        "role": project.role,
    }


def own_labels(record: Record, dataset: LabelDataset, person: str) -> LabelDocument:
    """What one person says, by the file's name: the contents of `{did}.{person}.json`."""
    return dict(sorted((name, list(label.classes)) for name, label in _named(record, dataset, person)))


def everybodys_labels(record: Record, dataset: LabelDataset) -> LabelDocument:
    """What all say: for each file a class for each person who gave it; what `{did}.{time}.json` holds."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, label in _named(record, dataset, None):
        found[name] += label.classes
    return dict(sorted((name, sorted(classes)) for name, classes in found.items()))


def class_counts(record: Record, dataset: LabelDataset) -> dict[str, dict[str, int]]:
    """How many people gave which class, by the file's name; also of files that nobody labelled."""
    found = {item.name: Counter[str]() for item in record.label_datasets.items(dataset)}
    for name, label in _named(record, dataset, None):
        found[name].update(label.classes)
    return {name: dict(sorted(counts.items())) for name, counts in found.items()}


def labels_by_person(record: Record, dataset: LabelDataset) -> dict[str, LabelDocument]:
    """What each person says."""
    found: dict[str, LabelDocument] = defaultdict(dict)
    for name, label in _named(record, dataset, None):
        found[label.person][name] = list(label.classes)
    return {person: dict(sorted(labels.items())) for person, labels in sorted(found.items())}


def pictures(record: Record, dataset: LabelDataset, *, folder: str = "") -> Iterator[tuple[str, bytes]]:
    """The files of a data set, by name, each with its bytes."""
    for item in record.label_datasets.items(dataset):
        if item.sha256 is not None:
            yield folder + item.name, record.blobs.get(item.sha256)


def time_tag(now: datetime | None = None) -> str:
    """`YYYYmmdd_HHMMSS`, UTC."""
    return f"{now or datetime.now(UTC):%Y%m%d_%H%M%S}"


def _named(record: Record, dataset: LabelDataset, person: str | None) -> Iterator[tuple[str, Label]]:
    labels: Sequence[Label] = list(record.label_events.labels(dataset.id, person=person))
    items = record.label_datasets.find_items(dataset, list({label.item for label in labels}))
    for label in labels:
        yield items[label.item].name, label
