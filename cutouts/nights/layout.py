"""The names that files of a night have: `stamps/stamps_YYYYMMDD/…`, `meta/YYYYMMDD/ztf_…_streaks.txt`."""

import re
from datetime import date
from enum import StrEnum
from pathlib import PurePosixPath

from cutouts.names import night_of, safe_name, streak_id

_STREAK = r"strkid[0-9]{10,40}_pid[0-9]{8,40}"
_CUTOUT = re.compile(_STREAK + r"(_scimref)?\.(jpe?g|png|fits(\.gz|\.fz)?)", re.IGNORECASE)
_ADES = re.compile(_STREAK + r"_ades\.xml", re.IGNORECASE)
_TABLE = re.compile(r"ztf_.*_streaks\.txt", re.IGNORECASE)
_ARCHIVE = re.compile(r".*\.(zip|tar|tgz|tar\.gz)", re.IGNORECASE)
_FOLDER_OF_NIGHT = re.compile(r"(?:stamps_)?([0-9]{8})")
_TABLE_OF_NIGHT = re.compile(r"ztf_([0-9]{8})")
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")


class FileKind(StrEnum):
    """What a file of a night is, by its name."""

    CUTOUT = "cutout"
    TABLE = "table"
    ADES = "ades"
    ARCHIVE = "archive"
    LITTER = "litter"
    OTHER = "other"


def kind_of(name: str) -> FileKind:
    """What a file is; only cutouts, tables and ADES documents are of the layout."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.name in _LITTER or path.name.startswith("._") or "__MACOSX" in path.parts:
        return FileKind.LITTER
    patterns = {
        FileKind.CUTOUT: _CUTOUT,
        FileKind.ADES: _ADES,
        FileKind.TABLE: _TABLE,
        FileKind.ARCHIVE: _ARCHIVE,
    }
    return next((kind for kind, pattern in patterns.items() if pattern.fullmatch(path.name)), FileKind.OTHER)


def night_in(name: str) -> str | None:
    """The night `YYYYMMDD` that a file's name tells: by its streak id, its folder, or the table's name."""
    path = PurePosixPath(name.replace("\\", "/"))
    streak = streak_id(path.name)
    if streak is not None:
        return night_of(streak)
    named = [_FOLDER_OF_NIGHT.fullmatch(part) for part in reversed(path.parts[:-1])]
    found = next((match for match in named if match), None) or _TABLE_OF_NIGHT.match(path.name)
    return found[1] if found and is_night(found[1]) else None


def is_night(text: str) -> bool:
    """Whether a text is a date as `YYYYMMDD`."""
    try:
        return text.isascii() and len(text) == 8 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def plain_name(name: str) -> str:
    """A name from `stamps/` or `meta/` on, or without its folders: the same however the file was brought."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    places = [i for i, part in enumerate(parts[:-1]) if part in ("stamps", "meta")]
    return safe_name("/".join(parts[places[-1] :] if places else parts[-1:]))
