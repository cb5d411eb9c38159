"""Verbs that have actions of their own, such as `jobs list`: `--json` and `--server` may stand anywhere."""

import argparse
from typing import Any


def add_action(actions: Any, name: str, said: str) -> argparse.ArgumentParser:
    """Add one action to what `add_subparsers` returned."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=said, description=said, allow_abbrev=False
    )
    quiet = argparse.SUPPRESS  # no default, which would undo what stood before the action
    parser.add_argument("--json", action="store_true", default=quiet, help="print one JSON object")
    parser.add_argument("--server", metavar="URL", default=quiet, help="speak to a service elsewhere")
    return parser
