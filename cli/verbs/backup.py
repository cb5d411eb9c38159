"""`./streaks backup DIR`: the whole record and every blob, as they are at one moment."""

import argparse
from pathlib import Path

from pymongo.errors import PyMongoError

from cli.caller import from_caller
from cli.exit_codes import Exit
from cli.local.at_hand import record_at_hand
from cli.output import emit, say
from cli.release import release
from core.errors import Unavailable
from core.settings import load_settings
from storage.backup.write import back_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to, and whether with the blobs."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="is made; the disk needs room for all of it")
    parser.add_argument(
        "--without-blobs", action="store_true", help="where the blob store has a backup of its own"
    )


def run(args: argparse.Namespace) -> int:
    """Make a backup; the service may run meanwhile. Exits 3 where the store has lost blobs."""
    folder = from_caller(args.folder)
    try:
        with record_at_hand(load_settings(), alone=False) as record:
            manifest = back_up(record, folder, release=release(), with_blobs=not args.without_blobs, tell=say)
    except PyMongoError as error:
        raise Unavailable(f"MongoDB failed while it was read: {error}") from error
    blobs = manifest.blobs
    size = sum(kept.bytes for kept in manifest.files.values())
    unreadable = blobs.unreadable if blobs else 0
    facts = {
        "folder": str(folder),
        "made": manifest.made,
        "documents": manifest.documents,
        "blobs": blobs and blobs.count,
        "bytes": size,
        "unreadable": unreadable,
    }
    for sha256, why in list(blobs.left_out.items() if blobs else ())[:10]:
        say(f"blob {sha256}: {why}")
    if args.json:
        emit(facts)
    else:
        with_blobs = f"{blobs.count:,} blobs" if blobs else "no blobs"
        told = f"{manifest.documents:,} documents and {with_blobs} as of {manifest.made}"
        print(f"{folder}: {told}, {size / 1e6:,.1f} MB")
    if unreadable:
        say(f"{unreadable:,} blobs can't be read and are not in the backup: ./streaks doctor")
        return Exit.REJECTIONS
    return Exit.OK
