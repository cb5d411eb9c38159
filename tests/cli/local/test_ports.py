import socket

from cli.local.ports import KEPT_PORTS, free_port, is_free


def test_a_free_port_is_taken_as_asked_and_a_taken_one_is_sidestepped() -> None:
    port = free_port()
    assert is_free(port)
    assert free_port(port) == port
    assert free_port(port, avoid=(port,)) != port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert free_port(port) in set(KEPT_PORTS) - {port}


def test_a_port_whose_connections_have_only_just_ended_is_free() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)),
    ):
        server.accept()[0].close()  # this end closes first, and waits in TIME_WAIT
    assert is_free(port)
