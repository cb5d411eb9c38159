"""`./streaks score PATH...`: submit cutouts, and wait for their scores if that is wanted."""

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.caller import caller_folder
from cli.client import Client
from cli.collect import Collected, collect
from cli.connection import connect, local_client, running_service
from cli.exit_codes import Exit
from cli.local.interrupts import interrupts
from cli.local.service import Service
from cli.output import emit, say
from cli.tables import count, table
from cli.watching import await_job
from core.errors import Unavailable
from core.settings import load_settings

KEYS = ("file", "id", "rb", "sl", "versions", "plausible", "rejection", "instrument")
MOST_ROWS = 40
MOST_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths and how to score them."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, zips, globs, or URLs")
    parser.add_argument("--wait", action="store_true", help="wait for the scores and print them")
    parser.add_argument("--models", metavar="rb@4,sl@3", default="", help="default: those in production")
    parser.add_argument("--priority", choices=("live", "bulk"), help="default: by the number of cutouts")
    parser.add_argument(
        "--cascade", type=float, metavar="0.1", help="sl only where rb is that or above; 0 for everywhere"
    )
    parser.add_argument(
        "--instrument", metavar="NAME", help="whose cutouts they are: ztf, or a profile in the settings"
    )


def run(args: argparse.Namespace) -> int:
    """Submit; with --wait, print the results. Nothing is submitted when a path is wrong."""
    collected = collect(args.paths, folder=caller_folder())
    _tell_left_out(collected.left_out)
    with _client(args) as client:
        accepted = submit(
            client,
            collected,
            models=args.models,
            priority=args.priority,
            instrument=args.instrument,
            cascade=args.cascade,
        )
        if not args.wait:
            return _report_accepted(accepted, as_json=args.json)
        try:
            job = await_job(client, accepted["job"])
        except KeyboardInterrupt:
            say(f"the job goes on while a service runs; ./streaks jobs watch {accepted['job']}")
            raise
        results = list(client.jobs.results(job["id"]))
    if args.json:
        emit({"job": job["id"], "results": _as_json(results)})
    else:
        print(scores_table(results))
        print(summary(results))
    return _status(job, results)


def submit(
    client: Client,
    collected: Collected,
    *,
    models: str = "",
    priority: str | None = None,
    instrument: str | None = None,
    cascade: float | None = None,
) -> dict[str, Any]:
    """Submit what was collected as one job; returns the service's answer."""
    wanted = [model.strip() for model in models.split(",") if model.strip()]
    options: dict[str, Any] = {"models": wanted, "priority": priority, "instrument": instrument}
    options["cascade"] = cascade
    if collected.references:
        accepted = client.jobs.submit_references(collected.references, **options)
    else:
        accepted = client.jobs.submit_files(collected.files, **options)
    if accepted["ignored_count"]:
        named = _named(accepted["ignored"], accepted["ignored_count"])
        say(f"not images, left out of zips: {named}")
    say(f"job {accepted['job']}: {count(accepted['items'], 'cutout')}, {', '.join(accepted['versions'])}")
    return accepted


def scores_table(results: list[dict[str, Any]]) -> str:
    """The results, the plausible ones first, then by their rb score.

    A column tells in what cutouts depart from those that the networks were trained on, where any does.
    """
    ranked = sorted(results, key=lambda r: (not r["plausible"], -(r["rb"] if r["rb"] is not None else -1)))
    families = _families(results)
    strange = any("uncalibrated" in r for r in ranked[:MOST_ROWS])
    rows = [
        (
            r["file"],
            *(_score(r, family) for family in families),
            r["plausible"],
            r["rejection"]["reason"] if r["rejection"] else "",
            *([_departures(r)] if strange else []),
        )
        for r in ranked[:MOST_ROWS]
    ]
    head = ("file", *families, "plausible", "rejection", *(["uncalibrated"] if strange else []))
    text = table(head, rows)
    left = len(ranked) - len(rows)
    return text + (f"\n… and {left:,} more; --json prints them all" if left > 0 else "")


def _score(result: dict[str, Any], family: str) -> object:
    """A score, or that a cascade did not ask for it."""
    not_run = {version.partition("@")[0] for version in result.get("not_run", ())}
    return "not run" if result[family] is None and family in not_run else result[family]


def summary(results: list[dict[str, Any]]) -> str:
    """Counts in one or two sentences."""
    reasons = Counter(r["rejection"]["reason"] for r in results if r["rejection"])
    plausible = sum(r["plausible"] is True for r in results)
    scored = len(results) - reasons.total()
    text = f"{count(scored, 'cutout')} scored, {plausible:,} plausible, {reasons.total():,} rejected"
    if reasons:
        text += f" ({', '.join(f'{n} {reason}' for reason, n in reasons.most_common())})"
    strange = sum("uncalibrated" in r for r in results)
    return text + (f"; {strange:,} uncalibrated, not what the networks were trained on" if strange else "")


def _departures(result: dict[str, Any]) -> str:
    """Such as `side_px 63 (105 to 157)`."""
    return ", ".join(
        f"{d['quantity']} {d['observed']:g} ({d['expected'][0]:g} to {d['expected'][1]:g})"
        for d in result.get("uncalibrated", ())
    )


def _families(results: list[dict[str, Any]]) -> list[str]:
    """Those that scored something, rb and sl always."""
    return list(dict.fromkeys(["rb", "sl", *(family for r in results for family in r["versions"])]))


def _as_json(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = dict.fromkeys([*KEYS, *_families(results), "scores", "uncalibrated", "not_run"])
    return [{key: result[key] for key in keys if key in result} for result in results]


@contextmanager
def _client(args: argparse.Namespace) -> Iterator[Client]:
    """A client of the service; with --wait one is started for the time of the command if none runs."""
    settings = load_settings()
    if args.server is not None or not args.wait or running_service(settings) is not None:
        yield connect(args.server)
        return
    say(f"no service is running; starting one for this command, its state kept in {settings.state_dir}")
    service = Service(settings, say=say)
    with interrupts(on_second=service.hurry), service:
        yield local_client(service.url, service.secrets_file)


def _report_accepted(accepted: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        emit({key: accepted[key] for key in ("job", "items", "ignored", "versions")})
    else:
        print(accepted["job"])
        say(f"./streaks jobs watch {accepted['job']} tells how far it is")
    return Exit.OK


def _status(job: dict[str, Any], results: list[dict[str, Any]]) -> int:
    if job["state"] in ("cancelled", "failed"):
        raise Unavailable(f"job {job['id']} was {job['state']} with {len(results)} of {job['items']} done")
    return Exit.REJECTIONS if any(result["rejection"] for result in results) else Exit.OK


def _tell_left_out(names: tuple[str, ...]) -> None:
    if names:
        say(f"not images, left out: {_named(names, len(names))}")


def _named(names: "tuple[str, ...] | list[str]", total: int) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return f"{count(total, 'file')} ({shown}{', …' if total > MOST_NAMED else ''})"
