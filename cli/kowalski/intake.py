"""From a page of documents to the nights of a service, and from its scores back to the archive."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.client import Client
from cli.kowalski.archive import Kowalski, Page
from cli.kowalski.progress import Progress
from cli.multipart import File
from cli.night_files import in_parcels
from cli.watching import await_job
from core.errors import InvalidRequest
from core.kowalski import KowalskiArchive
from cutouts.kowalski_document import Candidate, key_of, read_candidate
from cutouts.nights import COLUMNS, Fault, write_table

SCORE_PREFIX = "deep_asteroids_"
"""Before the version in the names that scores have in the archive."""

_AT_ONCE = 50
_POLL_S = 1.0


class Intake:
    """Ingests pages into a service. A page that comes again changes nothing there."""

    def __init__(self, client: Client, archive: KowalskiArchive, *, max_bytes: int) -> None:
        self._client, self._archive, self._max_bytes = client, archive, max_bytes

    def take(self, page: Page, progress: Progress) -> list[Candidate]:
        """Ingest a page, night by night, and count it; raises what the service tells."""
        candidates = list(self._read(page.documents, progress))
        by_night: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_night[candidate.night].append(candidate)
        for night, own in sorted(by_night.items()):
            with tempfile.TemporaryDirectory(prefix="kowalski-") as folder:
                for parcel in in_parcels(_written(own, night, Path(folder))):
                    self._count(self._client.nights.ingest_files(night, parcel), progress)
        progress.candidates += len(page.documents)
        progress.after = page.last
        return candidates

    def write_back(self, kowalski: Kowalski, candidates: Sequence[Candidate], progress: Progress) -> None:
        """Wait for the scores of a page's candidates, and have them noted where the candidates come from."""
        for job in progress.jobs[progress.jobs_awaited :]:
            await_job(self._client, job)
        progress.jobs_awaited = len(progress.jobs)
        keys = {candidate.id: candidate.key for candidate in candidates if candidate.stamp is not None}
        ids = list(keys)
        for start in range(0, len(ids), _AT_ONCE):
            found = self._scored(ids[start : start + _AT_ONCE], progress)
            for name, scores in found.items():
                kowalski.write_back(keys[name], scores)
                progress.written_back += 1

    def _read(self, documents: Sequence[dict[str, Any]], progress: Progress) -> Iterator[Candidate]:
        for document in documents:
            try:
                candidate = read_candidate(document, self._archive, max_bytes=self._max_bytes)
            except InvalidRequest as error:
                key = key_of(document, self._archive)
                progress.fault(Fault(f"{self._archive.key} {key}", None, "malformed", str(error)))
                continue
            if candidate.fault is not None:
                progress.fault(candidate.fault)
            yield candidate

    def _count(self, answer: Mapping[str, Any], progress: Progress) -> None:
        cutouts = answer["cutouts"]
        progress.submitted += cutouts["submitted"]
        progress.known += cutouts["known"] + cutouts["unchanged"]
        progress.nights = sorted({*progress.nights, answer["night"]})
        if answer["job"] is not None:
            progress.jobs.append(answer["job"])
        for fault in answer["faults"]:
            progress.fault(fault)
        if cutouts["conflicts"]:
            detail = (
                f"{cutouts['conflicts']} ids are on record with other bytes; ./streaks nights show names them"
            )
            progress.fault(Fault(answer["night"], None, "conflict", detail))

    def _scored(self, ids: Sequence[str], progress: Progress) -> dict[str, dict[str, float]]:
        """By id, the scores that a candidate has, once it has them or was rejected.

        Those whose job this fetch does not know, as it was killed before it noted it, are waited for.
        """
        deadline = time.monotonic() + self._archive.patience_s
        while True:
            rows = self._rows(ids)
            waiting = [name for name in ids if name not in rows or _is_open(rows[name])]
            if not waiting or time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        for name in waiting:
            progress.fault(Fault(name, None, "not_scored", "no score came to be written back"))
        named = {name: _named(row["scores"]) for name, row in rows.items()}
        return {name: scores for name, scores in named.items() if scores}

    def _rows(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        quoted = ", ".join(f'"{name}"' for name in ids)
        page = self._client.cutouts.page(f"id in ({quoted})", limit=_AT_ONCE)
        return {row["id"]: row for row in page["cutouts"]}


def _is_open(row: Mapping[str, Any]) -> bool:
    """Whether a version in production has neither scored a cutout nor rejected it."""
    return row["rejection"] is None and None in row["scores"].values()


def _named(scores: Mapping[str, float | None]) -> dict[str, float]:
    """Scores under the names that they have in the archive."""
    return {f"{SCORE_PREFIX}{v}": score for v, score in scores.items() if score is not None}


def _written(candidates: Sequence[Candidate], night: str, folder: Path) -> list[File]:
    """A night's table and stamps as files; the same candidates are the same files."""
    name = f"ztf_{night}_kowalski_{candidates[0].key}-{candidates[-1].key}_streaks.txt"
    table = File(f"meta/{night}/{name}", folder / name)
    table.path.write_text(write_table(COLUMNS, [candidate.texts for candidate in candidates]), "utf-8")
    files = [table]
    for candidate in candidates:
        if candidate.stamp is not None:
            stamp = f"{candidate.id}_scimref.fits.gz"
            files.append(File(f"stamps/stamps_{night}/{stamp}", folder / stamp))
            files[-1].path.write_bytes(candidate.stamp)
    return files
