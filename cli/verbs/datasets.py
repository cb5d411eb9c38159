"""`./streaks datasets`: labelled cutouts, frozen to train and to measure on."""

import argparse
from collections.abc import Mapping
from typing import Any

from cli.actions import add_action
from cli.caller import from_caller
from cli.client import Client, Json
from cli.connection import connect
from cli.dataset_files import dataset_files
from cli.exit_codes import Exit
from cli.output import emit, say
from cli.tables import count, table
from core.errors import InvalidRequest

_NAMED = 5
_REASONS = {
    "no_label": "images that nobody labelled",
    "no_image": "labels whose image did not come",
    "disputed": "without a majority, or with too few people",
    "unreadable": "that do not decode",
    "conflict": "other bytes under a streak id, or one name for several images",
    "duplicate": "the same bytes under another name",
    "superseded": "labels of an earlier export",
    "benchmark": "held back for a benchmark",
    "not_used": "files that are no images",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which data set."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="create | list | show")
    create = add_action(actions, "create", "freeze a data set from a folder, a zip, or the labels on record")
    create.add_argument("name", metavar="NAME", help="such as rb-2026.1; a data set never changes")
    create.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        help="a folder or zip: images in folders called as the classes, or the old site's export",
    )
    create.add_argument("--classifier", required=True, metavar="rb")
    create.add_argument("--from-labels", action="store_true", help="of the labels on record")
    create.add_argument("--classes", metavar="ZERO,ONE", help="of a classifier that is not rb, sl or kd")
    create.add_argument("--seed", type=int, default=0, help="decides the split")
    create.add_argument("--shares", default="80,10,10", help="of train, validation and test")
    create.add_argument("--min-votes", type=int, default=1, help="fewer people than this are no label")
    create.add_argument("--benchmark", action="store_true", help="hold it back from every later training")
    add_action(actions, "list", "every data set")
    add_action(actions, "show", "one data set's card").add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Print the data sets or one card; or freeze one."""
    if args.action == "create" and (args.path is None) != args.from_labels:
        given = "both" if args.from_labels else "neither"
        raise InvalidRequest(f"{given} of PATH and --from-labels came; expected one of them")
    client = connect(args.server)
    actions = {"create": _create, "show": _show}
    found, lines = actions.get(args.action, _list)(client, args)
    if args.json:
        emit(found)
    else:
        print("\n".join(lines))
    return Exit.OK


def _create(client: Client, args: argparse.Namespace) -> tuple[Json, list[str]]:
    wanted = {key: getattr(args, key) for key in ("name", "classifier", "seed", "shares", "min_votes")}
    wanted |= {"benchmark": args.benchmark} | ({"classes": args.classes} if args.classes else {})
    if args.from_labels:
        created = client.datasets.freeze_labels(wanted)
    else:
        found = dataset_files(from_caller(args.path))
        if found.left_out:
            more = ", …" if len(found.left_out) > _NAMED else ""
            named = ", ".join(found.left_out[:_NAMED])
            say(f"not sent, no images and no labels: {count(len(found.left_out), 'file')} ({named}{more})")
        created = client.datasets.freeze_files(found.files, {k: str(value) for k, value in wanted.items()})
    card = created["dataset"]
    if created["existing"]:
        say(f"these contents are on record already, as data set {card['name']}")
    return created, _lines(card)


def _show(client: Client, args: argparse.Namespace) -> tuple[Json, list[str]]:
    card = client.datasets.get(args.name)
    return card, _lines(card)


def _list(client: Client, _: argparse.Namespace) -> tuple[Json, list[str]]:
    cards = client.datasets.all()
    rows = [
        (
            card["name"],
            card["classifier"],
            *(sum(card["counts"][split].values()) for split in ("train", "validation", "test")),
            card["source"],
            "benchmark" if card["benchmark"] else "",
            card["created"][:10],
        )
        for card in cards
    ]
    head = ("name", "classifier", "train", "validation", "test", "from", "", "created")
    return {"datasets": cards}, [table(head, rows) if rows else "there are no data sets"]


def _lines(card: Mapping[str, Any]) -> list[str]:
    """A card for people: numbers by split and class, the rule, and what was left out."""
    rows = [
        (split, *(card["counts"][split][name] for name in card["classes"]), card["nights"][split])
        for split in ("train", "validation", "test")
    ]
    benchmark = f", the benchmark of {card['classifier']}" if card["benchmark"] else ""
    lines = [
        f"{card['name']}: {card['classifier']}, from {card['source']}, by {card['owner']}{benchmark}",
        table(("split", *card["classes"], "nights"), rows),
        f"labels: {card['consensus']}",
        f"seed {card['seed']}, fingerprint {card['fingerprint']}",
    ]
    for found in card["left_out"]:
        more = f", … (all at /v1/datasets/{card['name']}/left-out)" if found["count"] > _NAMED else ""
        named = ", ".join(found["names"][:_NAMED])
        lines.append(f"left out: {found['count']:,} {_REASONS[found['reason']]}: {named}{more}")
    return lines
