"""The whole service on a GPU, for `bench.gpu`: backlogs from packs and from files, beside the bare engine.

Servers, API, workers and sweeper are those of `./streaks up`. What a backlog costs is against the bare engine
in a process of its own, on the same card, before and after it.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from os import environ
from pathlib import Path
from statistics import mean

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bench.await_that import await_that
from bench.bare_program import Bare, BareEngine
from bench.cutout_files import jpegs
from bench.local_service import LocalService, local_service
from bench.scored_night import Backlog, night_on_record, peaks, scored
from cutouts.decode import decode
from storage.model_registry import read_card

FIRST_DAY = 700
REPORTED_S = 6.0
"""After which a worker has written its metrics again."""


def serve(
    bundles: dict[str, Path], *, batch: int, distinct: int, packed: int, files: int, rounds: int
) -> dict[str, object]:
    """Score backlogs of so many cutouts from packs and from files, in turn.

    Parameters
    ----------
    bundles : folders of the networks by their version.
    batch : the largest batch.
    distinct : simulated files, which are on record again and again under other names.
    """
    pictures = [data for _, data in jpegs(distinct, seed=7)]
    with tempfile.TemporaryDirectory(prefix="streaks-gpu-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        stack.enter_context(_settings(batch, folder / "service"))
        for version, found in bundles.items():
            shutil.copytree(found, folder / "bundles" / version.replace("@", "-"))
        pixels = np.stack([decode(data) for data in pictures])
        np.save(folder / "pixels.npy", np.concatenate([pixels] * (packed // distinct)))
        bare = BareEngine(folder / "bundles", folder / "pixels.npy", batch, engine="jax")
        _say("the bare engine is ready")
        try:
            with local_service(folder / "service") as local:
                for path in (folder / "bundles").glob("*/card.json"):
                    local.record.models.register(read_card(path), (path.parent / "weights.npz").read_bytes())
                await_that(lambda: bool(local.record.workers.ready()), "a worker")
                _say("the worker is ready")
                return _measured(
                    local,
                    bare,
                    {"packs": pictures * (packed // distinct), "files": pictures * (files // distinct)},
                    tuple(bundles),
                    rounds,
                )
        finally:
            bare.close()


def _measured(
    local: LocalService,
    bare: BareEngine,
    backlogs: dict[str, list[bytes]],
    versions: tuple[str, ...],
    rounds: int,
) -> dict[str, object]:
    rows: list[dict[str, object]] = []
    count = len(backlogs["packs"])
    before, spent = bare.run("engine", count), _stages()
    for n in range(rounds + 1):
        for way, files in backlogs.items():
            night = night_on_record(local, files, days=FIRST_DAY + len(rows), packed=way == "packs")
            _say(f"{len(files)} cutouts are on record, read from {way}")
            found = scored(local, night, len(files), versions=versions)
            after, stages = bare.run("engine", count), _stages()
            row = _row(way, found, len(files), (before, after), count)
            row |= {"stages_s": {stage: round(s - spent.get(stage, 0.0), 3) for stage, s in stages.items()}}
            row |= {"engine": _engine(local), "warms": n == 0}
            before, spent = after, stages
            _say(str(row))
            rows.append(row)
    return {"versions": list(versions), "bare": asdict(before), "backlogs": rows, "peak_mib": peaks(local)}


def _row(way: str, found: Backlog, cutouts: int, beside: tuple[Bare, Bare], count: int) -> dict[str, object]:
    rate, bare = cutouts / found.seconds, count / mean(one.seconds for one in beside)
    return {
        "from": way,
        "cutouts": cutouts,
        "cutouts_per_s": round(rate),
        "bare_cutouts_per_s": round(bare),
        "of_the_bare_engine": round(rate / bare, 3),
        "seconds": round(found.seconds, 2),
        "waited_s": round(found.waited_s, 2),
        "shards": len(found.shards),
        "between_ms": sorted(found.between_ms)[len(found.between_ms) // 2] if found.between_ms else 0,
        "cpu_ms": found.cpu_ms,
    }


def _engine(local: LocalService) -> str:
    """Engine and precision, as they stand with a score."""
    outcome = local.record.database["outcomes"].find_one({}, sort=[("_id", -1)]) or {}
    return f"{outcome.get('engine')} {outcome.get('precision')}"


def _stages() -> dict[str, float]:
    """Seconds that the scoring process has spent in each stage, all threads together."""
    time.sleep(REPORTED_S)
    spent: dict[str, float] = {}
    for file in Path(tempfile.gettempdir()).glob("worker-*/metrics"):
        for family in text_string_to_metric_families(file.read_text()):
            for sample in family.samples:
                if sample.name == "streaks_stage_seconds_total":
                    stage = sample.labels["stage"]
                    spent[stage] = spent.get(stage, 0.0) + sample.value
    return spent


@contextmanager
def _settings(batch: int, state: Path) -> Iterator[None]:
    """JAX and its largest batch for all processes that start meanwhile; they share compiled programs."""
    wanted = {
        "DA_SCORING__ENGINE": "jax",
        "DA_SCORING__BATCH_SIZES": f"[1, 32, {batch}]",
        "DA_SHIPPED": "light",
        "DA_STATE_DIR": str(state),
        "KERAS_BACKEND": "jax",
    }
    before = dict(environ)
    environ.update(wanted)
    try:
        yield
    finally:
        environ.clear()
        environ.update(before)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{time.strftime('%X')} {sentence}\n")
    sys.stderr.flush()
