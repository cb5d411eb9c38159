"""Where other hosts enter: an address, its three ports, and the processes that listen there."""

import ipaddress
import socket
import ssl
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cli.local.authority import Authority
from cli.local.ports import is_free, reachable
from cli.local.programs import Place, api_command
from cli.local.supervisor import Program
from core.errors import Misconfigured
from core.settings import Settings

ANSWER_S = 3.0
BEHIND_GATEWAY = ("mongo", "redis")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  named here to be told apart


@dataclass(frozen=True)
class Entrance:
    """The address, the name by which hosts know it, and the first of three ports: API, MongoDB, Redis."""

    address: str
    name: str
    port: int

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Where the settings want it; None where they want none.

        Raises Misconfigured for an address that is not this machine's, one that says nothing of where it is
        reached, and for ports that are taken: invitations name them, so they don't move.
        """
        if settings.listen is None:
            return None
        name = settings.listen_name or settings.listen
        if name in EVERYWHERE:
            raise Misconfigured(
                f"DA_LISTEN is {name}, which no host can be told; expected an address of this machine, "
                "or with it in DA_LISTEN_NAME (up --listen ADDRESS --name NAME) what other hosts call it"
            )
        for port in range(settings.listen_port, settings.listen_port + 3):
            try:
                free = is_free(port, settings.listen)
            except OSError as error:
                raise Misconfigured(
                    f"DA_LISTEN is {settings.listen!r}, where nothing can listen: {error.strerror}; "
                    "expected an address of this machine"
                ) from error
            if not free:
                raise Misconfigured(
                    f"port {port} of {settings.listen} is taken; the gateway needs three in a row, "
                    "of which DA_LISTEN_PORT names the first"
                )
        return cls(settings.listen, name, settings.listen_port)

    @staticmethod
    def named(settings: Settings) -> str:
        """`NAME:PORT`, as the settings alone say it; raises Misconfigured where they name no host."""
        if not settings.listen_name:
            raise Misconfigured("DA_LISTEN_NAME is not set; expected what other hosts call this one")
        return f"{bracketed(settings.listen_name)}:{settings.listen_port}"

    @property
    def known_as(self) -> str:
        """`NAME:PORT`, as other hosts reach it."""
        return f"{bracketed(self.name)}:{self.port}"

    def programs(self, place: Place, embedded: Collection[str]) -> list[Program]:
        """An API that speaks TLS itself, and the gateway before the embedded servers of these names."""
        authority = Authority.open(place.state_dir)
        # localhost too, by which its own machine asks whether it is ready, whatever name others use
        certificate = str(authority.server_file(list(dict.fromkeys((self.name, self.address, "localhost")))))
        trusted = authority.certificate_file
        tls = ("--ssl-certfile", certificate, "--ssl-keyfile", certificate)
        env = place.environment()

        def ready(port: int) -> Callable[[], bool]:
            return lambda: self._answers(port, trusted)

        found = [Program("api-tls", api_command(self.address, self.port, *tls), env, ready=ready(self.port))]
        ports = {name: self.port + n for n, name in enumerate(BEHIND_GATEWAY, 1) if name in embedded}
        if ports:
            options = (word for name, port in ports.items() for word in (f"--{name}", str(port)))
            argv = (sys.executable, "-m", "cli.local.gateway", str(place.state_dir), self.address, *options)
            found.append(Program("gateway", argv, env, ready=ready(min(ports.values()))))
        return found

    def _answers(self, port: int, trusted: Path) -> bool:
        """Whether somebody speaks TLS there, with a certificate of this service."""
        context = ssl.create_default_context(cafile=trusted)
        try:
            raw = socket.create_connection((reachable(self.address), port), ANSWER_S)
            with raw, context.wrap_socket(raw, server_hostname="localhost"):
                return True
        except OSError:
            return False


def bracketed(host: str) -> str:
    """A host as a URL has it: an IPv6 address in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
