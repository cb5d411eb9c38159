"""`./streaks queues`: what waits for workers; by its exit status, whether one is to be started."""

import argparse

from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit
from cli.tables import duration, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--older-than`."""
    parser.add_argument(
        "--older-than",
        type=float,
        metavar="SECONDS",
        help="exit with 0 if something has waited for so long, else with 1; for starting workers on demand",
    )


def run(args: argparse.Namespace) -> int:
    """Print the queues; with `--older-than` the exit status tells whether a worker is wanted."""
    queues = connect(args.server).queues.all()
    if args.json:
        emit({"queues": queues})
    else:
        rows = [
            (q["name"], q["waiting"], "?" if q["messages"] is None else q["messages"], duration(q["age_s"]))
            for q in queues
        ]
        print(table(("queue", "shards", "messages", "oldest"), rows))
    if args.older_than is None:
        return Exit.OK
    wanted = any(queue["waiting"] and queue["age_s"] >= args.older_than for queue in queues)
    return Exit.OK if wanted else Exit.FAILED
