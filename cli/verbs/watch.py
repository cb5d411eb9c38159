"""`./streaks watch`: nights as they come in."""

import argparse
import hashlib
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from cli.caller import from_caller
from cli.client import Client
from cli.connection import connect
from cli.depot import nights_or_latest, opened_depot
from cli.exit_codes import Exit
from cli.output import emit, say
from cli.tables import count
from cli.watch import Delivered, SentFiles, WatchedFolder, deliver
from core.errors import InvalidRequest, NotFound, Unavailable
from core.settings import load_settings
from cutouts.nights import is_night

_NAMED = 1000
_EVERY_S = 2.0
_DEPOT_EVERY_S = 30.0


@dataclass
class Told:
    """What came of a watch: answers, cutouts to be scored, and by name what was refused or not joined."""

    files: int = 0
    submitted: int = 0
    jobs: list[str] = field(default_factory=list)
    faults_count: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)

    def add(self, delivered: Delivered) -> None:
        """Count files that the service has an answer for, and tell of them."""
        self.files += len(delivered.files)
        if delivered.answer is None:
            self._fault(
                {"name": delivered.files[0].file.name, "reason": "refused", "detail": delivered.refusal}
            )
            return
        answer = delivered.answer
        self.submitted += answer["cutouts"]["submitted"]
        self.jobs += [answer["job"]] if answer["job"] else []
        for fault in answer["faults"]:
            self._fault(fault)
        if answer["cutouts"]["conflicts"]:
            detail = f"{answer['cutouts']['conflicts']} ids are on record with other bytes"
            self._fault({"name": answer["night"], "reason": "conflict", "detail": detail})
        if answer["changed"]:
            told = f"{answer['night']}: {count(answer['cutouts']['submitted'], 'cutout')} to be scored"
            joined = answer["metadata"]["joined"] + answer["ades"]["joined"]
            say(told + (f", metadata of {joined:,} joined" if joined else ""))

    def take(self, delivered: Delivered | None, fault: dict[str, Any] | None) -> None:
        """Count what came, or name what did not."""
        if delivered is not None:
            self.add(delivered)
        if fault is not None:
            self._fault(fault)

    @property
    def sentence(self) -> str:
        """In numbers."""
        return f"{count(self.files, 'file')}, {count(self.submitted, 'cutout')} to be scored"

    @property
    def status(self) -> Exit:
        """With which the verb ends."""
        return Exit.REJECTIONS if self.faults_count else Exit.OK

    def _fault(self, fault: dict[str, Any]) -> None:
        self.faults_count += 1
        if len(self.faults) < _NAMED:
            self.faults.append(fault)
        say(f"{fault['name']}: {fault['reason']}, {fault['detail']}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, and when a file is complete."""
    parser.add_argument(
        "folder", metavar="DIR | URL", help="where a night's files appear; a depot's URL is fetched from"
    )
    parser.add_argument("--night", metavar="20180927", help="of files whose names don't tell it")
    parser.add_argument(
        "--settle", type=float, default=5.0, metavar="SECONDS", help="a whole file is the same for as long"
    )
    parser.add_argument(
        "--stalled",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="a file that ends early is sent as it is after as long without a change",
    )
    parser.add_argument("--every", type=float, metavar="SECONDS", help="between two looks: 2, at a depot 30")
    parser.add_argument(
        "--until-idle", type=float, metavar="SECONDS", help="end when nothing has come for as long"
    )


def run(args: argparse.Namespace) -> int:
    """Watch until interrupted, or idle; exit 3 when something was refused or could not be joined."""
    if args.night is not None and not is_night(args.night):
        raise InvalidRequest(f"night {args.night[:40]!r}; expected a date as 20180927")
    if min(args.settle, args.stalled, args.every or 0, args.until_idle or 0) < 0:
        raise InvalidRequest("a negative number of seconds; expected 0 or more")
    told = _watch_depot(args) if "://" in args.folder else _watch_folder(args)
    if args.json:
        emit(asdict(told))
    else:
        print(told.sentence)
    return told.status


def _watch_depot(args: argparse.Namespace) -> Told:
    """Fetch what is new at a depot, again and again."""
    told, every_s, busy_at = Told(), args.every or _DEPOT_EVERY_S, time.monotonic()
    named: set[str] = set()
    with opened_depot(args.folder, connect(args.server), load_settings()) as intake:
        while True:
            try:
                for night in nights_or_latest([args.night] if args.night else []):
                    for fetched in intake.take(night):
                        busy_at = time.monotonic()
                        if fetched.fault is None or str(fetched.fault) not in named:
                            told.take(fetched.delivered, fetched.fault)
                        named |= {str(fetched.fault)}
            except Unavailable as error:
                say(f"{error}; trying again")
                busy_at = time.monotonic()
            if args.until_idle is not None and time.monotonic() - busy_at >= args.until_idle:
                return told
            time.sleep(every_s)


def _watch_folder(args: argparse.Namespace) -> Told:
    place = from_caller(args.folder).resolve()
    if not place.is_dir():
        raise NotFound(f"{place}: no such folder; expected the one in which a night's files appear")
    client = connect(args.server)
    name = hashlib.sha256(f"{client.url} {place}".encode()).hexdigest()[:32]
    folder = WatchedFolder(place, settle_s=args.settle, stalled_s=args.stalled)
    with SentFiles(load_settings().state_dir / "watch" / f"{name}.jsonl") as sent:
        say(f"watching {place}")
        return _watch(client, folder, sent, args)


def _watch(client: Client, folder: WatchedFolder, sent: SentFiles, args: argparse.Namespace) -> Told:
    told, busy_at, was_away = Told(), time.monotonic(), False
    while True:
        try:
            complete = folder.complete(sent, now=time.monotonic())
            for delivered in deliver(client, complete, night=args.night):
                sent.note(delivered.files)
                told.add(delivered)
            was_away = False
        except Unavailable as error:
            if not was_away:
                say(f"{error}; trying again")
            complete, was_away = [], True
        if complete or folder.waiting or was_away:
            busy_at = time.monotonic()
        elif args.until_idle is not None and time.monotonic() - busy_at >= args.until_idle:
            return told
        time.sleep(_EVERY_S if args.every is None else args.every)
