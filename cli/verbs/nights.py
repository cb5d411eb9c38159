"""`./streaks nights`: ingest a night with its metadata, and see its ledger."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.actions import add_action
from cli.caller import from_caller
from cli.client import Client, Json
from cli.connection import connect
from cli.exit_codes import Exit
from cli.night_files import in_parcels, night_files
from cli.output import emit, say
from cli.tables import count, table
from core.errors import InvalidRequest

_URL = re.compile(r"^[a-z][a-z0-9+.-]*://")
_NAMED = 20
_COUNTED = ("metadata", "ades", "cutouts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which night."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | show | ingest")
    listed = add_action(actions, "list", "the latest nights, in numbers")
    listed.add_argument("--limit", type=int, default=30, metavar="N")
    shown = add_action(actions, "show", "a night's ledger, each missing id by name")
    shown.add_argument("night", metavar="20180927")
    ingest = add_action(actions, "ingest", "bring a night, or more of it; what came before changes nothing")
    ingest.add_argument(
        "paths", nargs="+", metavar="PATH", help="a folder, files, a zip, a tar.gz, or a bucket's s3://…/"
    )
    ingest.add_argument("--night", metavar="20180927", help="of files whose names don't tell it")


def run(args: argparse.Namespace) -> int:
    """Print nights, or a ledger; or ingest, with exit status 3 when something could not be joined."""
    client = connect(args.server)
    if args.action == "ingest":
        return _ingest(client, args)
    found, lines = _list(client, args) if args.action == "list" else _show(client, args)
    if args.json:
        emit(found)
    else:
        print("\n".join(lines))
    return Exit.OK


def _ingest(client: Client, args: argparse.Namespace) -> int:
    told: dict[str, Json] = {}
    for night, answer in _answers(client, args.paths, args.night):
        told[night] = _together(told[night], answer) if night in told else _first(answer)
    if args.json:
        emit({"nights": list(told.values())})
    else:
        print("\n".join(line for night in told.values() for line in _told(night)))
    wrong = any(n["faults_count"] or n["cutouts"]["conflicts"] for n in told.values())
    return Exit.REJECTIONS if wrong else Exit.OK


def _answers(client: Client, paths: Sequence[str], night: str | None) -> Iterator[tuple[str, Json]]:
    """What the service says of each part; nothing is sent where a path is wrong."""
    prefixes = [path for path in paths if _URL.match(path)]
    if prefixes and night is None:
        raise InvalidRequest(f"{prefixes[0]} does not tell its night; say it with --night 20180927")
    local: list[Path] = [from_caller(path) for path in paths if not _URL.match(path)]
    if local:
        found = night_files(local, night=night)
        if found.left_out:
            say(f"not of a night's layout, left out: {_named(found.left_out)}")
        for own, files in sorted(found.by_night.items()):
            for parcel in in_parcels(files):
                yield own, client.nights.ingest_files(own, parcel)
    for prefix in prefixes:
        yield str(night), client.nights.ingest_prefix(str(night), prefix)


def _first(answer: Json) -> Json:
    return {**answer, "jobs": [answer["job"]] if answer["job"] else []}


def _together(told: Json, answer: Json) -> Json:
    """Two answers of one night as one."""
    summed: Json = {key: {n: told[key][n] + answer[key][n] for n in answer[key]} for key in _COUNTED}
    for key in ("changed", "tables", "faults_count", "ignored_count", "faults", "ignored"):
        summed[key] = told[key] + answer[key]
    jobs = [*told["jobs"], *([answer["job"]] if answer["job"] else [])]
    return {**told, **summed, "job": told["job"] or answer["job"], "jobs": jobs}


def _told(night: Json) -> list[str]:
    words = [
        f"{night['night']}: " + (f"{night['changed']:,} changed" if night["changed"] else "nothing changed"),
        *(f"{key}: {_counts(night[key])}" for key in _COUNTED if night[key]["came"]),
        *(f"job {job}; ./streaks jobs watch {job} tells how far it is" for job in night["jobs"]),
    ]
    if night["ignored_count"]:
        words.append(f"not of a night's layout: {_named(night['ignored'], night['ignored_count'])}")
    return words + _faults(night["faults"], night["faults_count"])


def _counts(counts: Mapping[str, int]) -> str:
    """Such as `24 came, 20 joined, 4 unchanged`."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number or name == "came")


def _list(client: Client, args: argparse.Namespace) -> tuple[Json, list[str]]:
    nights = client.nights.latest(args.limit)
    keys = ("night", "ids", "metadata", "ades", "cutouts", "scored", "candidates", "faults")
    rows = [[night[key] for key in keys] for night in nights]
    return {"nights": nights}, [table(keys, rows) if rows else "nothing is on record of any night"]


def _show(client: Client, args: argparse.Namespace) -> tuple[Json, list[str]]:
    found = client.nights.get(args.night)
    summary, files = found["summary"], found["files"]
    states = ", ".join(f"{n:,} {state}" for state, n in files.items() if n) or "none ingested"
    lines = [
        f"{summary['night']}: {count(summary['ids'], 'streak')}, {summary['metadata']:,} with metadata, "
        f"{summary['ades']:,} with ADES, {summary['cutouts']:,} with a cutout",
        f"tables: {', '.join(found['tables']) or 'none'}",
        f"files: {states}",
        f"candidates: {summary['candidates']:,}",
    ]
    rows = [(version, n["scored"], n["rejected"]) for version, n in found["scores"].items()]
    lines += [table(("version", "scored", "rejected"), rows)] if rows else ["no scores yet"]
    for key in ("rejections", "conflicts"):
        lines += [f"{key}: {found[key]['count']:,}"] if found[key]["count"] else []
        lines += [f"  {_file(file)}" for file in found[key]["named"]]
    lines += _faults(found["faults"]["named"], found["faults"]["count"], most=len(found["faults"]["named"]))
    lines += [f"missing: {count(len(found['missing_ids']), 'id')}"] if found["missing_ids"] else []
    lines += [
        f"  {missing['id']}: no {' and no '.join(missing['lacks'])}" for missing in found["missing_ids"]
    ]
    return found, lines


def _file(file: Mapping[str, Any]) -> str:
    return f"{file['file']}: {file['reason']}, {file['detail']}"


def _faults(faults: Sequence[Mapping[str, Any]], total: int, *, most: int = _NAMED) -> list[str]:
    if not total:
        return []
    lines = [f"not joined: {count(total, 'fault')}"]
    for fault in faults[:most]:
        where = fault["name"] if fault["line"] is None else f"{fault['name']}:{fault['line']}"
        lines.append(f"  {where}: {fault['reason']}, {fault['detail']}")
    return lines + ([f"  … and {total - most:,} more; --json has them"] if total > most else [])


def _named(names: Sequence[str], total: int | None = None) -> str:
    of = len(names) if total is None else total
    return f"{count(of, 'file')} ({', '.join(names[:5])}{', …' if of > 5 else ''})"
