"""`./streaks restore DIR`: put a backup into an empty database and the blob store."""

import argparse
from pathlib import Path

from pymongo.errors import PyMongoError

from cli.caller import from_caller
from cli.exit_codes import Exit
from cli.local.at_hand import record_at_hand
from cli.output import emit, say
from core.errors import Unavailable
from core.settings import load_settings
from storage.backup.manifest import Manifest, read_manifest, verify
from storage.backup.restore import restore
from storage.schema import SCHEMA


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where from, and what may be touched."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="that ./streaks backup made")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only read all of the backup; touch nothing")
    what.add_argument("--replace", action="store_true", help="remove what is in the database first")


def run(args: argparse.Namespace) -> int:
    """Restore; the service has to be stopped. Killed anywhere, the same command goes on."""
    folder = from_caller(args.folder)
    if args.check:
        manifest = read_manifest(folder)
        verify(folder, manifest, tell=say)
        return _tell(manifest, "is whole", as_json=args.json)
    try:
        with record_at_hand(load_settings(), alone=True) as record:
            manifest = restore(record, folder, replace=args.replace, tell=say)
    except PyMongoError as error:
        raise Unavailable(
            f"MongoDB failed while it was filled: {error}; the same command goes on where it was"
        ) from error
    if manifest.schema_version < SCHEMA:
        say(f"it is of schema {manifest.schema_version}; this release needs {SCHEMA}: ./streaks migrate")
    return _tell(manifest, "is restored", as_json=args.json)


def _tell(manifest: Manifest, what: str, *, as_json: bool) -> int:
    blobs = manifest.blobs.count if manifest.blobs else None
    if as_json:
        emit({"made": manifest.made, "documents": manifest.documents, "blobs": blobs, "what": what})
    else:
        words = "no blobs" if blobs is None else f"{blobs:,} blobs"
        print(f"the backup of {manifest.made} {what}: {manifest.documents:,} documents, {words}")
    return Exit.OK
