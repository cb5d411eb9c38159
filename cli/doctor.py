"""Why is something not working? Looks at all that the service needs, and names a cure for each fault."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from cli import install, preflight
from cli.local.ports import LOOPBACK, is_free
from cli.local.programs import ROOT
from cli.local.readiness import readiness
from cli.local.record import RecordFile, ServiceRecord
from cli.local.secrets import ensure_secrets, given_secrets, secrets_path
from cli.local.servers import embedded_mongo, embedded_redis
from cli.local.suitability import Finding, examine_mongo, examine_redis
from cli.record_doctor import examine_disks, examine_record
from core.errors import Misconfigured, ServiceError
from core.service_secrets import read_secrets
from core.settings import Settings, load_settings

RECENT_S = 3600.0
LOG_BYTES_READ = 200_000
SIGNS_OF_TROUBLE = ("Traceback", "ERROR", "CRITICAL", '"s":"E"', '"s":"F"', " ended (", "can't be started")


IN_A_CONTAINER = Finding("installation", True, "an image: what it holds is fixed as it is built")


def examine(root: Path = ROOT, *, all_blobs: bool = False) -> list[Finding]:
    """Everything that can be found out without starting anything.

    Of the bytes of cutouts a sample is read, or `all_blobs`.
    """
    in_container = not (root / "streaks").exists()  # an image leaves it out
    findings = [IN_A_CONTAINER] if in_container else [*_machine(root), *_installation(root)]
    try:
        settings = load_settings()
    except Misconfigured as error:
        return [
            *findings,
            Finding("settings", False, str(error), "correct config.json or the DA_* variables"),
        ]
    findings.append(Finding("settings", True, "readable"))
    state_dir = settings.state_dir.absolute()
    record_file = RecordFile(state_dir)
    try:
        record = record_file.running()
    except Misconfigured as error:
        return [*findings, Finding("state folder", False, str(error), "correct DA_STATE_DIR")]
    findings += _secrets(settings, mounted=in_container)
    findings += examine_disks(settings)
    findings += _servers(settings, record, all_blobs=all_blobs)
    findings += _ports(settings, record)
    findings += [] if in_container else _service(record_file, record)
    findings += _logs(state_dir / "logs")
    return findings


def _machine(root: Path) -> Iterator[Finding]:
    machine = preflight.observe(root)
    found = preflight.faults(machine)
    for fault in found:
        yield Finding("machine", False, fault.what, fault.cure)
    if not found:
        free = f"{machine.disk_free / preflight.GB:.0f} GB of disk free"
        memory = f"{machine.memory_available / preflight.GB:.0f} GB of memory"
        yield Finding("machine", True, f"{machine.architecture}, {free}, {memory} available")


def _installation(root: Path) -> Iterator[Finding]:
    installed = [lock for lock in install.LOCKS["test"] if install.is_installed(root, lock)]
    if "requirements.txt" in installed:
        yield Finding("requirements", True, f"installed as locked ({', '.join(sorted(installed))})")
    else:
        cure = f"{root / 'streaks'} doctor   (any verb installs what is missing)"
        yield Finding("requirements", False, "requirements.txt is not installed as locked", cure)


def _secrets(settings: Settings, *, mounted: bool = False) -> Iterator[Finding]:
    given = given_secrets(settings)
    for path in (given, secrets_path(settings.state_dir.absolute())):
        if path is None or (path is not given and not path.exists()):
            continue
        try:
            read_secrets(path)
        except Misconfigured as error:
            cure = "write that file, mode 0600, or name the right one in DA_SECRETS_FILE (or secrets_file)"
            yield Finding("secrets", False, str(error), cure)
            continue
        mode = path.stat().st_mode & 0o777
        private = mode & (0o022 if mounted else 0o077) == 0  # its host's folder keeps a mounted one to itself
        cure = "python3 deploy/make_secrets.py, on the host" if mounted else f"chmod 600 '{path}'"
        yield Finding("secrets", private, f"{path} has mode {mode:04o}", cure)


def _servers(settings: Settings, record: ServiceRecord | None, *, all_blobs: bool) -> Iterator[Finding]:
    """The servers that are set, and the embedded ones if they run; and the record that is on them."""
    try:
        mongo, redis = _urls(settings, running=record is not None)
    except ServiceError as error:
        yield Finding("secrets", False, str(error), "correct or remove that file")
        return
    if redis is not None:
        yield from examine_redis(redis)
    if mongo is not None:
        found = examine_mongo(mongo, settings.mongo_database)
        yield from found
        if all(finding.well for finding in found):
            yield from examine_record(settings, mongo, all_blobs=all_blobs)


def _ports(settings: Settings, record: ServiceRecord | None) -> Iterator[Finding]:
    """Those that the service would listen on, where it does not run."""
    if record is not None:
        return
    with suppress(OSError):  # no address of this machine; `up` says so
        if settings.port and not is_free(settings.port, settings.host):
            cure = "end what listens there (ss -ltnp), or set DA_PORT"
            yield Finding("port", True, f"{settings.port} is taken; up takes another", cure, note=True)
        if settings.listen is None:
            return
        ports = range(settings.listen_port, settings.listen_port + 3)
        taken = [port for port in ports if not is_free(port, settings.listen)]
        if taken:
            told = f"{', '.join(map(str, taken))} on {settings.listen} are taken"
            yield Finding(
                "listen_port", False, told, "end what listens there (ss -ltnp), or set DA_LISTEN_PORT"
            )


def _urls(settings: Settings, *, running: bool) -> tuple[str | None, str | None]:
    mongo = settings.mongo_url.get_secret_value() if settings.mongo_url else None
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    if running and (mongo is None or redis is None):
        state_dir = settings.state_dir.absolute()
        secrets = ensure_secrets(state_dir, given=given_secrets(settings))
        mongo = mongo or embedded_mongo(state_dir, secrets).url
        redis = redis or embedded_redis(state_dir, secrets).url
    return mongo, redis


def _service(record_file: RecordFile, record: ServiceRecord | None) -> Iterator[Finding]:
    if record is None:
        if record_file.read() is not None:
            yield Finding("service", False, "it crashed", "./streaks up   (cleans up and starts again)")
        else:
            yield Finding("service", True, "not running here; ./streaks up starts it")
        return
    where = f"at {record.url} (pid {record.supervisor.pid})"
    cure = "wait a minute; then read the logs named below, and ./streaks down && ./streaks up"
    yield Finding("service", record.ready, f"{'ready' if record.ready else 'starting'} {where}", cure)
    for name, process in record.processes.items():
        alive = process.is_running()
        cure = f"it is restarted within 30 s; see {record_file.path.parent / 'logs' / name}.log"
        yield Finding(name, alive, f"pid {process.pid} {'runs' if alive else 'has ended'}", cure)
    yield from _readiness(record)


def _readiness(record: ServiceRecord) -> Iterator[Finding]:
    url = urlsplit(record.url)
    answer = readiness(url.port or 0, host=url.hostname or LOOPBACK)
    if not answer:
        yield Finding("api", False, f"{record.url}/readyz does not answer", "./streaks down && ./streaks up")
        return
    checks = answer.get("checks", {})
    cure = "see the logs named below; ./streaks down && ./streaks up starts everything afresh"
    for name in ("mongo", "redis"):
        well = checks.get(name) in (True, "ok")
        yield Finding(f"api to {name}", well, "reaches it" if well else str(checks.get(name)), cure)
    workers = checks.get("workers", 0)
    cure = "a worker loads TensorFlow for up to 20 s; if it stays so, see .state/logs/worker.log"
    yield Finding("workers", bool(workers), f"{workers} ready", cure)


def _logs(folder: Path) -> Iterator[Finding]:
    """The last sign of trouble in each log that was written to within the hour."""
    for log in sorted(folder.glob("*.log")):
        if time.time() - log.stat().st_mtime > RECENT_S:
            continue
        if troubles := _troubles(log):
            cure = f"less +G '{log}'"
            found = f"{len(troubles)} lines of trouble lately, at last: {troubles[-1]}"
            yield Finding(f"log {log.name}", True, found, cure, note=True)


def _troubles(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES_READ))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [line.strip()[:300] for line in lines if any(sign in line for sign in SIGNS_OF_TROUBLE)]
