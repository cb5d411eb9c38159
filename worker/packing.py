"""`python -m worker.packing [FILTER]`: store cutouts on record as networks see them, for rescoring to read.

It loads no network. Killed anywhere, it goes on where it was; what is packed already stays as it is.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from pymongo.errors import PyMongoError

from core.errors import ServiceError
from core.filters.grammar import MAX_COMPLETED
from core.settings import Settings, load_settings
from core.telemetry import configure_logging
from cutouts.recipes import RECIPES
from storage.record import open_record
from storage.schema import prepare, refuse_unfit
from storage.selection import bound_text, narrowed
from worker.packer import Packer, Packing, remove_unused
from worker.readers import decode_limits, open_reader

OK, FAILED, REJECTIONS, INTERRUPTED = 0, 1, 3, 130
TELL_EVERY_S = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Pack; returns 3 when cutouts are left to their files, because they can't be read."""
    parser = argparse.ArgumentParser(
        prog="./streaks pack", description="Store cutouts on record as networks see them."
    )
    parser.add_argument("filter", nargs="?", default="", metavar="FILTER", help="as for rescore; all without")
    parser.add_argument("--nights", default="", metavar="20180927,…", help="of these nights only")
    parser.add_argument("--recipe", choices=list(RECIPES), default=next(iter(RECIPES)))
    parser.add_argument("--check", action="store_true", help="read every pack again and mend what is damaged")
    parser.add_argument(
        "--prune", action="store_true", help="remove packs that are prepared as none is today"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        return _pack(settings, args)
    except ServiceError as error:
        return _fail(str(error), as_json=args.json)
    except PyMongoError as error:
        return _fail(f"MongoDB does not answer: {type(error).__name__}", as_json=args.json)
    except OSError as error:
        return _fail(str(error), as_json=args.json)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what is packed stays, and the same command goes on\n")
        return INTERRUPTED


def _pack(settings: Settings, args: argparse.Namespace) -> int:
    record = open_record(settings, patience_s=30.0)
    try:
        if settings.prepares_record:
            prepare(record.database)
        else:
            refuse_unfit(record.database)
        nights = [night.strip() for night in args.nights.split(",") if night.strip()]
        wanted = narrowed(record, args.filter, nights=nights)
        selection = bound_text(record, wanted, longest=MAX_COMPLETED)
        reader = open_reader(settings, record, name="pack", from_packs=True)
        limits = decode_limits(settings)
        packer = Packer(record, reader, recipe=args.recipe, limits=limits, check=args.check)
        began = time.monotonic()
        done = packer.pack(selection, tell=_Teller())
        removed = remove_unused(record) if args.prune else 0
    finally:
        record.close()
    if args.json:
        _emit(
            {
                "filter": selection,
                "preparation": packer.preparation,
                "packed": done.packed,
                "packs": done.packs,
                "before": done.before,
                "mended": done.mended,
                "left": dict(done.left),
                "removed": removed,
                "seconds": round(time.monotonic() - began, 3),
            }
        )
    else:
        pruned = f"; {removed:,} that were prepared otherwise removed" if args.prune else ""
        sys.stdout.write(f"{_told(done)}{pruned}\n")
    return REJECTIONS if done.left else OK


class _Teller:
    """Says how far it is, every few seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + TELL_EVERY_S

    def __call__(self, done: Packing) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TELL_EVERY_S
            sys.stderr.write(f"{_told(done)}\n")


def _told(done: Packing) -> str:
    left = ", ".join(f"{count:,} {reason}" for reason, count in sorted(done.left.items()))
    words = [f"{done.packed:,} cutouts packed in {done.packs:,} packs", f"{done.before:,} were before"]
    words += [f"{done.mended:,} packs mended"] if done.mended else []
    words += [f"left to their files: {left}"] if left else []
    return "; ".join(words)


def _fail(sentence: str, *, as_json: bool) -> int:
    sys.stderr.write(f"streaks: {sentence}\n")
    if as_json:
        _emit({"error": sentence})
    return FAILED


def _emit(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    sys.exit(main())
