"""`./streaks rescore [FILTER]`: score cutouts on record with other versions."""

import argparse
from typing import Any

from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit, say
from cli.tables import count, duration
from cli.watching import await_job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which cutouts, by which versions, and how it shares the workers."""
    parser.add_argument("filter", nargs="?", default="", metavar="FILTER", help="as 'rb < 0.5 and rb > 0.1'")
    parser.add_argument("--nights", default="", metavar="20180927,…", help="of these nights only")
    parser.add_argument("--models", metavar="rb@4,sl@3", default="", help="default: those in production")
    parser.add_argument("--all", action="store_true", help="also those that all these versions have scored")
    parser.add_argument("--instrument", metavar="NAME", help="whose cutouts; ztf by default")
    parser.add_argument("--rank", type=int, help="jobs of a higher rank are worked on first (0)")
    parser.add_argument(
        "--cascade", type=float, metavar="0.1", help="sl only where rb is that or above; 0 for everywhere"
    )
    parser.add_argument("--share", type=float, metavar="0.5", help="of the workers, at most; all by default")
    parser.add_argument("--dry-run", action="store_true", help="count, estimate the time, and do nothing")
    parser.add_argument("--wait", action="store_true", help="wait until it ends")


def run(args: argparse.Namespace) -> int:
    """Submit; with --wait, exit 3 when it ends with rejections, 1 when it was cancelled or failed."""
    client = connect(args.server)
    found = client.jobs.submit_rescoring(_wanted(args))
    if args.dry_run:
        return _report(found, as_json=args.json)
    say(f"job {found['job']}: {found['filter'] or 'every cutout'}, by {', '.join(found['versions'])}")
    if not args.wait:
        emit(found) if args.json else print(found["job"])
        return Exit.OK
    job = await_job(client, found["job"])
    if args.json:
        emit(job)
    if job["state"] in ("cancelled", "failed"):
        return Exit.FAILED
    return Exit.REJECTIONS if job["rejected"] else Exit.OK


def _wanted(args: argparse.Namespace) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "filter": args.filter,
        "nights": _listed(args.nights),
        "models": _listed(args.models),
        "all": args.all,
        "dry_run": args.dry_run,
        "instrument": args.instrument,
        "rank": args.rank,
        "share": args.share,
        "cascade": args.cascade,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _report(found: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        emit(found)
        return Exit.OK
    took = "no rate was measured yet" if found["seconds"] is None else f"about {duration(found['seconds'])}"
    print(f"{count(found['cutouts'], 'cutout')} by {', '.join(found['versions'])}, {took}")
    print(f"filter: {found['filter'] or 'every cutout'}")
    say(f"{count(found['workers'], 'worker')} ready; nothing was submitted")
    return Exit.OK
