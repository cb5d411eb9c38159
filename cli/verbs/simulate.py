"""`./streaks simulate`: labelled cutouts and their truth, made by the simulator."""

import argparse

from cli.caller import from_caller
from cli.exit_codes import Exit
from cli.output import emit, say
from core.errors import InvalidRequest
from core.instrument import DEFAULT_INSTRUMENT
from core.settings import load_settings
from cutouts.instruments import find_instrument
from cutouts.simulator.backgrounds import read_backgrounds
from cutouts.simulator.night import write_night
from cutouts.simulator.presets import PRESETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add OUT, `--preset`, `--count` and `--seed`."""
    parser.add_argument("out", metavar="OUT", help="a folder, made if it does not exist")
    parser.add_argument("--preset", required=True, choices=sorted(PRESETS))
    parser.add_argument("--seed", type=int, required=True, help="the same seed gives the same bytes")
    parser.add_argument(
        "--background", metavar="DIR", help="draw on your own difference cutouts of 157 x 157 pixels"
    )
    parser.add_argument(
        "--instrument", metavar="NAME", default=DEFAULT_INSTRUMENT, help="ztf, or a profile in the settings"
    )
    parser.add_argument("--count", type=int, help="how many cutouts; the preset's own number by default")


def run(args: argparse.Namespace) -> int:
    """Write the cutouts, their metadata and their truth.csv."""
    if args.seed < 0:
        raise InvalidRequest(f"the seed is {args.seed}; expected 0 or more")
    out = from_caller(args.out)
    instrument = find_instrument(args.instrument, load_settings().instruments)
    own = read_backgrounds(from_caller(args.background)) if args.background else None
    try:
        truths = write_night(
            out, args.preset, count=args.count, seed=args.seed, backgrounds=own, instrument=instrument
        )
    except OSError as error:
        raise InvalidRequest(f"{out} can't be written: {error.strerror}") from error
    streaks = sum(truth.rb for truth in truths)
    say(f"{len(truths)} cutouts, {streaks} of them streaks, written to {out}")
    if args.json:
        emit({"out": str(out), "cutouts": len(truths), "streaks": streaks})
    return Exit.OK
