"""`python -m bench.fuzz`: everything that reads strangers' bytes gets damaged files, for as long as wanted.

Images (JPEG, PNG, FITS, plain, zipped and tiled), packs, archives, metadata tables, ADES, a predecessor's
documents, names, filters, labels, model versions and multipart bodies, each damaged by hypothesis, round
after round with other seeds, in a process of its own.

The verdict: no error but ours, no reader took over a second of CPU time, or held the process for ten, the
memory of the process stayed within 256 MiB of what it was after the first round, and nothing ended it.
"""

import argparse
import faulthandler
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from bench.fuzz_targets import TARGETS, Target
from bench.process_tree import peak_mib
from bench.verdict import conclude

HANG_S = 1.0
HELD_S = 10.0
MORE_MIB = 256
EXAMPLES = 200  # of a target in a round


@dataclass
class Found:
    """What came of all rounds."""

    examples: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    rounds: int = 0
    first_mib: int = 0
    last_mib: int = 0


def main() -> int:
    """Fuzz; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--keep", type=Path, help="a folder for the files that were read wrongly")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-fuzz-") as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        spawn = multiprocessing.get_context("spawn")
        told, tells = spawn.Pipe(duplex=False)
        process = spawn.Process(target=_rounds, args=(tells, args.seed, 60 * args.minutes, folder))
        process.start()
        tells.close()
        found = Found()
        try:
            while True:
                found = told.recv()
        except EOFError:  # it has ended, in one way or another
            process.join()
        if process.exitcode != 0:
            found.faults[f"the process ended with {process.exitcode}"] = f"reading {folder / 'last'}"
        return _conclude(found, args)


def _conclude(found: Found, args: argparse.Namespace) -> int:
    hung = {name: took for name, took in found.slowest.items() if took > HANG_S}
    more_mib = found.last_mib - found.first_mib
    kept = not found.faults and not hung and more_mib <= MORE_MIB and found.rounds > 0
    slowest = max(found.slowest, key=found.slowest.__getitem__, default="")
    details: dict[str, object] = {
        "rounds": found.rounds,
        **{f"{name}, files": count for name, count in found.examples.items()},
        "slowest, ms of CPU": {name: round(1000 * took, 1) for name, took in found.slowest.items()},
        "peak memory, MiB: after the first round, at the end": (found.first_mib, found.last_mib),
        **({"faults": found.faults} if found.faults else {}),
    }
    figure = (
        f"{sum(found.examples.values())} damaged files in {args.minutes:g} minutes:"
        f" {len(found.faults)} read wrongly,"
        f" slowest {1000 * found.slowest.get(slowest, 0):.0f} ms ({slowest}), memory {more_mib:+d} MiB"
    )
    return conclude("fuzz", figure, kept=kept, details=details, as_json=args.json)


def _rounds(tells: Connection, first_seed: int, span_s: float, folder: Path) -> None:
    """The process that reads, until the time is over; tells what it has found after each target."""
    logging.disable(logging.WARNING)  # libraries warn of what is damaged, thousands of times
    found, until = Found(), time.monotonic() + span_s
    while time.monotonic() < until:
        for target in TARGETS:
            if time.monotonic() < until or not found.rounds:
                _round(target, first_seed + found.rounds, found, folder)
                tells.send(found)
        found.rounds += 1
        found.last_mib = peak_mib(os.getpid())
        found.first_mib = found.first_mib or found.last_mib
        tells.send(found)


def _round(target: Target, number: int, found: Found, folder: Path) -> None:
    last = folder / "last"

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(data=target.damaged())
    def ask(data: bytes) -> None:
        last.write_bytes(data)
        began_s = time.process_time()
        faulthandler.dump_traceback_later(HELD_S, exit=True)
        try:
            target.ask(data)
        except Exception as error:  # noqa: BLE001  that is what is looked for
            kind = f"{target.name}: {type(error).__name__}"
            found.faults.setdefault(kind, f"seed {number}: {str(error)[:200]}")
            (folder / kind.replace(": ", "-").replace(" ", "_")).write_bytes(data)
        finally:
            faulthandler.cancel_dump_traceback_later()
        took_s = time.process_time() - began_s
        found.examples[target.name] += 1
        found.slowest[target.name] = max(took_s, found.slowest.get(target.name, 0.0))

    ask()


if __name__ == "__main__":
    sys.exit(main())
