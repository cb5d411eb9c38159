"""Free TCP ports on loopback, or where else the service is to listen."""

import errno
import random
import socket
from collections.abc import Collection, Iterator
from typing import Any

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the local ports of outgoing connections (32768 upwards), so that a
# port which a server keeps between its starts is not taken by somebody's connection meanwhile.
KEPT_PORTS = range(20000, 32000)

_CHANCE = random.SystemRandom()  # a seed for reproducible training must not send two processes to one port
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104  listens nowhere itself


def reachable(host: str) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    return _EVERYWHERE.get(host, host)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now; raises OSError when it is no address of this machine.

    A name may stand for an address of each kind; those whose kind this machine does not have do not count.
    """
    fault: OSError | None = None
    listened = False
    for kind, address in _addresses(host, port):
        try:
            _listen(kind, address)
            listened = True
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            fault = error
    if fault is not None and not listened:
        raise fault
    return True


def _addresses(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    try:
        for kind, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            yield kind, address
    except UnicodeError as error:  # no name can be written so
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error


def _listen(kind: socket.AddressFamily, address: tuple[Any, ...]) -> None:
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        # As the servers do: connections in TIME_WAIT do not count, and IPv6 leaves IPv4 alone.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)
        probe.listen(1)


def free_port(preferred: int = 0, *, host: str = LOOPBACK, avoid: Collection[int] = ()) -> int:
    """The preferred port if it is free (and not 0), else another; raises OSError when none is found."""
    if preferred and preferred not in avoid and is_free(preferred, host):
        return preferred
    for port in _CHANCE.sample(KEPT_PORTS, 200):
        if port not in avoid and is_free(port, host):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port found between {KEPT_PORTS.start} and {KEPT_PORTS.stop}")
