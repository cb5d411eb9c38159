"""`./streaks fetch`: candidates and nights from where others keep them."""

import argparse
import dataclasses
from contextlib import closing

from cli.actions import add_action
from cli.connection import connect
from cli.depot import nights_or_latest, opened_depot
from cli.exit_codes import Exit
from cli.kowalski import Intake, Kowalski, Progress, ProgressFile, asked_filter
from cli.output import emit, say
from cli.tables import count
from cli.verbs.watch import Told
from cli.watching import ProgressLine
from core.settings import load_settings

_NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where from, and what."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="kowalski | depot")
    kowalski = add_action(
        actions, "kowalski", "candidates with their difference stamps; goes on where it was broken off"
    )
    kowalski.add_argument("--night", metavar="20180927", help="those exposed in this night (UTC)")
    kowalski.add_argument(
        "--cone",
        nargs=3,
        type=float,
        metavar=("RA", "DEC", "ARCSEC"),
        help="those around a position in degrees",
    )
    kowalski.add_argument("--find", metavar="JSON", help="those that a filter in Kowalski's language finds")
    kowalski.add_argument("--catalog", metavar="NAME", help="default: kowalski.catalog in the settings")
    kowalski.add_argument(
        "--write-back", action="store_true", help="wait for the scores, and have Kowalski note them"
    )
    depot = add_action(actions, "depot", "nights from a web server's folders: listings and .tar.gz")
    depot.add_argument("url", metavar="URL", help="the folder that stamps/ and meta/ are in")
    depot.add_argument(
        "--night",
        action="append",
        default=[],
        metavar="20180927",
        help="default: today's (UTC) and two before",
    )
    depot.add_argument(
        "--parallel", type=int, default=4, metavar="N", help="files that are fetched at a time"
    )


def run(args: argparse.Namespace) -> int:
    """Fetch; exit 3 when something could not be taken."""
    return _depot(args) if args.action == "depot" else _kowalski(args)


def _depot(args: argparse.Namespace) -> int:
    """Fetch nights; what is refused or can't be had is named, and tried again by the next call."""
    nights, told = nights_or_latest(args.night), Told()
    with opened_depot(args.url, connect(args.server), load_settings(), parallel=args.parallel) as intake:
        for night in nights:
            for fetched in intake.take(night):
                told.take(fetched.delivered, fetched.fault)
    if args.json:
        emit({"source": args.url, "nights": nights, **dataclasses.asdict(told)})
    else:
        print(f"{', '.join(nights)}: {told.sentence}")
    return told.status


def _kowalski(args: argparse.Namespace) -> int:
    settings = load_settings()
    archive = settings.kowalski.model_copy(update={"catalog": args.catalog} if args.catalog else {})
    query = asked_filter(archive, night=args.night, cone=args.cone, find=args.find)
    client = connect(args.server)
    kept = ProgressFile(
        settings.state_dir / "fetch", client.url, archive.url, archive.catalog, query, args.write_back
    )
    with closing(Kowalski(archive, settings.secrets.kowalski)) as kowalski:
        intake = Intake(client, archive, max_bytes=settings.limits.cutout_bytes)
        progress = _fetch(kowalski, intake, query, kept, write_back=args.write_back)
    if args.json:
        emit({"source": archive.url, "catalog": archive.catalog, **dataclasses.asdict(progress)})
    else:
        print("\n".join(_told(progress)))
    return Exit.REJECTIONS if progress.faults_count else Exit.OK


def _fetch(
    kowalski: Kowalski, intake: Intake, query: dict[str, object], kept: ProgressFile, *, write_back: bool
) -> Progress:
    progress = kept.load() or Progress()
    if progress.candidates:
        say(f"going on after {count(progress.candidates, 'candidate')}")
    line = ProgressLine()
    try:
        for page in kowalski.pages(query, progress.after):
            candidates = intake.take(page, progress)
            if write_back:
                intake.write_back(kowalski, candidates, progress)
            kept.save(progress)
            line.show(f"{progress.candidates:,} candidates, {progress.submitted:,} to be scored")
    finally:
        line.end()
    kept.remove()
    return progress


def _told(progress: Progress) -> list[str]:
    lines = [
        f"{count(progress.candidates, 'candidate')}: {progress.submitted:,} to be scored, {progress.known:,}"
        " on record already" + (f", {progress.written_back:,} written back" if progress.written_back else "")
    ]
    if progress.nights:
        lines.append(f"nights: {', '.join(progress.nights)}; ./streaks nights show tells what each lacks")
    if progress.faults_count:
        lines.append(f"not taken whole: {count(progress.faults_count, 'candidate')}")
        lines += [f"  {f['name']}: {f['reason']}, {f['detail']}" for f in progress.faults[:_NAMED]]
        lines += ["  … --json has more"] if len(progress.faults) > _NAMED else []
    return lines
