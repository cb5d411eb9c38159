"""From what a user typed to the files of nights: folders, files, zips and tarballs, each with its night."""

import os
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.multipart import File
from core.errors import InvalidRequest, NotFound
from cutouts.nights import FileKind, kind_of, night_in

MOST_FILES = 4000
MOST_BYTES = 256 * 2**20
_EXPECTED = "expected a night's folder, its stamps, tables or ADES documents, a zip or a tarball"
_TAKEN = (FileKind.CUTOUT, FileKind.TABLE, FileKind.ADES)


@dataclass(frozen=True)
class NightFiles:
    """Files by night, and the names of what stays here because it is not of the layout."""

    by_night: dict[str, list[File]]
    left_out: list[str]


def night_files(paths: Sequence[Path], *, night: str | None = None) -> NightFiles:
    """The files to be sent, those of each night together; `night` says whose those are that don't tell.

    Raises NotFound for a path that does not exist, InvalidRequest where nothing is of a night's layout, or a
    file does not tell its night.
    """
    found = NightFiles({}, [])
    for path in paths:
        if path.is_dir():
            for name, inside in _walk(path):
                _take(found, File(name, inside), night)
        elif path.is_file():
            _take(found, File(path.name, path), night)
        else:
            raise NotFound(f"{path}: no such file or folder; {_EXPECTED}")
    if not found.by_night:
        named = f"{len(found.left_out)} other files" if found.left_out else "nothing"
        raise InvalidRequest(f"{', '.join(map(str, paths))}: {named} there; {_EXPECTED}")
    return found


def in_parcels(files: Sequence[File]) -> Iterator[list[File]]:
    """Files in groups that one request carries: tables first, so that cutouts find their metadata."""
    ordered = sorted(files, key=lambda file: (kind_of(file.name) is not FileKind.TABLE, file.name))
    parcel: list[File] = []
    size = 0
    for file in ordered:
        own = file.path.stat().st_size
        if parcel and (len(parcel) == MOST_FILES or size + own > MOST_BYTES):
            yield parcel
            parcel, size = [], 0
        parcel.append(file)
        size += own
    yield parcel


def night_of_file(file: File, night: str | None) -> str:
    """The night of a file of the layout, or of an archive; `night` says whose it is where that is given.

    Raises InvalidRequest for a file that does not tell its night.
    """
    if night is not None:
        return night
    if kind_of(file.name) is FileKind.ARCHIVE:
        return _night_of_archive(file.path)
    own = night_in(f"{file.path.resolve().parent.name}/{file.name}")
    if own is None:
        raise InvalidRequest(f"{file.path} does not tell its night; say it with --night 20180927")
    return own


def _take(found: NightFiles, file: File, night: str | None) -> None:
    kind = kind_of(file.name)
    if kind is FileKind.LITTER:
        return
    if kind is not FileKind.ARCHIVE and kind not in _TAKEN:
        found.left_out.append(file.name)
        return
    found.by_night.setdefault(night_of_file(file, night), []).append(file)


def _night_of_archive(archive: Path) -> str:
    """The night that an archive's members tell."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                names = opened.namelist()
        else:
            with tarfile.open(archive) as tarball:
                names = tarball.getnames()
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InvalidRequest(f"{archive} can't be read: {error}; {_EXPECTED}") from error
    nights = sorted({str(n) for name in names if kind_of(name) in _TAKEN and (n := night_in(name))})
    if len(nights) != 1:
        told = f"is of the nights {', '.join(nights)}" if nights else "does not tell its night"
        raise InvalidRequest(f"{archive} {told}; expected one, or the one that is meant by --night 20180927")
    return nights[0]


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder that is not hidden, by its path in it; links to folders are not followed."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(place) / name
            if path.is_file():
                yield str(path.relative_to(folder)), path


def _refuse(error: OSError) -> None:
    raise InvalidRequest(f"{error.filename} can't be read: {error.strerror}; nothing was sent") from error
