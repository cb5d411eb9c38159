"""Taking in projects as Zwickyverse, or this service, exports them: with their ids, and what people said.

The people of another site are not those of this one: their labels come under names that no account has. What
comes again changes nothing, since an event's id is made of what it says.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from api.dataset_intake import Upload
from api.label_upload import flat_name, take_in, uploaded
from api.labelling_access import InProject
from api.project_editing import checked_classifier
from core.errors import InvalidRequest, NotAllowed, NotFound
from core.label_event import MOST_AT_ONCE, Said, Seen
from core.project import (
    MOST_OVERLAP,
    LabelDataset,
    Project,
    checked_classes,
    checked_description,
    checked_id,
    checked_name,
)
from core.user import User
from cutouts.datasets.votes import Image
from cutouts.datasets.zwickyverse import LabelFile, counting_labels, read_export
from cutouts.names import safe_name
from storage.label_datasets import item_id
from storage.record import Record

FOREIGN = "zwickyverse:"
"""Before the names of people of another site; no account's name has a colon."""
_LONGEST_PERSON = 64
_NO_DATASET = "in no folder or zip that is called as a data set; expected DATASET/… or DATASET.….zip"


@dataclass
class Imported:
    """What came of an import: the project, pictures and labels that are new or were there, and (name, fault)
    of what could not be taken in.
    """

    project: str
    new: int = 0
    known: int = 0
    labels: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Wanted:
    """A project's document, checked."""

    project: Project
    datasets: tuple[LabelDataset, ...]


def import_project(record: Record, caller: User, upload: Upload) -> Imported:
    """Take in one project with its data sets, pictures and labels.

    A project of this id that is there is filled up, if the caller may edit it. Raises InvalidRequest and
    Conflict before anything is changed, but for pictures whose bytes are stored.
    """
    wanted = _wanted(upload.documents)
    export = read_export(upload.documents)
    project = _project(record, caller, wanted, export.files)
    datasets = {dataset.id: _dataset(record, dataset) for dataset in wanted.datasets}
    imported = Imported(project.id)
    imported.refused += [(name, "not a picture, a project or labels") for name in upload.not_used]
    imported.refused += [(name, "JSON of another kind") for name in export.not_used]
    for did, images in _by_dataset(upload.images, datasets, imported).items():
        taken = take_in(record, datasets[did], [uploaded(image) for image in images], origin="an import")
        imported.new, imported.known = imported.new + taken.new, imported.known + taken.known
        imported.refused += taken.refused
    for did, said in _said(export.files).items():
        _label(record, datasets[did], said, imported)
    record.audit.note("project imported", who=caller.name, project=project.id)
    return imported


def _wanted(documents: Mapping[str, bytes]) -> _Wanted:
    found: list[Mapping[str, Any]] = []
    for data in documents.values():
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            continue  # read_export says which
        if isinstance(value, dict) and isinstance(value.get("datasets"), dict) and "classes" in value:
            found.append(value)
    if len(found) != 1:
        raise InvalidRequest(f"{len(found)} projects came; expected one, as PROJECT.json of an export")
    (value,) = found
    if not isinstance(value["classes"], list):
        raise InvalidRequest("the project's classes are no list; expected a list of names")
    now = datetime.now(UTC)
    pid = checked_id(str(value.get("_id", "")))
    classifier = value.get("classifier")
    project = Project(
        id=pid,
        name=checked_name(str(value.get("name") or pid)),
        description=checked_description(str(value.get("description") or "")),
        classes=checked_classes(map(str, value["classes"])),
        classifier=checked_classifier(str(classifier) if classifier else None),
        overlap=_overlap(value.get("overlap", 0)),
        members={},
        created=now,
        last_modified=now,
    )
    datasets = tuple(_wanted_dataset(pid, did, told, now) for did, told in value["datasets"].items())
    return _Wanted(project, datasets)


def _overlap(told: object) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told <= MOST_OVERLAP:
        raise InvalidRequest(f"overlap {str(told)[:80]!r}; expected 0 to {MOST_OVERLAP} people")
    return told


def _wanted_dataset(project: str, did: str, told: object, now: datetime) -> LabelDataset:
    about: Mapping[str, Any] = told if isinstance(told, dict) else {}
    return LabelDataset(
        id=checked_id(did),
        project=project,
        name=checked_name(str(about.get("name") or did)),
        description=checked_description(str(about.get("description") or "")),
        origin="",
        created=now,
        last_modified=now,
    )


def _project(record: Record, caller: User, wanted: _Wanted, files: Sequence[LabelFile]) -> Project:
    """The project on record, with all the classes that labels give; raises before anything is changed."""
    given = {name for file in files for own in file.labels.values() for name in own}
    try:
        there = record.projects.get(wanted.project.id)
    except NotFound:
        there = None
    if there is not None:
        role = there.role_of(caller)
        if role is None or not InProject(there, caller, role).may_edit():
            raise NotAllowed(f"there is a project {there.id!r}, which {caller.name} may not change")
    classes = set(wanted.project.classes) | set(there.classes if there else ())
    strange = sorted(given - classes)
    if strange:
        expected = ", ".join(sorted(classes))
        raise InvalidRequest(
            f"labels of class {strange[0][:80]!r}; expected one of the project's: {expected}"
        )
    for dataset in wanted.datasets:
        record.label_datasets.refuse_taken(dataset)
    if there is None:
        fields = {**vars(wanted.project), "members": {caller.name: "admin"}}
        record.projects.add(Project(**fields))
        return record.projects.get(wanted.project.id)
    if classes != set(there.classes):
        return record.projects.change(there.id, classes=list(checked_classes(classes)))
    return there


def _dataset(record: Record, wanted: LabelDataset) -> LabelDataset:
    try:
        return record.label_datasets.get(wanted.project, wanted.id)
    except NotFound:
        record.label_datasets.add(wanted)
        return wanted


def _by_dataset(
    images: Sequence[Image], datasets: Mapping[str, LabelDataset], imported: Imported
) -> dict[str, list[Image]]:
    """Pictures by the data set whose folder or zip they are in; all of them where there is one data set."""
    found: dict[str, list[Image]] = defaultdict(list)
    only = next(iter(datasets)) if len(datasets) == 1 else None
    for image in images:
        named = [f.partition(".")[0] for f in reversed(image.folders) if f.partition(".")[0] in datasets]
        did = named[0] if named else only
        if did is None:
            imported.refused.append((image.name, _NO_DATASET))
        else:
            found[did].append(image)
    return found


def _said(files: Sequence[LabelFile]) -> dict[str, dict[str, dict[str, Said]]]:
    """By data set, by person, by the file's name: the labels that count."""
    found: dict[str, dict[str, dict[str, Said]]] = defaultdict(lambda: defaultdict(dict))
    for file, name in counting_labels(files)[0]:
        for person, classes in _votes(file, file.labels[name]):
            found[file.dataset][person][name] = _event(file, name, person, classes)
    return found


def _votes(file: LabelFile, given: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Who gave which classes: one person where the tag names one, or else a nameless one for each class."""
    if file.written is None:
        yield f"{FOREIGN}{safe_name(file.tag)[:_LONGEST_PERSON]}", given
        return
    for n, name in enumerate(sorted(given)):
        yield f"{FOREIGN}#{n}", [name]


def _event(file: LabelFile, name: str, person: str, classes: Sequence[str]) -> Said:
    at = file.written or datetime.now(UTC)
    told = json.dumps([file.dataset, file.tag, name, person, sorted(classes)])
    return Said(
        id=f"import-{hashlib.sha256(told.encode()).hexdigest()[:40]}",
        item=item_id(flat_name(name)),
        classes=tuple(sorted(set(classes))),
        at=at,
        seen=Seen(mode="import"),
    )


def _label(
    record: Record, dataset: LabelDataset, said: Mapping[str, Mapping[str, Said]], imported: Imported
) -> None:
    """Record the labels of pictures that are there; the others are refused by name."""
    ids = {event.item for own in said.values() for event in own.values()}
    known = record.label_datasets.find_items(dataset, list(ids))
    missing: set[str] = set()
    for person, own in said.items():
        events = [event for event in own.values() if event.item in known]
        missing |= {name for name, event in own.items() if event.item not in known}
        for start in range(0, len(events), MOST_AT_ONCE):
            received = record.label_events.add(dataset.id, person, events[start : start + MOST_AT_ONCE])
            imported.labels += received.new
    imported.refused += [
        (f"{dataset.id}: {name}", "a label whose picture is not there") for name in sorted(missing)
    ]
