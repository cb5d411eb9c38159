"""A whole service with servers of its own, for benchmarks that look into the record."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr

from bench.process_tree import cpu_seconds, process_tree
from cli.connection import local_client
from cli.local.embedded import EmbeddedServer
from cli.local.programs import ProgramsFor, service_programs
from cli.local.servers import ServerUrls, local_servers
from cli.local.service import Service
from core.job import Job
from core.service_secrets import read_secrets
from core.settings import Settings
from storage.record import Record, open_record

POLL_S = 0.05


@dataclass(frozen=True)
class LocalService:
    """The running service, its servers, and its record as the service itself sees it."""

    servers: ServerUrls
    service: Service
    record: Record

    def token(self) -> str:
        """A new token of the administrator."""
        account = read_secrets(self.service.secrets_file).database
        password = account.admin_password.get_secret_value()
        login = requests.post(
            f"{self.service.url}/auth",
            json={"username": account.admin_username, "password": password},
            timeout=30,
        )
        login.raise_for_status()
        return str(login.json()["access_token"])

    def submit(self, archive: Path, *, models: str = "") -> str:
        """Submit a zip; returns the job's id when the API has promised it."""
        with archive.open("rb") as body:
            answer = requests.post(
                f"{self.service.url}/v1/jobs/score",
                params={"models": models} if models else {},
                data=body,
                headers={"Authorization": f"Bearer {self.token()}", "Content-Type": "application/zip"},
                timeout=300,
            )
        answer.raise_for_status()
        return str(answer.json()["job"])

    def wait(self, job: str, *, timeout_s: float, poll_s: float = POLL_S) -> Job:
        """The job once it has ended; raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = self.record.jobs.get(job)
            if found is not None and found.state.ended:
                return found
            time.sleep(poll_s)
        raise TimeoutError(f"job {job} has not ended after {timeout_s:.0f} s")

    def results(self, job: str) -> list[dict[str, Any]]:
        """The results of a job as a user gets them from the API: all pages, in the order of its items."""
        return list(local_client(self.service.url, self.service.secrets_file).jobs.results(job))

    def outcomes(self, *versions: str) -> dict[tuple[str, str], list[float | None]]:
        """Every outcome on record by (cutout, version): a list, so that one too many would show."""
        found: dict[tuple[str, str], list[float | None]] = {}
        for document in self.record.database["outcomes"].find({"_id.version": {"$in": list(versions)}}):
            key = (document["_id"]["cutout"], document["_id"]["version"])
            found.setdefault(key, []).append(document.get("score"))
        return found

    def programs(self) -> dict[str, int]:
        """The process id of each program and server, by name."""
        servers: tuple[EmbeddedServer, ...] = (self.servers.mongo, self.servers.redis)
        return {name: process.pid for name, process in self.service.record.processes.items()} | {
            server.name: server.process.pid for server in servers if server.process is not None
        }

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of each program so far, with all its processes."""
        return {name: sum(map(cpu_seconds, process_tree(pid))) for name, pid in self.programs().items()}


@contextmanager
def local_service(folder: Path, *, programs: ProgramsFor = service_programs) -> Iterator[LocalService]:
    """Run everything, or only some programs, while the block runs; what it says goes to stderr."""
    with local_servers(folder) as servers:
        settings = Settings(
            mongo_url=SecretStr(servers.mongo_url),
            redis_url=SecretStr(servers.redis_url),
            state_dir=folder,
            port=0,
            flower_port=0,
        )
        with Service(settings, say=_say, programs=programs) as service:
            record = open_record(settings, patience_s=60.0)
            try:
                yield LocalService(servers, service, record)
            finally:
                record.close()


def _say(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr)
