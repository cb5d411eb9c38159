"""A simulated night as files: stamps, metadata and truth, laid out as the survey's are."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from core.instrument import Instrument
from cutouts.instruments import ZTF
from cutouts.simulator.backgrounds import Backgrounds
from cutouts.simulator.metadata import streak_row, table
from cutouts.simulator.names import Exposure, day_of
from cutouts.simulator.stream import simulate
from cutouts.simulator.truth import Truth

TRUTH_COLUMNS = ("file", "id", "kind", "rb", "sl", "length_px", "angle_deg", "peak_sigma", "seed")


def write_night(
    out: Path,
    preset: str,
    *,
    count: int | None = None,
    seed: int,
    night: str = "20181106",
    backgrounds: Backgrounds | None = None,
    instrument: Instrument = ZTF,
) -> list[Truth]:
    """Write a preset as a night's files below `out`, and return their truths, named by document id.

    `stamps/stamps_YYYYMMDD/strkid{streakid}_pid{pid}_scimref.jpg` at quality 100 without chroma subsampling,
    `meta/YYYYMMDD/ztf_YYYYMMDD_streaks.txt`, and `truth.csv`, whose `file` is relative to `out`. Raises
    InvalidRequest for an unknown preset or a count below 1.
    """
    cutouts = simulate(preset, count=count, seed=seed, backgrounds=backgrounds, instrument=instrument)
    stamps = Path("stamps") / f"stamps_{night}"
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    names = _names(day_of(night), rng)
    (out / stamps).mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    truths: list[Truth] = []
    with (out / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(TRUTH_COLUMNS)
        for cutout, (exposure, index) in zip(cutouts, names, strict=False):
            truth = replace(cutout.truth, name=exposure.document_id(index))
            path = stamps / f"{truth.name}_scimref.jpg"
            Image.fromarray(cutout.image).save(out / path, "JPEG", quality=100, subsampling=0, optimize=True)
            written.writerow(_truth_row(path, truth))
            rows.append(streak_row(exposure, index, truth, rng, exposure_s=instrument.exposure_s))
            truths.append(truth)
    listed = out / "meta" / night / f"ztf_{night}_streaks.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text(table(rows), encoding="utf-8")
    return truths


def _names(day: int, rng: np.random.Generator) -> Iterator[tuple[Exposure, int]]:
    """Exposures through a night, each with a few streaks, and the streaks' indices."""
    moment = day * 100_000 + 9000
    while True:
        moment += int(rng.integers(1, 3))
        exposure = Exposure(*divmod(moment, 100_000), int(rng.integers(1, 65)))
        for index in range(int(rng.integers(1, 9))):
            yield exposure, index


def _truth_row(path: Path, truth: Truth) -> list[str]:
    values = (
        path.as_posix(),
        truth.name,
        truth.kind,
        truth.rb,
        truth.sl,
        truth.length_px,
        truth.angle_deg,
        truth.peak_sigma,
        truth.seed,
    )
    return ["" if value is None else str(value) for value in values]
