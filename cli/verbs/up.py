"""`./streaks up`: the service on this machine, in the foreground or left in the background."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cli.exit_codes import Exit
from cli.local.children import open_log
from cli.local.entrance import bracketed
from cli.local.interrupts import interrupts
from cli.local.private_files import private_folder
from cli.local.programs import ROOT
from cli.local.record import RecordFile, ServiceRecord
from cli.local.service import Service
from cli.output import emit, say
from core.errors import Conflict, Unavailable
from core.settings import Settings, load_settings

START_S = 420.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--detach`, `--listen`, `--name`, and what its workers score on."""
    parser.add_argument(
        "--detach", action="store_true", help="leave it in the background, and return when it is ready"
    )
    parser.add_argument(
        "--listen",
        metavar="ADDRESS[:PORT]",
        help="serve other hosts over TLS on this address: the API at PORT (8443), MongoDB and Redis at the "
        "next two; ./streaks invite lets a host in",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="what other hosts call that address, where they call it else"
    )
    parser.add_argument("--gpus", metavar="all | 0,2", help="a worker on each of these GPUs; none: the first")
    parser.add_argument(
        "--allow-cpu", action="store_true", help="score on the CPU where a GPU is there and can't be used"
    )


def run(args: argparse.Namespace) -> int:
    """Run the service until it is stopped; finds the one that runs already."""
    os.environ.update(listening(args.listen, args.name))
    if args.gpus:
        os.environ["DA_SCORING__GPUS"] = args.gpus  # the processes of the service read it, too
    if args.allow_cpu:
        os.environ["DA_SCORING__ALLOW_CPU"] = "true"
    settings = load_settings()
    record_file = RecordFile(settings.state_dir.absolute())
    if record_file.is_locked():
        _refuse_other_address(record_file, settings)
        return _report_running(record_file, as_json=args.json)
    if args.detach:
        return _detach(record_file, as_json=args.json)
    return serve(Service(settings, say=say), record_file, as_json=args.json)


def listening(listen: str | None, name: str | None) -> dict[str, str]:
    """The settings that `--listen` and `--name` stand for, as the environment of this process and its own."""
    if listen is None:
        return {} if name is None else {"DA_LISTEN_NAME": name}
    address, _, port = listen.rpartition(":")
    if not port.isdecimal() or listen.endswith("]") or (":" in address and not address.startswith("[")):
        address, port = listen, ""  # no port came, or an IPv6 address without brackets
    found = {"DA_LISTEN": address.strip("[]")}
    return found | ({"DA_LISTEN_PORT": port} if port else {}) | ({"DA_LISTEN_NAME": name} if name else {})


def _refuse_other_address(record_file: RecordFile, settings: Settings) -> None:
    record = record_file.read()
    if record is None or settings.listen is None:
        return
    wanted = f"{bracketed(settings.listen_name or settings.listen)}:{settings.listen_port}"
    if wanted != record.gateway:
        raise Conflict(
            f"the service runs already and listens at {record.gateway or 'loopback alone'}; "
            f"`./streaks down` it first to listen at {wanted}"
        )


def serve(service: Service, record_file: RecordFile, *, as_json: bool) -> int:
    """Run the service here until a signal stops it; returns the exit status."""
    with interrupts(on_second=service.hurry) as received:
        try:
            with service:
                _tell(service.record, as_json=as_json, already=False)
                say("Ctrl-C stops it")
                service.wait()
        except Conflict:  # another `up` was quicker
            return _report_running(record_file, as_json=as_json)
        except KeyboardInterrupt:
            # Asked by `down` or by the system, stopping is no failure; by Ctrl-C it is said as usual.
            return Exit.INTERRUPTED if signal.SIGINT in received[:1] else Exit.OK
    return Exit.OK


def _report_running(record_file: RecordFile, *, as_json: bool) -> int:
    """Wait until the service that another process starts is ready, and say where it is."""
    told = False
    deadline = time.monotonic() + START_S
    while record_file.is_locked() and time.monotonic() < deadline:
        record = record_file.read()
        if record is not None and record.ready:
            _tell(record, as_json=as_json, already=True)
            return Exit.OK
        if not told:
            say("the service is being started by another process (up to a minute)")
            told = True
        time.sleep(0.2)
    raise Unavailable(
        f"the service that another process started did not become ready; see {_log(record_file)}"
    )


def _detach(record_file: RecordFile, *, as_json: bool) -> int:
    """Start another `up` that outlives this one; tell its progress until it is ready."""
    log = _log(record_file)
    private_folder(log.parent)
    complaints = log.with_name("service.err")
    complaints.unlink(missing_ok=True)
    told = log.stat().st_size if log.exists() else 0
    with open_log(complaints) as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up"],
            cwd=ROOT,
            env={**os.environ, "DA_STATE_DIR": str(record_file.path.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        while True:
            ended = process.poll() is not None
            told = _relay(log, told)
            record = record_file.read()
            if record is not None and record.ready and record.supervisor.pid == process.pid:
                _tell(record, as_json=as_json, already=False)
                return Exit.OK
            if ended:
                break
            time.sleep(0.2)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if process.returncode == 0:
        return _report_running(record_file, as_json=as_json)
    said = complaints.read_text("utf-8", "replace").splitlines()
    raise Unavailable("the service did not start:\n" + "\n".join(said[-15:]))


def _relay(log: Path, offset: int) -> int:
    """Tell what was added to the log since `offset`; returns the new offset."""
    if not log.exists():
        return offset
    with log.open("rb") as file:
        file.seek(min(offset, log.stat().st_size))
        added = file.read()
    complete, newline, _ = added.rpartition(b"\n")
    for line in complete.decode("utf-8", "replace").splitlines():
        say(line.partition(" ")[2])
    return offset + len(complete) + len(newline)


def _tell(record: ServiceRecord, *, as_json: bool, already: bool) -> None:
    if already:
        say(f"already running at {record.url} (pid {record.supervisor.pid})")
    say(f"accounts: {record.secrets_file}")
    if as_json:
        facts: dict[str, Any] = {"url": record.url, "flower_url": record.flower_url}
        facts |= {"gateway": record.gateway, "pid": record.supervisor.pid, "already": already}
        emit({**facts, "secrets_file": record.secrets_file})
    elif not already:
        print(record.url, flush=True)


def _log(record_file: RecordFile) -> Path:
    return record_file.path.parent / "logs" / "service.log"
