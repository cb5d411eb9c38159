"""The blobs that a dump names, so that one which the store has lost is told of."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import bson

from core.legacy import is_legacy
from storage.backup.changes import RAW
from storage.backup.dump import CHANGES

FOLDER = ".named"
_SHA256 = re.compile("[0-9a-f]{64}")
_BYTES = 32
_BUFFER = 2**14
_Fields = Mapping[str, Any]


class NamedBlobs:
    """Names by their first two digits, each of these 256 parts in a file: one part is in memory at a time.

    They are in a folder of the backup's until the block ends.
    """

    def __init__(self, folder: Path, *, tick: Callable[[], None]) -> None:
        self._folder, self._dump, self._tick = folder / FOLDER, folder, tick
        self._waiting: dict[str, bytearray] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700)
        for name, names in _NAMES.items():
            path = self._dump / "collections" / f"{name}.bson"
            if path.exists():
                self._note(sha256 for document in self._documents(path) for sha256 in names(document))
        self._note(
            sha256
            for change in self._documents(self._dump / CHANGES)
            if "d" in change and change["c"] in _NAMES
            for sha256 in _NAMES[change["c"]](change["d"])
        )
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def beside(self, stored: Iterable[str]) -> Iterator[str]:
        """What is stored, in order, and what is named and not stored; once."""
        for part, some in groupby(stored, key=lambda sha256: sha256[:2]):
            named = self._take(part)
            for sha256 in some:
                named.discard(sha256)
                yield sha256
            yield from sorted(named)
        for part in (f"{n:02x}" for n in range(256)):
            yield from sorted(self._take(part))

    def _documents(self, path: Path) -> Iterator[_Fields]:
        with path.open("rb") as file:
            for n, document in enumerate(bson.decode_file_iter(file, codec_options=RAW)):
                if n % 1000 == 0:
                    self._tick()
                yield document

    def _note(self, names: Iterable[object]) -> None:
        for sha256 in names:
            if isinstance(sha256, str) and _SHA256.fullmatch(sha256):
                waiting = self._waiting.setdefault(sha256[:2], bytearray())
                waiting += bytes.fromhex(sha256)
                if len(waiting) >= _BUFFER:
                    self._flush(sha256[:2])

    def _flush(self, part: str) -> None:
        with (self._folder / part).open("ab") as file:
            file.write(self._waiting.pop(part))

    def _take(self, part: str) -> set[str]:
        """The names of a part, which are forgotten."""
        path = self._folder / part
        digests = path.read_bytes() if path.exists() else b""
        path.unlink(missing_ok=True)
        digests += self._waiting.pop(part, b"")
        return {digests[at : at + _BYTES].hex() for at in range(0, len(digests), _BYTES)}


def _of_cutout(cutout: _Fields) -> list[object]:
    return [] if cutout.get("reference") else [cutout.get("sha256")]


def _of_model(model: _Fields) -> list[object]:
    plots = list((model.get("plots") or {}).values())
    return plots if is_legacy(str(model["_id"])) else [(model.get("weights") or {}).get("sha256"), *plots]


def _of_training(training: _Fields) -> list[object]:
    """Its checkpoint, which is removed when it has ended."""
    is_open = training.get("state") not in ("done", "cancelled")
    return [(training.get("checkpoint") or {}).get("sha256")] if is_open else []


def _of_shard(shard: _Fields) -> list[object]:
    """Items that are still to be scored; of others the cutout names the bytes."""
    if shard.get("state") in ("done", "cancelled"):
        return []
    items = shard.get("items") or ()
    return [i.get("sha256") for i in items if not i.get("reference") and not i.get("rejection")]


def _named_as(key: str) -> Callable[[_Fields], list[object]]:
    return lambda document: [document.get(key)]


_NAMES: dict[str, Callable[[_Fields], list[object]]] = {
    "cutouts": _of_cutout,
    "models": _of_model,
    "trainings": _of_training,
    "shards": _of_shard,
    "packs": _named_as("_id"),
    "service": _named_as("mark"),
    "datasets": _named_as("report"),
    "dataset_items": _named_as("sha256"),
    "label_items": _named_as("sha256"),
}
