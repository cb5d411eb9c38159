"""A project's labels as what people agree on: as a file, and as a frozen data set."""

import csv
import io
import json
from collections.abc import Sequence

from api.dataset_freezing import Wanted, freeze_dataset
from api.dataset_intake import DataSetIntake
from api.labelling_access import InProject
from api.services import Services
from core.dataset import DataSetCard
from core.errors import InvalidRequest
from core.project import Project
from cutouts.datasets.votes import Vote
from storage.label_agreement import Standing, standings


def project_standings(services: Services, project: Project) -> list[Standing]:
    """Of all data sets of a project, in the order in which they were made."""
    datasets = services.record.label_datasets.of_projects([project.id])
    return [standing for dataset in datasets for standing in standings(services.record, dataset)]


def consensus_json(found: Sequence[Standing], *, min_votes: int) -> bytes:
    """`{"file.jpg": ["streak"]}`, as the old site wrote labels; what is undecided is not in it."""
    decided = {standing.item.name: standing.decided(min_votes=min_votes) for standing in found}
    labels = {name: classes.split() for name, classes in decided.items() if classes is not None}
    return json.dumps(labels, indent=1, ensure_ascii=False).encode()


def consensus_csv(found: Sequence[Standing], *, min_votes: int) -> bytes:
    """A line for each item that anybody has labelled, the class empty where it is undecided."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(("file", "cutout", "class", "by", "people", "said"))
    for standing in found:
        decided = standing.decided(min_votes=min_votes)
        by = "" if decided is None else "votes" if standing.settled is None else standing.settled.person
        said = "; ".join(f"{person}: {name}" for person, name in sorted(standing.said.items()))
        item = standing.item
        lines.writerow((_plain(item.name), item.cutout, _plain(decided or ""), by, len(standing.said), said))
    return file.getvalue().encode()


def freeze_project(services: Services, found: InProject, wanted: Wanted) -> tuple[DataSetCard, bool]:
    """Freeze a data set of a project's labels; returns its card, and whether these contents were on record.

    Raises InvalidRequest where no class of the project is one of the classifier's, and what `freeze_dataset`
    raises.
    """
    classes = wanted.known_classes()
    values = {name: classes.label_of(name) for name in found.project.classes}
    if not {0, 1} <= set(values.values()):
        raise InvalidRequest(
            f"the project's classes are {', '.join(found.project.classes)}; expected {classes.expected}"
        )
    votes: dict[str, list[Vote]] = {}
    settled: dict[str, int] = {}
    not_used: list[str] = []
    for standing in project_standings(services, found.project):
        cutout = standing.item.cutout
        own = votes.setdefault(cutout, [])
        for person, name in standing.said.items():
            value = values.get(name)
            if value is None:
                not_used.append(f"{standing.item.name}: {person} says {name}")
            else:
                own.append(Vote(cutout, person, value))
        decided = None if standing.settled is None else values.get(standing.decided() or "")
        if decided is not None:
            settled[cutout] = decided
            own.append(Vote(cutout, "settled", decided))  # where every label was of another class
    images, told = DataSetIntake(services).votes(votes, settled=settled, not_used=not_used)
    return freeze_dataset(services.record, wanted, "project", images, told, owner=found.caller.name)


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
