"""`./streaks worker`: become one worker on this host, or keep one running on each of its GPUs."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from cli.caller import from_caller
from cli.exit_codes import Exit
from cli.local.interrupts import interrupts
from cli.local.private_files import private_folder
from cli.local.programs import ROOT, scoring_programs
from cli.local.record import RecordFile
from cli.local.secrets import secrets_path
from cli.local.supervisor import Program, Supervisor
from cli.output import say
from core.errors import NotInvited
from core.gpus import SEAT_TOKEN
from core.settings import Settings, load_settings


def run(args: argparse.Namespace) -> int:
    """Replace this process by `python -m worker`; with GPUs named, stay and keep one running on each.

    With `--invitation FILE` it works for the service that wrote it. Else, without DA_MONGO_URL and
    DA_REDIS_URL, the servers of the service that runs here are meant.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    invitation, rest = _invited(args.rest)
    if not {"-h", "--help"} & set(rest):
        try:
            os.environ.update(local_servers() if invitation is None else _joined(invitation))
        except NotInvited as error:
            return _not_invited(error)
        given, others = _device_options().parse_known_args(rest)
        os.environ.update(_device_settings(given))
        settings = load_settings()
        say("loading TensorFlow and the networks (up to 20 s)")
        if settings.scoring.gpus is not None and "--train" not in rest:
            return _keep_running(settings, others)
    return _become_worker(rest)


def _become_worker(arguments: Sequence[str]) -> NoReturn:
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "worker", *arguments])  # noqa: S606


def _invited(words: list[str]) -> tuple[Path | None, list[str]]:
    """The invitation, if one is named, and the words that are the worker's own."""
    parser = argparse.ArgumentParser(prog="./streaks worker", add_help=False, allow_abbrev=False)
    parser.add_argument("--invitation", type=Path)
    found, rest = parser.parse_known_args(words)
    return found.invitation and from_caller(found.invitation), rest


def _joined(invitation: Path) -> dict[str, str]:
    """The settings of a worker of the service that wrote this."""
    from cli.hosts.joining import join

    found = join(invitation, load_settings().state_dir)
    say(f"joining the service as {found['DA_GUEST']}, until {found['DA_GUEST_UNTIL'][:16]} UTC")
    return found


def _device_options() -> argparse.ArgumentParser:
    """Those that this process has to know; all are told of, and checked, by `python -m worker`."""
    parser = argparse.ArgumentParser(prog="./streaks worker", add_help=False, allow_abbrev=False)
    parser.add_argument("--gpus")
    parser.add_argument("--allow-cpu", action="store_true")
    return parser


def _device_settings(given: argparse.Namespace) -> dict[str, str]:
    found: dict[str, str] = {}
    if given.gpus is not None:
        found["DA_SCORING__GPUS"] = given.gpus
    if given.allow_cpu:
        found["DA_SCORING__ALLOW_CPU"] = "true"
    return found


def _keep_running(settings: Settings, arguments: Sequence[str]) -> int:
    """Keep a worker running on each GPU, until all have ended by themselves or a signal says so."""
    scoring = settings.scoring
    programs = scoring_programs(arguments, os.environ, gpus=str(scoring.gpus), allow_cpu=scoring.allow_cpu)
    programs = [_watched(program, settings, may_end="--exit-when-idle" in arguments) for program in programs]
    hurry = threading.Event()
    logs = private_folder(settings.state_dir.absolute() / "logs")
    supervisor = Supervisor((), logs=logs, cwd=ROOT, say=say, changed=lambda _: None, hurry=hurry)
    names = ", ".join(program.name for program in programs)
    with interrupts(on_second=hurry.set) as received:
        try:
            say(f"starting {names}; their logs are in {logs}")
            supervisor.start_programs(programs, threading.Event())
            say(f"ready: {names}")
            supervisor.watch(threading.Event())
        except NotInvited as error:
            return _not_invited(error)
        except KeyboardInterrupt:
            say("each finishes its shard")
            return Exit.INTERRUPTED if signal.SIGINT in received[:1] else Exit.OK
        finally:
            supervisor.stop()
    return Exit.OK


def _not_invited(error: NotInvited) -> int:
    """As `python -m worker` ends, so that what restarts workers can tell this end from others."""
    say(f"streaks: {error}")
    return os.EX_NOPERM


def _watched(program: Program, settings: Settings, *, may_end: bool) -> Program:
    """A worker that counts as ready once the record says so; a record that is away is waited for."""
    from pymongo.errors import PyMongoError

    from storage.record import open_record

    workers = open_record(settings, patience_s=1.0).workers

    def ready() -> bool:
        with suppress(PyMongoError):
            return workers.is_ready(program.env[SEAT_TOKEN])
        return False

    return replace(program, ready=ready, ready_timeout_s=float("inf"), may_end=may_end)


def local_servers() -> dict[str, str]:
    """The URLs of the embedded servers that run here, as environment, where no others are set."""
    from cli.local.secrets import ensure_secrets
    from cli.local.servers import embedded_mongo, embedded_redis

    settings = load_settings()
    state_dir = settings.state_dir.absolute()
    if RecordFile(state_dir).running() is None:
        return {}
    found: dict[str, str] = {"DA_SECRETS_FILE": str(secrets_path(state_dir)), "DA_STATE_DIR": str(state_dir)}
    secrets = ensure_secrets(state_dir)
    if settings.mongo_url is None:
        found["DA_MONGO_URL"] = embedded_mongo(state_dir, secrets).url
    if settings.redis_url is None:
        found["DA_REDIS_URL"] = embedded_redis(state_dir, secrets).url
    return found
