"""How far a fetch has come, on disk, so that the same command goes on there."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.whole_file import write_whole
from cutouts.nights import Fault

MOST_NAMED = 1000


@dataclass
class Progress:
    """What was ingested of a query.

    Parameters
    ----------
    after : the key of the last candidate that was; None before the first.
    candidates, submitted, known : those that came; of their stamps, how many have to be scored, and how many
        were on record already.
    written_back : how many candidates' scores Kowalski has taken.
    nights, jobs : that they are of, and that score them; the first `jobs_awaited` have ended.
    faults_count, faults : how many could not be taken whole, and the first thousand, with the reason.
    """

    after: int | str | None = None
    candidates: int = 0
    submitted: int = 0
    known: int = 0
    written_back: int = 0
    nights: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    jobs_awaited: int = 0
    faults_count: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)

    def fault(self, fault: Fault | Mapping[str, Any]) -> None:
        """Count what could not be taken, and name it."""
        told = dataclasses.asdict(fault) if isinstance(fault, Fault) else dict(fault)
        self.faults_count += 1
        if len(self.faults) < MOST_NAMED and told not in self.faults:
            self.faults.append(told)


class ProgressFile:
    """Where the progress of one query, from one archive into one service, is kept."""

    def __init__(self, folder: Path, *what: object) -> None:
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        self.path = folder / f"{digest[:32]}.json"

    def load(self) -> Progress | None:
        """What is kept; None where nothing is, or what is there can't be read: to begin again is harmless."""
        try:
            return Progress(**json.loads(self.path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, progress: Progress) -> None:
        """Keep it, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, [json.dumps(dataclasses.asdict(progress)).encode()])

    def remove(self) -> None:
        """Forget it: the query has come to its end."""
        self.path.unlink(missing_ok=True)
