"""Putting pictures into a labelling data set: from what was uploaded, or from cutouts on record."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from core.errors import TooLarge
from core.project import LabelDataset, LabelItem
from cutouts.archives import IMAGE_SUFFIXES
from cutouts.datasets.votes import Image
from cutouts.file_kinds import kind_of
from cutouts.names import MAX_NAME, safe_name, streak_id
from storage.cutouts import CutoutRecord
from storage.label_datasets import item_id
from storage.record import Record

MOST_ITEMS = 100_000
_MAGIC_BYTES = 16
_NO_IMAGE = f"not called as an image is; expected {', '.join(IMAGE_SUFFIXES)}, or a zip of them"
_OTHER_BYTES = "another picture is in the data set under this name; expected another name"


@dataclass(frozen=True, slots=True)
class Picture:
    """A file's name, and its bytes by their sha256 or what is wrong with them.

    `cutout` is the id that it may be known by already: where that has other bytes, the picture is known by
    its content.
    """

    name: str
    sha256: str | None
    fault: str | None = None
    cutout: str | None = None


@dataclass(frozen=True)
class Taken:
    """How many pictures are new, how many were there, and (name, fault) of what could not be taken in."""

    new: int
    known: int
    refused: tuple[tuple[str, str], ...]


def take_in(
    record: Record,
    dataset: LabelDataset,
    pictures: Sequence[Picture],
    *,
    origin: str,
    no_images: Iterable[str] = (),
) -> Taken:
    """Put pictures, whose bytes are stored, into a data set under their files' names.

    `origin` says in words where they are from. What could not be taken in is noted on the data set. Raises
    TooLarge, and nothing was taken in then.
    """
    there = record.label_datasets.count([dataset.id]).get(dataset.id, 0)
    if there + len(pictures) > MOST_ITEMS:
        raise TooLarge(
            f"{len(pictures)} pictures beside {there}; expected at most {MOST_ITEMS} in a data set"
        )
    readable = [picture for picture in pictures if picture.sha256 is not None]
    items = [
        LabelItem(item_id(picture.name), picture.name, cutout, picture.sha256)
        for picture, cutout in zip(readable, _cutouts(record, readable), strict=True)
    ]
    added = record.label_datasets.add_items(dataset, items)
    if added.new:
        record.label_datasets.note_origin(dataset, origin)
    refused = [(picture.name, str(picture.fault)) for picture in pictures if picture.sha256 is None]
    refused += [(name, _OTHER_BYTES) for name in added.conflicts]
    refused += [(flat_name(name), _NO_IMAGE) for name in no_images]
    record.label_datasets.note_faults(dataset, refused)
    return Taken(added.new, added.known, tuple(refused))


def uploaded(image: Image) -> Picture:
    """A file that came, which may be a streak's on record."""
    return Picture(flat_name(image.name), image.sha256, image.fault, image.streak_id)


def recorded(record: Record, image: Image, *, name: str | None = None) -> Picture:
    """A cutout on record, by the name that a job has for it, or called as the survey calls its files."""
    cutout = image.name
    if name is None:
        name = f"{cutout}_scimref" if streak_id(cutout) else cutout.replace(":", "_")
        if image.sha256 is not None:
            name += kind_of(record.blobs.get_range(image.sha256, 0, _MAGIC_BYTES)).suffix or ".fits.gz"
    return Picture(flat_name(name), image.sha256, image.fault, cutout)


def flat_name(path: str) -> str:
    """The name of a file without its folders, fit to be a file's name where it is unpacked.

    Of a longer one than file systems take the end is kept, which has the suffix.
    """
    name = PurePosixPath(unicodedata.normalize("NFC", path).replace("\\", "/")).name
    name = safe_name(name if name not in ("", ".", "..") else "unnamed")
    return name.encode()[-MAX_NAME:].decode("utf-8", "ignore")


def _cutouts(record: Record, pictures: Sequence[Picture]) -> list[str]:
    """The cutout that each picture is: the one that it may be if that is of these bytes, or else its content.

    A labeller's file takes no streak's id: whose bytes that is of is for the survey's nights to say.
    """
    wanted = sorted({picture.cutout for picture in pictures if picture.cutout})
    owners = {cutout: known.sha256 for cutout, known in record.cutouts.known(wanted).items()}
    found = [
        picture.cutout if picture.cutout and owners.get(picture.cutout) == picture.sha256 else picture.sha256
        for picture in pictures
    ]
    contents = {
        picture.sha256 for picture, cutout in zip(pictures, found, strict=True) if cutout == picture.sha256
    }
    record.cutouts.announce([CutoutRecord(sha256, sha256) for sha256 in sorted(map(str, contents))])
    return [str(cutout) for cutout in found]
