"""`./streaks notify`: be told of new matches of a saved query, or of jobs that end."""

import argparse
from typing import Any

from cli.actions import add_action
from cli.client import Client
from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit
from cli.tables import table

Answer = tuple[dict[str, Any], list[str]]
"""What --json prints, and the lines that people read."""

_STATES = ("delivered", "pending", "dead")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which subscription."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list | add | show | trial | retry | remove"
    )
    add_action(actions, "list", "your subscriptions, and how many messages are in which state")
    adding = add_action(actions, "add", "be told of what is scored from now on and matches FILTER")
    adding.add_argument("name", metavar="NAME", help="what messages call it")
    adding.add_argument("filter", nargs="?", default="", metavar="FILTER", help="such as 'plausible'")
    adding.add_argument("--jobs", action="store_true", help="instead of jobs that end; without FILTER")
    adding.add_argument("--everybodys", action="store_true", help="with --jobs: not only your own")
    way = adding.add_mutually_exclusive_group(required=True)
    way.add_argument("--webhook", metavar="URL", help="messages are posted there as JSON, signed")
    way.add_argument("--mail", metavar="ADDRESS")
    for name, said in (
        ("show", "one, with its latest messages and what went wrong"),
        ("trial", "send a message without matches"),
        ("retry", "send again what was given up"),
        ("remove", "end it"),
    ):
        add_action(actions, name, said).add_argument("id", metavar="ID")


def run(args: argparse.Namespace) -> int:
    """Do it, and print what the service says."""
    client = connect(args.server)
    actions = {"add": _add, "show": _show, "trial": _trial, "retry": _retry, "remove": _remove}
    found, lines = _list(client) if args.action == "list" else actions[args.action](client, args)
    if args.json:
        emit(found)
    else:
        print("\n".join(lines))
    return Exit.OK


def _list(client: Client) -> Answer:
    found = client.subscriptions.all()
    rows = [
        (s["id"], s["name"], s["target"], _told(s), *(s["messages"].get(state, 0) for state in _STATES))
        for s in found
    ]
    head = ("id", "name", "to", "of", *_STATES)
    lines = [table(head, rows) if rows else "no subscriptions"]
    lines += [f"{s['id']} is not told: {s['fault']}" for s in found if s["fault"]]
    return {"subscriptions": found}, lines


def _add(client: Client, args: argparse.Namespace) -> Answer:
    wanted: dict[str, Any] = {"name": args.name, "event": "jobs" if args.jobs else "matches"}
    wanted |= {"filter": args.filter, "everybodys": args.everybodys}
    wanted |= {"webhook": args.webhook} if args.webhook else {"mail": args.mail}
    made = client.subscriptions.add(wanted)
    lines = [f"{made['id']}: {made['target']} is told of {_told(made)}"]
    if made["secret"]:
        lines.append(f"messages are signed by this secret, which is shown this once: {made['secret']}")
    return made, lines


def _show(client: Client, args: argparse.Namespace) -> Answer:
    found = client.subscriptions.get(args.id)
    lines = [f"{found['id']} {found['name']}: {found['target']} is told of {_told(found)}"]
    lines += [f"not told: {found['fault']}"] if found["fault"] else []
    rows = [
        (m["created"][:19], m["state"], m["entries"], m["attempts"], m["last_error"] or "")
        for m in found["latest"]
    ]
    lines += (
        [table(("made", "state", "entries", "tries", "last error"), rows)] if rows else ["no messages yet"]
    )
    return found, lines


def _trial(client: Client, args: argparse.Namespace) -> Answer:
    sent = client.subscriptions.trial(args.id)
    return sent, [f"{sent['id']} is being sent; ./streaks notify show {args.id} tells what became of it"]


def _retry(client: Client, args: argparse.Namespace) -> Answer:
    done = client.subscriptions.retry(args.id)
    return done, [f"{done['retried']:,} sent again"]


def _remove(client: Client, args: argparse.Namespace) -> Answer:
    client.subscriptions.remove(args.id)
    return {"id": args.id, "removed": True}, [f"{args.id} is removed"]


def _told(subscription: dict[str, Any]) -> str:
    if subscription["event"] == "matches":
        return str(subscription["filter"])
    return "everybody's jobs" if subscription["everybodys"] else f"{subscription['owner']}'s jobs"
