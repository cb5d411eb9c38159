"""`./streaks train CLASSIFIER --dataset PRESET`: have a network trained, and wait for it."""

import argparse
from typing import Any

from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit, say
from cli.tables import table
from cli.watching import await_job
from core.training import ARCHITECTURES, RECIPES

TESTS = ("test", "benchmark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to train, on what and how."""
    parser.add_argument("classifier", metavar="CLASSIFIER", help="rb or sl")
    parser.add_argument("--dataset", required=True, metavar="PRESET", help="such as rb-2018.9")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="vgg6")
    parser.add_argument(
        "--recipe", choices=tuple(RECIPES), default="default", help="2018: the published card's"
    )
    parser.add_argument("--epochs", type=int, help="at most; the recipe's by default")
    parser.add_argument("--batch-size", type=int, help="the recipe's by default")
    parser.add_argument("--learning-rate", type=float, help="the highest; the recipe's by default")
    parser.add_argument("--seed", type=int, default=1, help="of data, starting weights and order (1)")
    parser.add_argument("--count", type=int, help="cutouts; the preset's own number by default")
    parser.add_argument(
        "--from", dest="start_from", metavar="VERSION", help="go on from its weights, as rb@3"
    )
    parser.add_argument("--no-wait", action="store_true", help="print the job's id and return")


def run(args: argparse.Namespace) -> int:
    """Submit, wait, and print the candidate's figures; exits 1 when there is none."""
    client = connect(args.server)
    job_id = client.jobs.submit_training(_wanted(args))["job"]
    if args.no_wait:
        emit({"job": job_id}) if args.json else print(job_id)
        return Exit.OK
    say(f"job {job_id}; to leave it is no harm: ./streaks jobs watch {job_id}")
    job = await_job(client, job_id)
    version = job["training"]["version"]
    card = client.models.get(version) if version is not None else None
    if args.json:
        emit({"job": job, "model": card})
    elif card is not None:
        print(_figures(card))
        say(f"./streaks models promote {version} puts it into production")
    return Exit.OK if card is not None else Exit.FAILED


def _wanted(args: argparse.Namespace) -> dict[str, Any]:
    """What came on the command line; the service knows the rest."""
    names = ("classifier", "dataset", "architecture", "recipe", "epochs", "batch_size", "learning_rate")
    given = {name: getattr(args, name) for name in (*names, "seed", "count")} | {"from": args.start_from}
    return {name: value for name, value in given.items() if value is not None}


def _figures(card: dict[str, Any]) -> str:
    rows = [
        (name, found["dataset"], found["n"], found["tpr"], found["tnr"], found["auc"])
        for name in TESTS
        if (found := card["metrics"].get(name)) is not None
    ]
    return f"{card['version']}, {card['architecture']}\n" + table(
        ("measured on", "preset", "cutouts", "TPR", "TNR", "AUC"), rows
    )
