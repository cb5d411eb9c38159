import random
import socket
from http.server import BaseHTTPRequestHandler

import pytest

from bench.loopback_server import web_server_of
from cli.local.ports import KEPT_PORTS, free_port, is_free, reachable
from cli.local.readiness import is_healthy
from tests.cli.local.running import hosts


def test_a_free_port_is_taken_as_asked_and_a_taken_one_is_sidestepped() -> None:
    port = free_port()
    assert is_free(port)
    assert free_port(port) == port
    assert free_port(port, avoid=(port,)) != port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert free_port(port) in set(KEPT_PORTS) - {port}


def test_processes_that_set_the_same_seed_draw_other_ports() -> None:
    drawn: list[list[int]] = []
    for _ in range(2):
        random.seed(34)
        drawn.append([free_port() for _ in range(3)])
    assert drawn[0] != drawn[1]


def test_a_port_whose_connections_have_only_just_ended_is_free() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)),
    ):
        server.accept()[0].close()  # this end closes first, and waits in TIME_WAIT
    assert is_free(port)


def test_a_port_is_asked_for_on_any_kind_of_address() -> None:
    for host in hosts("localhost", "0.0.0.0", "::1"):
        assert is_free(free_port(host=host), host)
    for host in hosts("::1"):
        with socket.create_server((host, 0), family=socket.AF_INET6) as server:
            assert not is_free(server.getsockname()[1], host)


def test_a_host_that_is_not_this_one_is_an_error() -> None:
    for host in ("203.0.113.7", "no-such-host.invalid"):
        with pytest.raises(OSError):  # noqa: PT011  of many kinds
            free_port(host=host)


def test_who_listens_everywhere_is_reached_on_loopback() -> None:
    assert [reachable(host) for host in ("0.0.0.0", "::", "127.0.0.2", "::1")] == [
        *("127.0.0.1", "::1", "127.0.0.2", "::1")
    ]


class _Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def test_readiness_is_asked_where_the_service_listens() -> None:
    with web_server_of(_Fine, host="127.0.0.2") as url:
        port = int(url.rpartition(":")[2])
        assert is_healthy(port, host="127.0.0.2")
        assert not is_healthy(port)
