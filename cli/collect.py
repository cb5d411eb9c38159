"""From what a user typed to what is submitted: files, folders, globs, zips and URLs."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.multipart import File
from core.errors import InvalidRequest, NotFound
from cutouts.archives import IMAGE_SUFFIXES

_URL = re.compile(r"^[a-z][a-z0-9+.-]*://")
_GLOB = re.compile(r"[*?\[]")
_EXPECTED = "expected .jpg, .jpeg, .png, .fits, .fits.gz or .fits.fz files"


@dataclass(frozen=True)
class Collected:
    """Files or references, and what in folders was left out: files that are no images, links to folders."""

    files: tuple[File, ...] = ()
    references: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def collect(paths: Sequence[str], *, folder: Path) -> Collected:
    """What `paths`, meant from `folder`, stand for. A file that is named is taken whatever it is.

    Folders are searched to their depth, but links in them to other folders are not followed.

    Raises NotFound for a path that does not exist or a pattern that matches nothing, InvalidRequest for a
    folder without images or one that can't be read, and for files and URLs in one call.
    """
    references = [path for path in paths if _URL.match(path)]
    files: dict[str, File] = {}
    left_out: list[str] = []
    for path in paths:
        if _URL.match(path):
            continue
        for name in _expanded(path, folder):
            found, others = _at(name, folder)
            files |= {file.name: file for file in found}
            left_out += others
    if files and references:
        raise InvalidRequest("files and URLs in one call; expected either, as they are submitted differently")
    return Collected(tuple(files.values()), tuple(dict.fromkeys(references)), tuple(left_out))


def _expanded(path: str, folder: Path) -> list[str]:
    """The path itself if there is one, or what it matches as a pattern."""
    if os.path.lexists(folder / Path(path).expanduser()):
        return [path]
    if not _GLOB.search(path):
        raise NotFound(f"{path}: no such file or folder; {_EXPECTED}, folders or zips of them, or URLs")
    if Path(path).is_absolute():
        found = glob.glob(path, recursive=True)  # noqa: PTH207  pathlib's has no absolute patterns
    else:
        found = glob.glob(path, root_dir=folder, recursive=True)  # noqa: PTH207
    if not found:
        raise NotFound(f"{path}: no file matches; {_EXPECTED}")
    return sorted(found)


def _at(name: str, folder: Path) -> tuple[list[File], list[str]]:
    place = folder / Path(name).expanduser()
    if not place.is_dir():
        if not place.is_file():
            raise NotFound(f"{name}: not a file (a broken link, a pipe or a device); {_EXPECTED}")
        return [File(name, place)], []
    within = [(str(Path(name) / path.relative_to(place)), path) for path in _walk(place)]
    images = [File(shown, path) for shown, path in within if _is_image(path)]
    if not images:
        raise InvalidRequest(
            f"{name}: a folder without images ({len(within)} other files); {_EXPECTED} in it"
        )
    others = [(shown, path) for shown, path in within if not _is_image(path)]
    return images, [f"{shown} (a link to a folder)" if path.is_dir() else shown for shown, path in others]


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order, and every link there to another folder."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders.sort()
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        yield from (Path(place) / name for name in sorted([*files, *links]))


def _refuse(error: OSError) -> None:
    raise InvalidRequest(
        f"{error.filename} can't be read: {error.strerror}; nothing was submitted"
    ) from error


def _is_image(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.name.lower().endswith(IMAGE_SUFFIXES) and not hidden and not path.is_dir()
