"""`./streaks test`: the tests, from the root, with pytest's own arguments."""

import argparse
import subprocess
import sys

from cli.local.programs import ROOT


def run(args: argparse.Namespace) -> int:
    """Run pytest; returns its exit status."""
    return subprocess.run([sys.executable, "-m", "pytest", *args.rest], cwd=ROOT, check=False).returncode
