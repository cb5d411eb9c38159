"""Making, changing and removing labelling projects and data sets, whoever asks by whichever call."""

from collections.abc import Iterable
from datetime import UTC, datetime

from api.labelling_access import InDataset, InProject
from core.dataset import CLASSIFIER
from core.errors import Conflict, InvalidRequest
from core.project import (
    LabelDataset,
    Project,
    ProjectRole,
    checked_classes,
    checked_description,
    checked_name,
    new_id,
)
from core.user import User
from storage.record import Record


def add_project(
    record: Record,
    owner: User,
    *,
    name: str,
    description: str,
    classes: Iterable[str],
    classifier: str | None = None,
) -> Project:
    """A new project with its owner as its admin; raises InvalidRequest."""
    now = datetime.now(UTC)
    project = Project(
        id=new_id(),
        name=checked_name(name),
        description=checked_description(description),
        classes=checked_classes(classes),
        classifier=checked_classifier(classifier),
        members={owner.name: "admin"},
        created=now,
        last_modified=now,
    )
    record.projects.add(project)
    record.audit.note("project added", who=owner.name, project=project.id)
    return project


def change_project(
    record: Record,
    found: InProject,
    *,
    name: str | None = None,
    description: str | None = None,
    classes: Iterable[str] | None = None,
    classifier: str | None = None,
    overlap: int | None = None,
) -> Project:
    """Change what is given; an empty classifier means none.

    Raises InvalidRequest, and Conflict for a class that is to go and that labels give.
    """
    fields: dict[str, object] = {}
    if name is not None:
        fields["name"] = checked_name(name)
    if description is not None:
        fields["description"] = checked_description(description)
    if classes is not None:
        wanted = checked_classes(classes)
        _refuse_used(record, found.project, set(found.project.classes) - set(wanted))
        fields["classes"] = list(wanted)
    if classifier is not None:
        fields["classifier"] = checked_classifier(classifier)
    if overlap is not None:
        fields["overlap"] = overlap
    if not fields:
        return found.project
    changed = record.projects.change(found.project.id, **fields)
    record.audit.note(
        "project changed", who=found.caller.name, project=found.project.id, fields=sorted(fields)
    )
    return changed


def remove_project(record: Record, found: InProject) -> None:
    """Remove a project; what it held stays on record."""
    record.projects.remove(found.project.id)
    record.audit.note("project removed", who=found.caller.name, project=found.project.id)


def set_member(record: Record, found: InProject, user: str, role: ProjectRole) -> Project:
    """Make an account a member, or give a member another role; raises NotFound, Conflict."""
    if user not in found.project.members:
        record.accounts.get(user)
    changed = record.projects.set_member(found.project.id, user, role)
    record.audit.note("project role", who=found.caller.name, project=found.project.id, user=user, role=role)
    return changed


def remove_member(record: Record, found: InProject, user: str) -> Project:
    """Take a member away, whose labels stay; raises NotFound, Conflict."""
    changed = record.projects.remove_member(found.project.id, user)
    record.audit.note(
        "project member removed", who=found.caller.name, project=found.project.id, user=user[:80]
    )
    return changed


def add_dataset(record: Record, found: InProject, *, name: str, description: str = "") -> LabelDataset:
    """A new data set without items; raises InvalidRequest."""
    now = datetime.now(UTC)
    dataset = LabelDataset(
        id=new_id(),
        project=found.project.id,
        name=checked_name(name),
        description=checked_description(description),
        origin="",
        created=now,
        last_modified=now,
    )
    record.label_datasets.add(dataset)
    record.projects.touch(found.project.id)
    return dataset


def change_dataset(
    record: Record, found: InDataset, *, name: str | None = None, description: str | None = None
) -> LabelDataset:
    """Change what is given; raises InvalidRequest."""
    fields: dict[str, object] = {}
    if name is not None:
        fields["name"] = checked_name(name)
    if description is not None:
        fields["description"] = checked_description(description)
    return record.label_datasets.change(found.dataset, **fields) if fields else found.dataset


def remove_dataset(record: Record, found: InDataset) -> None:
    """Remove a data set; its items and labels stay on record."""
    record.label_datasets.remove(found.dataset)
    record.projects.touch(found.project.id)
    record.audit.note(
        "label data set removed", who=found.caller.name, project=found.project.id, dataset=found.dataset.id
    )


def refuse_other_name(typed: str, name: str) -> None:
    """Raise InvalidRequest where what is to be removed was not called by its name."""
    if typed.strip() != name:
        raise InvalidRequest(
            f"{typed[:80]!r} was typed; expected {name!r}, the name of what is to be removed"
        )


def checked_classifier(text: str | None) -> str | None:
    """A classifier's name, None for none; raises InvalidRequest."""
    if not text:
        return None
    if not CLASSIFIER.fullmatch(text):
        raise InvalidRequest(f"classifier {text[:80]!r}; expected a word such as rb or sl")
    return text


def _refuse_used(record: Record, project: Project, classes: Iterable[str]) -> None:
    datasets = [dataset.id for dataset in record.label_datasets.of_projects([project.id])]
    for name in sorted(classes):
        used = record.label_events.count_class(datasets, name)
        if used:
            raise Conflict(f"{used} labels say {name!r}; expected them changed before the class is removed")
