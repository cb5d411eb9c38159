"""Scores against a truth: the two matrices that the demo prints."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Misconfigured

Matrix = list[list[int]]  # [[true 0 called 0, true 0 called 1], [true 1 called 0, true 1 called 1]]


@dataclass(frozen=True)
class Truth:
    """What a cutout was simulated as: its kind, rb 0 or 1, and sl 0 or 1 for streaks only."""

    kind: str
    rb: int
    sl: int | None


def read_truth(path: Path) -> dict[str, Truth]:
    """Truths by cutout id; raises Misconfigured when the file is not such a table."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                row["id"]: Truth(row["kind"], int(row["rb"]), int(row["sl"]) if row["sl"] else None)
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, ValueError) as error:
        raise Misconfigured(f"{path} is not a truth table with id, kind, rb and sl: {error}") from error


def matrices(
    results: Iterable[Mapping[str, Any]], truths: Mapping[str, Truth], thresholds: Mapping[str, float]
) -> dict[str, Matrix]:
    """rb's over all scored cutouts, sl's over true streaks only; called 1 at or above its threshold."""
    counted: dict[str, Matrix] = {"rb": [[0, 0], [0, 0]], "sl": [[0, 0], [0, 0]]}
    for result in results:
        truth = truths[result["id"]]
        for classifier, true in (("rb", truth.rb), ("sl", truth.sl if truth.rb else None)):
            score = result[classifier]
            if score is not None and true is not None:
                called = score >= thresholds[result["versions"][classifier]]
                counted[classifier][true][called] += 1
    return counted
