"""`./streaks invite`: let another host work for the service that runs here; list and withdraw invitations."""

import argparse
from pathlib import Path

from cli.caller import from_caller
from cli.connection import running_service
from cli.exit_codes import Exit
from cli.hosts.admission import Admission
from cli.local.entrance import Entrance
from cli.output import emit, say
from cli.tables import table
from core.errors import InvalidRequest, Misconfigured, Unavailable
from core.settings import Settings, load_settings

LONGEST_DAYS = 3650.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to write where, and the two other things to do."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the invitation; default: NAME.invitation",
    )
    parser.add_argument("--days", type=float, default=90.0, metavar="N", help="it holds so long (90)")
    parser.add_argument("--note", default="", metavar="TEXT", help="for whom it is, shown by --list")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="who is invited, and until when")
    other.add_argument("--withdraw", metavar="NAME", help="let that host in no more, and cut it off")


def run(args: argparse.Namespace) -> int:
    """Write an invitation, list them, or withdraw one."""
    if not 0 < args.days <= LONGEST_DAYS:
        raise InvalidRequest(f"--days {args.days}; expected more than 0 and at most {LONGEST_DAYS:.0f}")
    if args.server is not None:
        raise InvalidRequest("an invitation is written where the service runs; leave out --server")
    settings = load_settings()
    with Admission(settings, _gateway(settings)) as admission:
        for name in admission.tidy():
            say(f"the invitation of {name} is over")
            _say_where_it_stays(admission, name)
        if args.list:
            return _list(admission, as_json=args.json)
        if args.withdraw is not None:
            return _withdraw(admission, args.withdraw, as_json=args.json)
        return _write(admission, args)


def _gateway(settings: Settings) -> str:
    """`NAME:PORT` at which other hosts reach the service that runs here."""
    if settings.behind_gateway:
        return Entrance.named(settings)
    record = running_service(settings)
    if record is None:
        raise Unavailable("no service is running here; start one with ./streaks up --listen ADDRESS")
    return record.gateway


def _write(admission: Admission, args: argparse.Namespace) -> int:
    if args.output is not None and not from_caller(args.output).absolute().parent.is_dir():
        raise Misconfigured(f"{from_caller(args.output).parent} is no folder; expected one for the file")
    invitation = admission.invite(note=args.note, days=args.days)
    path = from_caller(args.output or f"{invitation.name}.invitation").absolute()
    try:
        invitation.write(path)
    except OSError:
        admission.withdraw(invitation.name)
        raise
    say(f"until {invitation.expires[:16]} UTC; it holds passwords: copy it by ssh, and remove it afterwards")
    if own := admission.own_servers:
        say(
            f"it holds the service's own account of {' and '.join(own)}: who has the file may do there what "
            "the service may, also when it is withdrawn"
        )
    say(f"on the other host: ./streaks worker --invitation {path.name}")
    if args.json:
        emit({"name": invitation.name, "file": str(path), "expires": invitation.expires})
    else:
        print(path)
    return Exit.OK


def _withdraw(admission: Admission, name: str, *, as_json: bool) -> int:
    admission.withdraw(name)
    say(f"{name} is let in no more")
    _say_where_it_stays(admission, name)
    if as_json:
        emit({"withdrawn": name, "not_cut_off_from": admission.own_servers})
    return Exit.FAILED if admission.own_servers else Exit.OK


def _say_where_it_stays(admission: Admission, name: str) -> None:
    if own := admission.own_servers:
        say(
            f"{name} can't be cut off from {' and '.join(own)}: its invitation holds the service's own "
            "account there; change that password, or close the server to that host"
        )


def _list(admission: Admission, *, as_json: bool) -> int:
    guests = admission.guests()
    if as_json:
        emit(
            {"invited": [{"name": g.name, "note": g.note, "expires": g.expires.isoformat()} for g in guests]}
        )
    else:
        rows = [(g.name, f"{g.expires:%Y-%m-%d %H:%M}", g.note) for g in guests]
        print(table(("host", "until (UTC)", "note"), rows))
    return Exit.OK
