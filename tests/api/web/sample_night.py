"""The bundled night as it stands on record once it is scored, without a network: scores near the truth."""

import csv
import random
from datetime import UTC, datetime, timedelta

from core.outcome import Outcome
from storage.decisions import set_production
from storage.record import Record
from tests.api.server import ROOT

SAMPLE = ROOT / "sample" / "night"
NIGHT = "20181211"
"""No other test fills it: what has outcomes alone is found in words, but not by its score in production."""


def put_sample_night(record: Record, *, rb: str, sl: str, limit: int = 1000) -> list[str]:
    """Record the cutouts, their bytes and outcomes of two versions; returns their ids."""
    chance = random.Random(5)
    start = datetime(2018, 11, 6, 9, tzinfo=UTC)
    scores: dict[str, dict[str, float]] = {}
    outcomes: list[Outcome] = []
    with (SAMPLE / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:limit]
    for n, row in enumerate(rows):
        sha256 = record.blobs.put((SAMPLE / row["file"]).read_bytes())
        name, is_real, is_short = row["id"], row["rb"] == "1", row["sl"] == "1"
        document = {
            "_id": name,
            "sha256": sha256,
            "night": NIGHT,
            "streakid": name.split("_")[0].removeprefix("strkid"),
            "added": start + timedelta(seconds=n),
            "jd": 2458428.9 + n / 10_000,
            "ra": 10 + n / 10,
            "dec": 5 + n / 100,
        }
        record.database["cutouts"].insert_one(document)
        scores[name] = {
            rb: chance.betavariate(9, 1) if is_real else chance.betavariate(1, 9),
            sl: chance.betavariate(9, 1) if is_short else chance.betavariate(1, 4),
        }
        outcomes += [Outcome(name, version, score) for version, score in scores[name].items()]
    record.outcomes.insert(outcomes, provenance={"engine": "test", "precision": "float32", "worker": "w:1"})
    set_production(record, (rb, sl), scores)
    return list(scores)
