"""`./streaks migrate`: bring the record of an earlier release to the schema of this one."""

import argparse

from pymongo.errors import PyMongoError

from cli.exit_codes import Exit
from cli.local.at_hand import record_at_hand
from cli.output import emit, say
from core.errors import Unavailable
from core.settings import load_settings
from storage.database import check
from storage.migrations import migrate, pending
from storage.schema import schema_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--dry-run`."""
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be changed")


def run(args: argparse.Namespace) -> int:
    """Migrate the record of a service that is stopped; killed anywhere, the same command goes on."""
    try:
        settings = load_settings()
        with record_at_hand(settings, alone=not args.dry_run) as record:
            check(record.database, account=settings.mongo_account)
            before = schema_of(record.database)
            steps = pending(record.database)
            facts = [
                {"to": step.to, "says": step.says, "documents": step.pending(record.database)}
                for step in steps
            ]
            for fact in facts:
                say(f"schema {fact['to']}: {fact['says']}: {fact['documents']:,} documents")
            if not args.dry_run:
                migrate(record, tell=say)
            after = schema_of(record.database)
    except PyMongoError as error:
        raise Unavailable(
            f"MongoDB failed: {error}; what is changed stays, and the same command goes on"
        ) from error
    if args.json:
        emit({"before": before, "schema": after, "steps": facts, "dry_run": args.dry_run})
    elif not steps:
        print(f"the database is of schema {after}, which is this release's")
    else:
        wanted = f"; {steps[-1].to} is this release's" if args.dry_run else ""
        print(f"the database is of schema {after}{wanted}")
    return Exit.OK
