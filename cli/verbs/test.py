"""`./streaks test`: the tests, from the root, with pytest's own arguments."""

import argparse
import subprocess
import sys

from cli.local.programs import ROOT

# Half of the time a test waits: for servers, leases, processes. A file stays in one, with its fixtures.
ALL = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


def run(args: argparse.Namespace) -> int:
    """Run pytest, all tests in two processes where no argument says otherwise; returns its exit status."""
    words = args.rest or ALL
    return subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, check=False).returncode
