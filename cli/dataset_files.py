"""Labelled images as files: from a folder or a zip into the service, and out of it."""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.client import Client
from cli.multipart import File
from core.errors import InvalidRequest, NotFound
from cutouts.archives import IMAGE_SUFFIXES

_TAKEN = (*IMAGE_SUFFIXES, ".zip", ".json")


@dataclass(frozen=True)
class DataSetFiles:
    """Images, zips and JSON documents by their path in the folder; and the names of what stays here."""

    files: tuple[File, ...]
    left_out: tuple[str, ...]


def dataset_files(path: Path) -> DataSetFiles:
    """What is to be sent of a folder, or a zip as it is.

    Hidden files are nobody's; links to folders stay here. Raises NotFound when there is no such path,
    InvalidRequest for a folder without images, zips and labels, or one that can't be read.
    """
    if path.is_file():
        if path.suffix.lower() != ".zip":
            raise InvalidRequest(f"{path} is a {path.suffix or 'plain'} file; expected a folder or a zip")
        return DataSetFiles((File(path.name, path),), ())
    if not path.is_dir():
        raise NotFound(f"{path}: no such folder or zip")
    found = [(str(inside.relative_to(path)), inside) for inside in _walk(path)]
    files = tuple(File(name, inside) for name, inside in found if _is_taken(inside))
    if not files:
        raise InvalidRequest(
            f"{path}: {len(found)} files, no images among them; expected {', '.join(_TAKEN)}"
        )
    return DataSetFiles(files, tuple(name for name, inside in found if not _is_taken(inside)))


def fetch_images(client: Client, name: str, split: str, folder: Path) -> None:
    """Write the images of a split of a data set to a new folder, in folders called as their classes.

    Raises InvalidRequest where the answer broke off or the folder can't be written.
    """
    try:
        with tempfile.TemporaryFile() as file:
            for chunk in client.datasets.images(name, split):
                file.write(chunk)
            with zipfile.ZipFile(file) as archive:
                archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise InvalidRequest(f"the images of {name} did not come whole: {error}; expected a zip") from error
    except OSError as error:
        raise InvalidRequest(f"{folder} can't be written: {error.strerror}") from error


def _is_taken(path: Path) -> bool:
    return path.name.lower().endswith(_TAKEN) and path.is_file()


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder that is not hidden, in order, and every link there."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        yield from (Path(place) / name for name in sorted([*files, *links]) if not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise InvalidRequest(f"{error.filename} can't be read: {error.strerror}; nothing was sent") from error
