"""`./streaks jobs`: list, show, watch, pause, resume, rank and cancel jobs."""

import argparse
from typing import Any

from cli.actions import add_action
from cli.client import Client
from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit
from cli.tables import table
from cli.watching import await_job, told


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which job."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list | show | watch | pause | resume | rank | cancel"
    )
    listing = add_action(actions, "list", "the newest jobs")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (20)")
    for name, said in (
        ("show", "one job and how far it is"),
        ("watch", "wait until it ends"),
        ("pause", "let nobody work on it; what is scored stays"),
        ("resume", "let a paused one go on"),
        ("cancel", "stop it; what is scored stays"),
    ):
        add_action(actions, name, said).add_argument("job", metavar="ID")
    rank = add_action(actions, "rank", "move it before jobs of a lower rank")
    rank.add_argument("job", metavar="ID")
    rank.add_argument("rank", type=int, metavar="N", help="0 for most; higher ones first")


def run(args: argparse.Namespace) -> int:
    """Do it; `watch` exits 3 when the job ends with rejections, 1 when it was cancelled or failed."""
    client = connect(args.server)
    if args.action == "list":
        return _list(client, args.limit, as_json=args.json)
    job = await_job(client, args.job) if args.action == "watch" else _done(client, args)
    if args.json:
        emit(job)
    else:
        print(_described(job))
    return _status(job) if args.action == "watch" else Exit.OK


def _done(client: Client, args: argparse.Namespace) -> dict[str, Any]:
    """The job after the action."""
    match args.action:
        case "cancel":
            return client.jobs.cancel(args.job)
        case "pause":
            return client.jobs.change(args.job, paused=True)
        case "resume":
            return client.jobs.change(args.job, paused=False)
        case "rank":
            return client.jobs.change(args.job, rank=args.rank)
        case _:
            return client.jobs.get(args.job)


def _list(client: Client, limit: int, *, as_json: bool) -> int:
    jobs = client.jobs.newest(limit)
    if as_json:
        emit({"jobs": jobs})
        return Exit.OK
    head = ("job", "kind", "state", "cutouts", "scored", "rejected", "versions", "priority", "created")
    rows = [
        (
            *(job[key] for key in ("id", "kind", "state", "items", "scored", "rejected")),
            ",".join(_versions(job)),
            job["priority"],
            _moment(job["created"]),
        )
        for job in jobs
    ]
    print(table(head, rows) if rows else "no jobs yet")
    return Exit.OK


def _described(job: dict[str, Any]) -> str:
    lines = [
        told(job),
        f"state     {job['state']}",
        f"versions  {', '.join(_versions(job)) or '-'}",
        f"priority  {job['priority']}",
        f"owner     {job['owner']}",
        f"created   {_moment(job['created'])}",
    ]
    if job["kind"] == "rescore":
        share = "all workers" if job["share"] is None else f"{100 * job['share']:.0f} % of the workers"
        lines += [f"filter    {job['filter'] or 'every cutout'}", f"rank      {job['rank']}, {share}"]
    if job["training"] is not None:
        wanted = ", ".join(f"{k} {v}" for k, v in job["training"]["request"].items() if v is not None)
        lines += [f"training  {wanted}", f"device    {job['training']['device'] or '-'}"]
    lines += [f"worker    {name}, {rate:.1f}/s" for name, rate in sorted(job["workers"].items())]
    if job["finished"]:
        lines.append(f"finished  {_moment(job['finished'])}")
    return "\n".join(lines)


def _versions(job: dict[str, Any]) -> list[str]:
    """Those that a job uses, or the one that a training became."""
    made = [job["training"]["version"]] if job["training"] is not None else []
    return [*job["versions"], *(version for version in made if version is not None)]


def _moment(text: str | None) -> str | None:
    """`2026-01-31 12:34:56 UTC` of what the service says."""
    return None if text is None else f"{text[:19].replace('T', ' ')} UTC"


def _status(job: dict[str, Any]) -> int:
    if job["state"] in ("cancelled", "failed"):
        return Exit.FAILED
    return Exit.REJECTIONS if job["rejected"] else Exit.OK
