"""The old labelling site's export: `{project}.json`, `{dataset}.{tag}.json`, and images, zipped or not."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from core.dataset import Reason
from core.errors import InvalidRequest
from cutouts.datasets.classes import Classes
from cutouts.datasets.votes import Image, Told, Vote

_TIME = re.compile(r"^\d{8}_\d{6}$")
_NAMED = 5


@dataclass(frozen=True)
class LabelFile:
    """The labels of one file: for each image the classes that were given, each somebody's vote.

    Parameters
    ----------
    dataset : the site's id of it, the first word of the file's name.
    tag : the rest of the name: when it was written, or whose labels they are.
    """

    name: str
    dataset: str
    tag: str
    labels: Mapping[str, Sequence[str]]

    @property
    def written(self) -> datetime | None:
        """When it was written, if that is what the tag says (UTC); None where it names a person."""
        if not _TIME.match(self.tag):
            return None
        try:
            return datetime.strptime(self.tag, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Export:
    """What the JSON documents of an export say.

    `datasets` are those of the projects, None where no project came; `not_used` are JSON files of another
    kind.
    """

    datasets: frozenset[str] | None
    files: tuple[LabelFile, ...]
    not_used: tuple[str, ...]


def read_export(documents: Mapping[str, bytes]) -> Export:
    """Take documents, by their file names, for projects and labels.

    Raises InvalidRequest for what is no JSON, for labels that are no lists of class names, and for labels of
    a data set that no project names.
    """
    datasets: set[str] | None = None
    files: list[LabelFile] = []
    not_used: list[str] = []
    for name, data in documents.items():
        value = _parsed(name, data)
        if _is_project(value):
            datasets = (datasets or set()) | set(value["datasets"])
        elif isinstance(value, dict) and value and any(isinstance(v, list) for v in value.values()):
            files.append(_label_file(name, value))
        else:
            not_used.append(name)
    strangers = [file.name for file in files if datasets is not None and file.dataset not in datasets]
    if strangers:
        raise InvalidRequest(
            f"labels of data sets that no project names: {_some(strangers)}; "
            f"expected one of {_some(sorted(datasets or ()))}, then a dot, in the file's name"
        )
    return Export(None if datasets is None else frozenset(datasets), tuple(files), tuple(not_used))


def export_votes(export: Export, images: Sequence[Image], classes: Classes) -> Told:
    """The votes on the images that came; labels without an image are left out by name.

    A file's tag names the person whose labels it holds. A tag that is a time names nobody: of several such
    files of one data set the latest counts for each image. Several classes on one image are several unnamed
    people's votes, as the export of all users joins them. An image is found by its file's name, first in the
    folder or zip of the data set. Raises InvalidRequest for classes that are unknown.
    """
    _refuse_unknown(export.files, classes)
    by_file: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        by_file[image.file].append(image)
    counting, superseded = counting_labels(export.files)
    votes: list[Vote] = []
    no_image: list[str] = []
    ambiguous: list[str] = []
    for file, labelled in counting:
        matches = _matches(by_file.get(labelled, ()), file.dataset)
        if not matches:
            no_image.append(f"{file.name}: {labelled}")
        elif len({image.sha256 for image in matches}) > 1:
            ambiguous.append(f"{file.name}: {labelled} is {len(matches)} different images")
        else:
            votes += _votes(file, labelled, matches[0], classes)
    told: dict[Reason, list[str]] = {
        "no_image": no_image,
        "conflict": ambiguous,
        "superseded": superseded,
        "not_used": list(export.not_used),
    }
    return Told(votes, {reason: names for reason, names in told.items() if names})


def _parsed(name: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{name} can't be read: {error}; expected JSON") from error


def _is_project(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("classes"), list)
        and isinstance(value.get("datasets"), dict)
    )


def _label_file(name: str, value: Mapping[str, Any]) -> LabelFile:
    for image, given in value.items():
        if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
            raise InvalidRequest(f"{name}: {image!r} has {str(given)[:80]!r}; expected a list of class names")
    dataset, _, tag = PurePosixPath(name).name.removesuffix(".json").partition(".")
    return LabelFile(name, dataset, tag, value)


def counting_labels(files: Sequence[LabelFile]) -> tuple[list[tuple[LabelFile, str]], list[str]]:
    """(file, image) of each label that counts, and the names of those that a later export replaces."""
    counting: list[tuple[LabelFile, str]] = []
    latest: dict[tuple[str, str], LabelFile] = {}
    superseded: list[str] = []
    for file in sorted(files, key=lambda file: (file.tag, file.name)):
        for image, given in file.labels.items():
            if not given:
                continue
            if not _TIME.match(file.tag):
                counting.append((file, image))
                continue
            before = latest.get((file.dataset, image))
            if before is not None:
                superseded.append(f"{before.name}: {image}")
            latest[file.dataset, image] = file
    return counting + [(file, image) for (_, image), file in latest.items()], superseded


def _matches(images: Sequence[Image], dataset: str) -> Sequence[Image]:
    """The images that a label of a data set is meant for: those in its folder or zip, or else all."""
    own = [image for image in images if any(f.partition(".")[0] == dataset for f in image.folders)]
    return own or images


def _votes(file: LabelFile, labelled: str, image: Image, classes: Classes) -> Iterator[Vote]:
    given = file.labels[labelled]
    named = len(given) == 1 and not _TIME.match(file.tag)
    for n, word in enumerate(given):
        label = classes.label_of(word)
        if label is not None:
            yield Vote(image.name, file.tag if named else f"{file.dataset}.{file.tag}#{n}", label)


def _refuse_unknown(files: Sequence[LabelFile], classes: Classes) -> None:
    unknown = {
        f"{word!r} in {file.name}"
        for file in files
        for given in file.labels.values()
        for word in given
        if classes.label_of(word) is None
    }
    if unknown:
        raise InvalidRequest(
            f"labels of unknown classes: {_some(sorted(unknown))}; expected {classes.expected}"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
