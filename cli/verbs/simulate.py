"""`./streaks simulate`: labelled cutouts and their truth, made by the simulator."""

import argparse
import importlib

from cli.caller import caller_folder


def run(args: argparse.Namespace) -> int:
    """Hand the arguments to the simulator, whose paths are meant from where the user stands."""
    import os

    os.chdir(caller_folder())
    simulator = importlib.import_module("cutouts.simulator.__main__")
    status: int | None = simulator.main(args.rest)
    return status or 0
