"""One service that other hosts reach, without workers, for the tests of invitations."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.hosts.admission import Admission
from cli.hosts.invitation import Invitation
from cli.hosts.joining import join
from cli.local.ports import KEPT_PORTS, is_free
from cli.local.programs import Place, service_programs
from cli.local.service import Service
from cli.local.supervisor import Program
from core.service_secrets import Secrets
from core.settings import Settings


@dataclass(frozen=True)
class OpenService:
    """A service with embedded servers that listens over TLS."""

    service: Service
    settings: Settings

    def admission(self) -> Admission:
        return Admission(self.settings, self.service.record.gateway)

    def invite(self, folder: Path, *, days: float = 1.0) -> Path:
        """The file of a fresh invitation."""
        file = folder / "host.invitation"
        with self.admission() as admission:
            admission.invite(note="", days=days).write(file)
        return file

    def guest(self, folder: Path) -> dict[str, str]:
        """The settings of a host that has joined."""
        return join(self.invite(folder), folder / "host")


def three_free_ports() -> int:
    """The first of three free ports in a row, by chance: who tests beside us looks for three too."""
    starts = random.SystemRandom().sample(KEPT_PORTS[:-2], 200)
    return next(p for p in starts if all(map(is_free, range(p, p + 3))))


def open_settings(state_dir: Path, port: int) -> Settings:
    """Settings of a service that listens on loopback as if hosts came in there."""
    return Settings(state_dir=state_dir, port=0, flower_port=0, listen="127.0.0.1", listen_port=port)


def changed(file: Path, **fields: Any) -> Path:
    """The invitation with other fields, as if it had been written so."""
    found = Invitation.read(file)
    Invitation(**{**vars(found), **fields}).write(file)
    return file


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenService]:
    def only_api(place: Place, secrets: Secrets) -> Sequence[Program]:
        return [program for program in service_programs(place, secrets) if program.name == "api"]

    settings = open_settings(tmp_path_factory.mktemp("open") / "state", three_free_ports())
    with Service(settings, say=lambda _: None, programs=only_api) as service:
        yield OpenService(service, settings)
