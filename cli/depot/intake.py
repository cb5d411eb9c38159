"""From a depot's nights to the service's: listed folders and tarballs, few files at a time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.client import Client
from cli.depot.server import Depot
from cli.kept_lines import KeptLines
from cli.multipart import File
from cli.watch import Delivered, Seen, deliver
from core.errors import CallerError, NotAuthenticated, NotFound, Unavailable
from cutouts.nights import FileKind, kind_of

_AT_ONCE = 400
_TARBALLS = (".tar.gz", ".tgz", ".tar")
_GROWING = (FileKind.TABLE, FileKind.ARCHIVE)  # which get other bytes under their name


@dataclass(frozen=True)
class Fetched:
    """Files that the service has an answer for; or one that could not be had, and why."""

    delivered: Delivered | None = None
    fault: dict[str, Any] | None = None


class DepotIntake:
    """Fetches into `spool`, ingests, and notes in `kept` what need not be fetched again.

    Cutouts and ADES documents are known by their names, tables and archives by what the server says of their
    content, too.
    """

    def __init__(self, depot: Depot, client: Client, kept: KeptLines, *, spool: Path, parallel: int) -> None:
        self._depot, self._client, self._kept, self._spool = depot, client, kept, spool
        self._parallel = parallel
        spool.mkdir(parents=True, exist_ok=True)

    def take(self, night: str) -> Iterator[Fetched]:
        """Fetch and ingest what is new of a night; raises what concerns all files.

        Nothing is yielded where the depot has none of it. Tables come first, so that cutouts find them.
        """
        paths = [path for path in self._paths(night) if path not in self._kept]
        paths.sort(key=lambda path: (kind_of(path) is not FileKind.TABLE, path))
        with ThreadPoolExecutor(self._parallel, "depot") as threads:
            for start in range(0, len(paths), _AT_ONCE):
                yield from self._parcel(threads, paths[start : start + _AT_ONCE], night)

    def _paths(self, night: str) -> Iterator[str]:
        """Where a night's files may be: its folders, and tarballs of the night beside them."""
        for folder in (f"meta/{night}/", f"stamps/stamps_{night}/"):
            for name in self._names(folder):
                if not name.endswith("/") and kind_of(name) not in (FileKind.OTHER, FileKind.LITTER):
                    yield folder + name
        for folder in ("", "stamps/", "meta/"):
            for name in self._names(folder):
                if night in name and name.lower().endswith(_TARBALLS):
                    yield folder + name

    def _names(self, folder: str) -> list[str]:
        try:
            return self._depot.names(folder)
        except NotFound:
            return []

    def _parcel(self, threads: ThreadPoolExecutor, paths: Sequence[str], night: str) -> Iterator[Fetched]:
        by_place: dict[Path, tuple[str, str]] = {}
        for path, came in zip(paths, threads.map(self._fetch, paths), strict=True):
            if isinstance(came, Exception):
                reason = "unavailable" if isinstance(came, Unavailable) else "not_fetched"
                yield Fetched(fault={"name": path, "reason": reason, "detail": str(came)})
            elif came is not None:
                by_place[self._place(path)] = (path, came)
        files = [seen for place, (path, _) in by_place.items() if (seen := Seen.of(File(path, place)))]
        for early in (seen for seen in files if not seen.ends_well()):
            detail = f"{early.size} bytes that end early; it is fetched again by the next call"
            yield Fetched(fault={"name": early.file.name, "reason": "incomplete", "detail": detail})
        for delivered in deliver(self._client, [seen for seen in files if seen.ends_well()], night=night):
            self._kept.add(self._key(*by_place[seen.file.path]) for seen in delivered.files)
            for seen in delivered.files:
                seen.file.path.unlink()
            yield Fetched(delivered)

    def _fetch(self, path: str) -> str | Exception | None:
        """The mark of a file that was fetched, None for one that is known, or why this one can't be had."""
        try:
            return self._depot.fetch(
                path, self._place(path), known=lambda mark: self._key(path, mark) in self._kept
            )
        except NotAuthenticated:
            raise
        except (CallerError, Unavailable) as error:
            return error

    def _key(self, path: str, mark: str) -> str:
        return f"{path} {mark}" if kind_of(path) in _GROWING else path

    def _place(self, path: str) -> Path:
        return self._spool / path.replace("/", "~")
