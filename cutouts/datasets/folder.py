"""Folders that are called as the classes: `real/a.jpg`, `bogus/b.jpg`."""

from collections import Counter
from collections.abc import Iterable, Sequence

from core.errors import InvalidRequest
from cutouts.datasets.classes import Classes
from cutouts.datasets.votes import Image, Told, Vote

PERSON = "folder"
_NAMED = 5


def folder_votes(images: Sequence[Image], classes: Classes) -> Told:
    """One vote for each image, by the innermost folder that is called as a class.

    Images beside the folders of the classes have no label. Raises InvalidRequest for images in a folder that
    is called otherwise.
    """
    labelled = {image.name: _label(image, classes) for image in images}
    above = {
        image.folders[:depth]
        for image in images
        if labelled[image.name] is not None
        for depth in range(len(image.folders))
    } | {()}
    _refuse_unknown((i for i in images if labelled[i.name] is None and i.folders not in above), classes)
    votes = [Vote(name, PERSON, label) for name, label in labelled.items() if label is not None]
    return Told(votes)


def _label(image: Image, classes: Classes) -> int | None:
    found = (classes.label_of(folder) for folder in reversed(image.folders))
    return next((label for label in found if label is not None), None)


def _refuse_unknown(images: Iterable[Image], classes: Classes) -> None:
    unknown = Counter("/".join(image.folders) for image in images)
    if unknown:
        named = ", ".join(f"{folder!r} with {n} images" for folder, n in unknown.most_common(_NAMED))
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise InvalidRequest(f"folders that are no class: {named}{more}; expected {classes.expected}")
