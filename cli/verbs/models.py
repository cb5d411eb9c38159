"""`./streaks models`: the registered networks."""

import argparse

from cli.actions import add_action
from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit
from cli.tables import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which version."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | show")
    add_action(actions, "list", "every version and its stage")
    add_action(actions, "show", "one version's card").add_argument("version", metavar="rb@1")


def run(args: argparse.Namespace) -> int:
    """Print the versions, or one card."""
    client = connect(args.server)
    if args.action == "show":
        card = client.model(args.version)
        if args.json:
            emit(card)
        else:
            print("\n".join(_lines(card)))
        return Exit.OK
    models = client.models()
    if args.json:
        emit({"models": models})
        return Exit.OK
    keys = ("version", "stage", "architecture", "parameters", "recipe", "threshold")
    rows = [(*(model[key] for key in keys), model["created"][:10]) for model in models]
    print(table((*keys, "created"), rows) if rows else "no model versions are registered")
    return Exit.OK


def _lines(value: dict[str, object], indent: str = "") -> list[str]:
    """A card as lines of `name  value`, what is nested indented below its name."""
    lines: list[str] = []
    width = max(map(len, value), default=0)
    for key, entry in value.items():
        if isinstance(entry, dict):
            lines += [f"{indent}{key}", *_lines(entry, indent + "  ")]
        else:
            lines.append(f"{indent}{key:{width}}  {entry}")
    return lines
