"""`./streaks pack [FILTER]`: store cutouts on record as networks see them, for rescoring to read."""

import argparse
import os
import sys

from cli.local.programs import ROOT
from cli.verbs.worker import local_servers
from core.errors import InvalidRequest


def run(args: argparse.Namespace) -> int:
    """Replace this process by `python -m worker.packing`; does not return.

    It reads and writes the record and the blobs themselves, on any host that reaches them. Without
    DA_MONGO_URL those of the service that runs here are meant. Raises InvalidRequest for `--server`.
    """
    if args.server is not None or any(word.partition("=")[0] == "--server" for word in args.rest):
        raise InvalidRequest(
            "pack speaks to no server: run it on a host that reaches MongoDB and the blobs (DA_MONGO_URL, "
            "DA_BLOB_URL), or on that of the service"
        )
    if not {"-h", "--help"} & set(args.rest):
        os.environ.update(local_servers())
    os.chdir(ROOT)
    options = ["--json"] if args.json else []
    os.execv(sys.executable, [sys.executable, "-m", "worker.packing", *options, *args.rest])  # noqa: S606
