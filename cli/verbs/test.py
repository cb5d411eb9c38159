"""`./streaks test`: the tests, from the root, with pytest's own arguments."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from cli.local.programs import ROOT
from cli.memory_folder import memory_folder

# A third of the time a test waits: for servers, leases, processes. A file stays in one, with its fixtures.
ALL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
ROOM_BYTES = 6 * 2**30
"""Files of all tests come to 3.4 GiB."""


def run(args: argparse.Namespace) -> int:
    """Run pytest, all tests in three processes where no argument says otherwise; returns its exit status.

    All tests have their files in memory where there is room. They are gone with the run: run a file by itself
    to look at what it leaves.
    """
    if args.rest:
        return _pytest(args.rest)
    with memory_folder(ROOM_BYTES) as folder:
        return _pytest(ALL, **({} if folder is None else {"TMPDIR": str(folder)}))


def _pytest(words: Sequence[str], **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode
