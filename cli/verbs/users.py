"""`./streaks users`: list, add and remove accounts, change their roles and passwords."""

import argparse
import getpass
import os
import secrets
import sys

from cli.actions import add_action
from cli.client import Client
from cli.connection import connect
from cli.exit_codes import Exit
from cli.output import emit
from cli.tables import table
from core.errors import InvalidRequest
from core.user import ROLES

PASSWORD = "DA_NEW_PASSWORD"  # noqa: S105  the name of a variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which account."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list | add | remove | role | password"
    )
    add_action(actions, "list", "every account and its role")
    adding = add_action(actions, "add", f"a new account; its password from {PASSWORD}, or asked for")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("--role", choices=ROLES, default="viewer", help="what it may do (viewer)")
    adding.add_argument("--generate", action="store_true", help="make a random password and print it")
    removing = add_action(
        actions, "remove", "an account; its sessions, tokens and subscriptions end, its labels stay"
    )
    removing.add_argument("name", metavar="NAME")
    role = add_action(actions, "role", "let an account do more or less, at once")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)
    password = add_action(actions, "password", "change one; the account's sessions and tokens end")
    password.add_argument("name", metavar="NAME")
    password.add_argument("--generate", action="store_true", help="make a random password and print it")


def run(args: argparse.Namespace) -> int:
    """Do it, as an administrator."""
    client = connect(args.server)
    match args.action:
        case "list":
            _list(client, as_json=args.json)
        case "add":
            password = _password(args)
            account = client.users.add(args.name, password, args.role)
            _tell(account, password if args.generate else None, as_json=args.json)
        case "remove":
            client.users.remove(args.name)
            _tell({"name": args.name, "removed": True}, None, as_json=args.json)
        case "role":
            _tell(client.users.change(args.name, role=args.role), None, as_json=args.json)
        case "password":
            password = _password(args)
            account = client.users.change(args.name, password=password)
            _tell(account, password if args.generate else None, as_json=args.json)
    return Exit.OK


def _list(client: Client, *, as_json: bool) -> None:
    users = client.users.all()
    if as_json:
        emit({"users": users})
    else:
        print(table(("name", "role"), [(user["name"], user["role"]) for user in users]))


def _tell(account: dict[str, object], password: str | None, *, as_json: bool) -> None:
    told = account | ({} if password is None else {"password": password})
    if as_json:
        emit(told)
    else:
        print("\n".join(f"{key:8}  {value}" for key, value in told.items()))


def _password(args: argparse.Namespace) -> str:
    """From the environment, made up, or typed twice; raises InvalidRequest where there is nobody to ask."""
    if args.generate:
        return secrets.token_urlsafe(15)
    given = os.environ.get(PASSWORD)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise InvalidRequest(f"no password; expected {PASSWORD} in the environment, --generate or a terminal")
    first, second = getpass.getpass("new password: "), getpass.getpass("once more: ")
    if first != second:
        raise InvalidRequest("two different passwords were typed; expected the same twice")
    return first
