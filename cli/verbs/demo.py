"""`./streaks demo`: the whole service, fresh, on servers of its own, and how it scores a sample night."""

import argparse
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.client import Client
from cli.collect import collect
from cli.connection import local_client
from cli.exit_codes import Exit
from cli.local.interrupts import interrupts
from cli.local.programs import ROOT
from cli.local.record import RecordFile
from cli.local.service import Service
from cli.output import emit, say
from cli.tables import duration, table
from cli.verbs.score import submit
from cli.verdict import Truth, matrices, read_truth
from cli.watching import await_job
from core.errors import Conflict, Misconfigured
from core.service_secrets import read_secrets
from core.settings import Settings, load_settings

SAMPLE = ROOT / "sample" / "night"
MARK = ".made-by-demo"  # in the folder that a demo may empty
_KEPT = frozenset({MARK, "service.lock"})
_OWN = ("DA_MONGO_URL", "DA_REDIS_URL", "DA_BLOB_URL", "DA_MONGO_DATABASE", "DA_SECRETS_FILE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--once`."""
    parser.add_argument("--once", action="store_true", help="stop when the sample night is scored")


def run(args: argparse.Namespace) -> int:
    """Score the sample night; without --once the service then stays until Ctrl-C."""
    truths = read_truth(SAMPLE / "truth.csv")
    settings = fresh_settings()
    service = Service(settings, say=say)
    with interrupts(on_second=service.hurry), service:
        client = local_client(service.url, service.secrets_file)
        began = time.monotonic()
        results = _score_sample(client)
        seconds = time.monotonic() - began
        report = _report(client, results, truths, seconds)
        if args.json:
            emit(report)
        else:
            _print_report(report, results, truths)
            _print_places(service)
        if not args.once:
            say("Ctrl-C stops it")
            service.wait()
    return Exit.OK if report["scored"] + report["rejected"] == len(truths) else Exit.FAILED


def fresh_settings() -> Settings:
    """Settings of a service that shares nothing with another one, its state folder empty.

    Raises Conflict when a demo runs already, or when that folder holds what no demo put there.
    """
    state_dir = (load_settings().state_dir / "demo").absolute()
    _refuse_foreign(state_dir)
    record_file = RecordFile(state_dir)
    if not record_file.acquire():
        record = record_file.read()
        where = f" at {record.url}" if record is not None else ""
        raise Conflict(f"a demo runs already{where}; stop it with Ctrl-C where it was started")
    try:
        (state_dir / MARK).touch()
        record_file.clear_leftovers()
        for entry in state_dir.iterdir():
            if entry.name not in _KEPT:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    finally:
        record_file.release()
    for name in _OWN:  # the processes of the service read the environment, too
        os.environ.pop(name, None)
    os.environ["DA_BLOB_URL"] = f"file://{state_dir}/blobs"
    os.environ.setdefault("DA_SCORING__ALLOW_CPU", "true")  # the requirements that it installs are the CPU's
    return load_settings(
        state_dir=state_dir, secrets_file=state_dir / "secrets.json", mongo_url=None, redis_url=None
    )


def _refuse_foreign(folder: Path) -> None:
    """Raise Conflict unless the folder is one that a demo made, and may empty, or has nothing in it."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if names - _KEPT and MARK not in names:
        raise Conflict(
            f"{folder} is not empty and no demo made it; move it away, or set DA_STATE_DIR to another folder"
        )


def _score_sample(client: Client) -> list[dict[str, Any]]:
    say(f"scoring the sample night, {SAMPLE.relative_to(ROOT)}")
    accepted = submit(client, collect(["stamps"], folder=SAMPLE))
    job = await_job(client, accepted["job"])
    return list(client.jobs.results(job["id"]))


def _report(
    client: Client, results: list[dict[str, Any]], truths: dict[str, Truth], seconds: float
) -> dict[str, Any]:
    unknown = sorted({str(result["id"]) for result in results} - set(truths))
    if unknown:
        raise Misconfigured(f"{unknown[0]} is in {SAMPLE} and not in its truth.csv")
    versions = {version for result in results for version in result["versions"].values()}
    thresholds = {version: float(client.models.get(version)["threshold"]) for version in versions}
    rejected = sum(result["rejection"] is not None for result in results)
    return {
        "cutouts": len(truths),
        "scored": len(results) - rejected,
        "rejected": rejected,
        "plausible": sum(result["plausible"] is True for result in results),
        "seconds": round(seconds, 2),
        "truth": matrices(results, truths, thresholds),
        "url": client.url,
    }


def _print_report(
    report: dict[str, Any], results: Iterable[dict[str, Any]], truths: dict[str, Truth]
) -> None:
    passed = {True: "plausible", False: "not", None: "rejected"}
    kinds = Counter(truth.kind for truth in truths.values())
    found = Counter((truths[result["id"]].kind, passed[result["plausible"]]) for result in results)
    rows = [
        (kind.replace("_", " "), _what(kind, truths), n, *(found[kind, word] for word in passed.values()))
        for kind, n in sorted(kinds.items(), key=lambda pair: (_what(pair[0], truths), pair[0]))
    ]
    took, rate = duration(report["seconds"]), 2 * report["scored"] / report["seconds"]
    scored = f"{report['scored']} scored ({rate:.0f} scores/s)"
    rest = f"{report['rejected']} rejected, {report['plausible']} plausible"
    print(f"\n{report['cutouts']} cutouts in {took}: {scored}, {rest}\n")
    print(table(("simulated as", "truth", "cutouts", *passed.values()), rows))
    print(_matrix("rb, real or bogus", report["truth"]["rb"], "bogus", "real"))
    print(_matrix("sl, short or long, of the true streaks", report["truth"]["sl"], "long", "short"))


def _what(kind: str, truths: dict[str, Truth]) -> str:
    lengths = {truth.sl for truth in truths.values() if truth.kind == kind and truth.rb}
    return "bogus" if not lengths else " or ".join(sorted("short" if sl else "long" for sl in lengths))


def _matrix(title: str, matrix: list[list[int]], zero: str, one: str) -> str:
    rows = [(f"truly {name}", *counts) for name, counts in zip((zero, one), matrix, strict=True)]
    return f"\n{title}\n" + table(("", f"called {zero}", f"called {one}"), rows)


def _print_places(service: Service) -> None:
    secrets = read_secrets(service.secrets_file)
    admin, flower = secrets.database, secrets.flower
    rows = [("service", service.url, admin.admin_username, admin.admin_password.get_secret_value())]
    if flower is not None:
        rows.append(("Flower", service.record.flower_url, flower.user, flower.password.get_secret_value()))
    print("\n" + table(("", "at", "user", "password"), rows))
