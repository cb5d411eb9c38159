"""The whole service on this machine, for `up`, `demo` and tests: one object that starts it and stops it."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from cli.local.children import open_log, set_aside
from cli.local.embedded import EmbeddedServer
from cli.local.entrance import Entrance
from cli.local.ports import LOOPBACK, free_port, reachable
from cli.local.private_files import private_folder
from cli.local.processes import ProcessId
from cli.local.programs import ROOT, Place, ProgramsFor, service_programs
from cli.local.record import RecordFile, ServiceRecord
from cli.local.secrets import ensure_secrets, given_secrets, secrets_path
from cli.local.servers import embedded_mongo, embedded_redis
from cli.local.suitability import Finding, examine_mongo, examine_redis
from cli.local.supervisor import Supervisor
from core.errors import Conflict, Misconfigured
from core.service_secrets import Secrets
from core.settings import Settings
from storage.database import connect
from storage.schema import refuse_unfit


class Service:
    """Starts everything on entering, stops everything on leaving; supervises in a thread meanwhile.

    Parameters
    ----------
    settings : where a server's URL is set, that server is used and not touched; else an embedded one is run.
    say : where progress is told; each sentence also goes to `logs/service.log`.
    programs : what to run beside the servers; for tests.

    Entering raises Conflict when the service runs already, Misconfigured or Unavailable when it can't start;
    nothing is left running then.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        say: Callable[[str], None],
        programs: ProgramsFor = service_programs,
    ) -> None:
        self._settings = settings
        self._state_dir = settings.state_dir.absolute()
        self._tell = say
        self._programs = programs
        self._record_file = RecordFile(self._state_dir)
        self._record: ServiceRecord | None = None
        self._should_stop = threading.Event()
        self._hurry = threading.Event()
        self._settled = threading.Event()
        # Waited for instead of the thread: in Python 3.11 a signal that interrupts Thread.join makes the
        # thread count as ended (bpo-45274), and its children would be left to be killed.
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor")

    @property
    def record(self) -> ServiceRecord:
        """Where it is; raises RuntimeError before it is started."""
        if self._record is None:
            raise RuntimeError("the service is not started yet")
        return self._record

    @property
    def url(self) -> str:
        """The address of the API and the web pages."""
        return self.record.url

    @property
    def secrets_file(self) -> Path:
        """The file with the administrator's account, by which the command line logs in."""
        return secrets_path(self._state_dir)

    def __enter__(self) -> Self:
        if not self._record_file.acquire():
            raise Conflict(f"the service runs already, with its state in {self._state_dir}")
        try:
            self._thread.start()
            while not self._settled.wait(0.2):  # with a timeout, so that a signal is handled meanwhile
                pass
        except BaseException:
            self.stop()
            raise
        if self._failure is not None:
            self.stop()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> None:
        """Return when the service has ended; raises what ended it. Interrupt it with a signal or `stop`."""
        while not self._ended.wait(0.2):
            pass
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop everything, in order, and return when no process is left. Harmless when it has stopped."""
        self._should_stop.set()
        if self._thread.ident is not None:
            while not self._ended.wait(0.2):
                pass
            self._thread.join()
        self._record_file.release()

    def hurry(self) -> None:
        """Let a stop wait for nobody: what has not ended is killed."""
        self._hurry.set()

    def _run(self) -> None:
        """The life of the supervisor's thread, whose end takes every child with it."""
        try:
            self._supervise()
        except BaseException as error:  # noqa: BLE001  raised again in the thread that entered or waits
            self._failure = error
        finally:
            self._ended.set()
            self._settled.set()

    def _supervise(self) -> None:
        secrets = ensure_secrets(self._state_dir, given=given_secrets(self._settings))
        supervisor = self._supervisor(secrets)
        try:
            self._start(supervisor, secrets)
            self._settled.set()
            supervisor.watch(self._should_stop)
        finally:
            self._say("stopping")
            supervisor.stop()
            self._say("stopped")

    def _supervisor(self, secrets: Secrets) -> Supervisor:
        servers: list[EmbeddedServer] = []
        if self._settings.redis_url is None:
            servers.append(embedded_redis(self._state_dir, secrets, say=self._say))
        if self._settings.mongo_url is None:
            servers.append(embedded_mongo(self._state_dir, secrets, say=self._say))
        return Supervisor(
            servers=servers,
            logs=private_folder(self._state_dir / "logs"),
            cwd=ROOT,
            say=self._say,
            changed=self._publish_processes,
            hurry=self._hurry,
        )

    def _start(self, supervisor: Supervisor, secrets: Secrets) -> None:
        """Start everything in order; publishes the record at the first step and at the last."""
        began = time.monotonic()
        for name in self._record_file.clear_leftovers():
            self._say(f"{name} was left running by a service that crashed; killed")
        port, flower_port = self._choose_ports()
        entrance = Entrance.of(self._settings)
        self._publish(
            ServiceRecord(
                supervisor=ProcessId.of(os.getpid()),
                url=_url(port, reachable(self._settings.host)),
                flower_url=_url(flower_port),
                secrets_file=str(self.secrets_file),
                gateway=entrance.known_as if entrance else "",
            )
        )
        names = " and ".join(server.name for server in supervisor.servers)
        if names:
            self._say(f"starting {names} (about 2 s)")
        supervisor.start_servers()
        place = Place(
            state_dir=self._state_dir,
            secrets_file=self.secrets_file,
            mongo_url=_server_url(supervisor, "mongo", self._settings.mongo_url),
            redis_url=_server_url(supervisor, "redis", self._settings.redis_url),
            host=self._settings.host,
            port=port,
            flower_port=flower_port,
        )
        self._examine_given_servers(place)
        self._refuse_unfit_record(place)
        programs = list(self._programs(place, secrets))
        if entrance is not None:
            embedded = [server.name for server in supervisor.servers]
            programs += entrance.programs(place, embedded)
        names = ", ".join(program.name for program in programs)
        self._say(f"starting {names} (TensorFlow loads for up to 20 s)")
        supervisor.start_programs(programs, self._should_stop)
        if not self._should_stop.is_set():
            self._publish(replace(self.record, ready=True))
            took = f"{time.monotonic() - began:.0f} s"
            self._say(f"ready after {took} at {self.url}, Flower at {self.record.flower_url}")
            if entrance is not None:
                self._say(f"other hosts reach it at {entrance.known_as}; ./streaks invite lets one in")

    def _choose_ports(self) -> tuple[int, int]:
        settings = self._settings
        try:
            port = free_port(settings.port, host=settings.host)
        except OSError as error:
            raise Misconfigured(
                f"DA_HOST is {settings.host!r}, where nothing can listen: {error.strerror}; "
                "expected an address of this machine, such as 127.0.0.1 or 0.0.0.0"
            ) from error
        flower_port = free_port(settings.flower_port, avoid=(port,))
        if settings.port not in (0, port):
            self._say(f"port {settings.port} is taken; the API listens on {port}")
        if settings.flower_port not in (0, flower_port):
            self._say(f"port {settings.flower_port} is taken; Flower listens on {flower_port}")
        return port, flower_port

    def _examine_given_servers(self, place: Place) -> None:
        """Say what is wrong with servers that are not ours; raises Misconfigured where they can't serve."""
        findings: list[Finding] = []
        if self._settings.redis_url is not None:
            findings += examine_redis(place.redis_url)
        if self._settings.mongo_url is not None:
            findings += examine_mongo(place.mongo_url, self._settings.mongo_database)
        faults = [finding for finding in findings if not finding.well]
        if any(finding.fatal for finding in faults):
            raise Misconfigured("; ".join(f"{f.what}: {f.found} ({f.cure})" for f in faults))
        for fault in faults:
            self._say(f"{fault.what}: {fault.found}; cure: {fault.cure}")

    def _refuse_unfit_record(self, place: Place) -> None:
        """Raise Misconfigured, before any program is started, for a record that is not for this release."""
        database = connect(place.mongo_url, self._settings.mongo_database)
        try:
            refuse_unfit(database)
        finally:
            database.client.close()

    def _publish(self, record: ServiceRecord) -> None:
        self._record = record
        self._record_file.write(record)

    def _publish_processes(self, pids: Mapping[str, int]) -> None:
        processes = {name: ProcessId.of(pid) for name, pid in pids.items()}
        self._publish(replace(self.record, processes=processes))

    def _say(self, sentence: str) -> None:
        log = self._state_dir / "logs" / "service.log"
        private_folder(log.parent)
        set_aside(log)
        try:
            with open_log(log) as file:
                file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sentence}\n".encode())
        except OSError as error:  # a full disk; who watches is told all the same
            self._tell(f"{log} can't be written: {error.strerror}")
        self._tell(sentence)


def _url(port: int, host: str = LOOPBACK) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server_url(supervisor: Supervisor, name: str, given: SecretStr | None) -> str:
    """The URL that was set, else the embedded server's."""
    if given is not None:
        return given.get_secret_value()
    return next(server.url for server in supervisor.servers if server.name == name)
