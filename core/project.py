"""Labelling projects: what is to be told apart, of which data sets, and who may do what."""

import re
import secrets
import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from core.errors import InvalidRequest
from core.user import User

ProjectRole = Literal["admin", "user"]
PROJECT_ROLES: tuple[ProjectRole, ...] = get_args(ProjectRole)
"""admin: may edit the project, its data sets and its members; user: may label."""

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
CLASS = re.compile(r"\w[\w.+:-]{0,63}")
MOST_CLASSES = 50
LONGEST_NAME = 200
MOST_OVERLAP = 1000
LONGEST_DESCRIPTION = 4000


@dataclass(frozen=True, kw_only=True)
class Project:
    """A labelling project.

    Parameters
    ----------
    id : 24 hex digits, or whatever the old site called it.
    classes : sorted.
    classifier : what its labels are for, such as rb; None where they are for none.
    members : role by user name.
    overlap : how many people are to label each item; 0 for everybody.
    """

    id: str
    name: str
    description: str
    classes: tuple[str, ...]
    members: Mapping[str, ProjectRole]
    created: datetime
    last_modified: datetime
    classifier: str | None = None
    overlap: int = 0

    def role_of(self, user: User) -> ProjectRole | None:
        """What a user is here; None for a stranger. The service's administrators are every project's."""
        return "admin" if user.role == "admin" else self.members.get(user.name)


@dataclass(frozen=True, kw_only=True)
class LabelDataset:
    """Pictures of one project that are labelled together; `origin` says in words where they are from."""

    id: str
    project: str
    name: str
    description: str
    origin: str
    created: datetime
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class LabelItem:
    """One picture of a data set.

    Parameters
    ----------
    id : of the item, the same for the same name.
    name : of the file; no other item of the data set has it.
    cutout : whose scores are its scores.
    sha256 : of its bytes; None for a cutout that was only given by reference.
    """

    id: str
    name: str
    cutout: str
    sha256: str | None


def new_id() -> str:
    """A new id of a project or a data set: 24 hex digits, as the old site's, sorted by second."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def checked_id(text: str) -> str:
    """An id as an export has it; raises InvalidRequest for what is none."""
    if not ID.fullmatch(text):
        raise InvalidRequest(f"id {text[:80]!r}; expected up to 64 of letters, digits, - and _")
    return text


def checked_classes(names: Iterable[str]) -> tuple[str, ...]:
    """The classes of a project, sorted; raises InvalidRequest for none, too many, or two of one name."""
    found = [unicodedata.normalize("NFC", name) for name in names]
    for name in found:
        if not CLASS.fullmatch(name):
            raise InvalidRequest(
                f"class {name[:80]!r}; expected 1 to 64 letters, digits and _ . + : -, no sign but _ first"
            )
    seen: dict[str, str] = {}
    for name in found:
        plain = unicodedata.normalize("NFKC", name).casefold()
        if plain in seen:
            raise InvalidRequest(
                f"classes {seen[plain]!r} and {name!r} are one name; expected each class once"
            )
        seen[plain] = name
    if not 1 <= len(found) <= MOST_CLASSES:
        raise InvalidRequest(f"{len(found)} classes; expected 1 to {MOST_CLASSES}")
    return tuple(sorted(found))


def checked_name(text: str) -> str:
    """A name of a project or a data set, without spaces around it; raises InvalidRequest."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"name {name[:80]!r} of {len(name)} characters; expected 1 to {LONGEST_NAME}, "
            "without control and direction characters"
        )
    return name


def checked_description(text: str) -> str:
    """A description, which may have several lines; raises InvalidRequest."""
    description = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if len(description) > LONGEST_DESCRIPTION or not description.replace("\n", "").isprintable():
        raise InvalidRequest(
            f"a description of {len(description)} characters; expected at most {LONGEST_DESCRIPTION}, "
            "without control and direction characters"
        )
    return description
