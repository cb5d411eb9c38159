"""The manifest of a backup: what is in it, and the checksums by which an altered one is refused."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import Damaged, InvalidRequest

FORMAT = 1
NAME = "manifest.json"
_CHUNK = 2**20


class KeptFile(BaseModel):
    """A file of a backup: its size, the sha256 of its bytes, how many documents or blobs are in it."""

    model_config = ConfigDict(frozen=True)
    bytes: int
    sha256: str
    holds: int


class KeptCollection(BaseModel):
    """A collection: how many documents it had at the moment, and with which options it was made."""

    model_config = ConfigDict(frozen=True)
    count: int
    options: dict[str, Any] = Field({}, description="such as capped, in bson's extended JSON")


class KeptBlobs(BaseModel):
    """The blobs of a backup; `left_out` says why of those that are lost or damaged, the first hundred."""

    model_config = ConfigDict(frozen=True)
    count: int
    bytes: int
    unreadable: int = 0
    left_out: dict[str, str] = {}


class Manifest(BaseModel):
    """All that is in a backup. `blobs` is none where they were left to somebody else."""

    model_config = ConfigDict(frozen=True)
    format: int = FORMAT
    made: str
    release: str
    schema_version: int
    database: str
    collections: dict[str, KeptCollection]
    blobs: KeptBlobs | None
    files: dict[str, KeptFile]

    @property
    def checksum(self) -> str:
        """The sha256 of all of the above, which stands at its end in the file."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def documents(self) -> int:
        """How many documents it holds, of all collections."""
        return sum(kept.count for kept in self.collections.values())

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.model_dump(mode="json") | {"checksum": self.checksum}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises InvalidRequest where there is none or it is of another format, Damaged where it was altered.
    """
    path = folder / NAME
    try:
        values = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidRequest(
            f"{folder} holds no {NAME}: it is no backup, or one that was cut short; expected the folder that "
            "./streaks backup named at its end"
        ) from error
    except ValueError as error:
        raise Damaged(f"{path} is cut short or altered: {error}; nothing was touched") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        got = values.get("format") if isinstance(values, dict) else None
        raise InvalidRequest(f"{path} is of format {got!r}; this release reads {FORMAT}")
    checksum = values.pop("checksum", None)
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        raise Damaged(
            f"{path} was altered: {error.error_count()} fields are wrong; nothing was touched"
        ) from error
    if manifest.checksum != checksum:
        raise Damaged(f"{path} was altered: its checksum is another; nothing was touched")
    return manifest


def verify(folder: Path, manifest: Manifest, *, tell: Callable[[str], None] = lambda _: None) -> None:
    """Read every file of a backup; raises Damaged, naming those that are missing, cut or altered."""
    faults = []
    for name, kept in manifest.files.items():
        tell(f"checking {name} ({kept.bytes / 1e6:,.1f} MB)")
        if fault := _fault(folder / name, kept):
            faults.append(f"{name} {fault}")
    if faults:
        raise Damaged(f"the backup {folder} can't be used: {'; '.join(faults[:5])}; nothing was touched")


def _fault(path: Path, kept: KeptFile) -> str | None:
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != kept.bytes:
        return f"has {size:,} bytes; expected {kept.bytes:,}"
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != kept.sha256:
            return "was altered: its sha256 is another"
    return None


class HashedFile:
    """A new file, readable by its owner only, that is hashed and counted as it is written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = new_private(path)
        self._sha256 = hashlib.sha256()
        self.bytes = self.holds = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a full disk, which was told of where it was met
            self._file.close()

    def write(self, data: bytes | memoryview) -> int:
        """Append."""
        self._sha256.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.bytes

    def close(self) -> KeptFile:
        """Flush it to the disk; returns what the manifest says of it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return KeptFile(bytes=self.bytes, sha256=self._sha256.hexdigest(), holds=self.holds)


def new_private(path: Path) -> BinaryIO:
    """A new file that its owner alone may read: of digests of passwords and of tokens."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=_CHUNK)
