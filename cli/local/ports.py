"""Free TCP ports on loopback."""

import errno
import random
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the local ports of outgoing connections (32768 upwards), so that a
# port which a server keeps between its starts is not taken by somebody's connection meanwhile.
KEPT_PORTS = range(20000, 32000)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the servers do: TIME_WAIT does not count
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port(preferred: int = 0, *, host: str = LOOPBACK, avoid: Collection[int] = ()) -> int:
    """The preferred port if it is free (and not 0), else another; raises OSError when none is found."""
    if preferred and preferred not in avoid and is_free(preferred, host):
        return preferred
    for port in random.sample(KEPT_PORTS, 200):
        if port not in avoid and is_free(port, host):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port found between {KEPT_PORTS.start} and {KEPT_PORTS.stop}")
