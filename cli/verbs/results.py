"""`./streaks results export`: scores as a file."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from cli.actions import add_action
from cli.caller import from_caller
from cli.client import Client
from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit, say
from cli.whole_file import write_whole
from core.errors import InvalidRequest

FORMS = ("csv", "ndjson", "parquet")
STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is exported, how, and where to."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="export")
    export = add_action(actions, "export", "scores as a file: one row a cutout, one column a version")
    what = export.add_mutually_exclusive_group()
    what.add_argument("--job", metavar="ID", help="every item of a job")
    what.add_argument("--filter", metavar="FILTER", default="", help="as 'night = 20180301 and rb >= 0.5'")
    export.add_argument("--models", metavar="rb@4,sl@3", default="", help="default: those in production")
    export.add_argument("--format", choices=FORMS, default="csv")
    export.add_argument(
        "-o", "--out", metavar="FILE", default=STDOUT, help="written once it is whole; - is standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Write the file; one that breaks off is not left behind."""
    if args.job is not None and args.models:
        raise InvalidRequest("both --job and --models came; a job names its versions itself")
    if args.json and args.out == STDOUT:
        raise InvalidRequest("--json prints one object on standard output; expected -o FILE beside it")
    client = connect(args.server)
    told = _told(client, args)
    said = f"job {args.job}" if args.job is not None else told["filter"] or "every cutout"
    say(f"{said}, by {', '.join(told['versions'])}")
    chunks = _chunks(client, args, told)
    if args.out == STDOUT:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return Exit.OK
    out = from_caller(args.out)
    size = write_whole(out, chunks)
    say(f"wrote {out}")
    if args.json:
        emit({"file": str(out), "format": args.format, "bytes": size, **told})
    return Exit.OK


def _told(client: Client, args: argparse.Namespace) -> dict[str, Any]:
    """What is exported, with the exact versions, which a promotion does not change from then on."""
    if args.job is not None:
        return {"job": args.job, "versions": client.jobs.get(args.job)["versions"]}
    page = client.cutouts.page(args.filter, models=args.models, limit=1)
    return {"filter": page["filter"], "versions": page["versions"]}


def _chunks(client: Client, args: argparse.Namespace, told: dict[str, Any]) -> Iterator[bytes]:
    if args.job is not None:
        return client.jobs.export(args.job, args.format)
    return client.cutouts.export(told["filter"], models=",".join(told["versions"]), form=args.format)
