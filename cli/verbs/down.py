"""`./streaks down`: stop the service on this machine and leave no process behind."""

import argparse
import os
import signal
from contextlib import suppress

from cli.exit_codes import Exit
from cli.local.record import RecordFile, ServiceRecord
from cli.output import emit, say
from core.errors import Unavailable
from core.settings import load_settings

ORDERLY_S = 90.0
KILLED_S = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Ask the supervisor to stop and wait until all its processes are gone; harmless when none runs."""
    record_file = RecordFile(load_settings().state_dir.absolute())
    record = record_file.read()
    stopped = record_file.is_locked()
    if stopped:
        _stop(record_file, record)
    elif record_file.acquire():
        stopped = bool(record_file.clear_leftovers())
        record_file.release()
    say("stopped" if stopped else "the service is not running")
    if args.json:
        emit({"stopped": stopped})
    return Exit.OK


def _stop(record_file: RecordFile, record: ServiceRecord | None) -> None:
    if record is None:
        raise Unavailable("the service is only just starting; try again in a moment")
    supervisor = record.supervisor
    say(f"stopping the service (pid {supervisor.pid}); the worker finishes what it has begun, up to 30 s")
    if supervisor.is_running():
        with suppress(ProcessLookupError):
            os.kill(supervisor.pid, signal.SIGTERM)
    everything = (supervisor, *record.processes.values())

    def is_gone() -> bool:
        return not record_file.is_locked() and not any(process.is_running() for process in everything)

    if record_file.await_change(is_gone, ORDERLY_S):
        return
    say("it does not stop; killing it")
    for process in everything:
        process.kill_group()
    if not record_file.await_change(is_gone, KILLED_S):
        left = [str(process.pid) for process in everything if process.is_running()]
        raise Unavailable(f"processes do not end: {' '.join(left)}")
