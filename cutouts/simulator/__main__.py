"""`python -m cutouts.simulator`: write simulated cutouts and their truth."""

import argparse
import sys
from pathlib import Path

from core.errors import ServiceError
from cutouts.simulator.night import write_night
from cutouts.simulator.presets import PRESETS


def main(arguments: list[str] | None = None) -> int:
    """Write a night; returns 0, or 1 after an error, which goes to stderr. Usage errors exit with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m cutouts.simulator",
        description="Write labelled simulated cutouts, their metadata and their truth.csv.",
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--preset", required=True, choices=sorted(PRESETS))
    parser.add_argument("--count", type=int, help="the preset's own number by default")
    parser.add_argument("--seed", type=int, required=True, help="the same seed gives the same bytes")
    options = parser.parse_args(arguments)
    try:
        truths = write_night(options.out, options.preset, count=options.count, seed=options.seed)
    except (ServiceError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    streaks = sum(truth.rb for truth in truths)
    sys.stderr.write(f"{len(truths)} cutouts, {streaks} of them streaks, written to {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
