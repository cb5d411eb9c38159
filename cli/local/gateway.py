"""`python -m cli.local.gateway`: TLS on an address that other hosts reach, before servers on loopback.

One port for MongoDB, one for Redis. Nobody gets to them without a certificate of an invitation that is
neither over nor withdrawn, so an embedded server is never open to a network. Started by `./streaks up
--listen`. The bytes are passed on unread.
"""

import argparse
import asyncio
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from cli.local.guests import GuestBook
from cli.local.passing_on import CHUNK, pass_on
from cli.local.ports import LOOPBACK

HANDSHAKE_S = 15.0
SILENT_S = 30  # a host whose network is gone is noticed after this time
Target = Callable[[], tuple[str, int, ssl.SSLContext | None]]
"""Where a server is, and how it is held to its certificate; None where it speaks without TLS."""
_log = logging.getLogger("gateway")


class Gateway:
    """Listens on one address with the service's certificate, for those who are invited.

    Parameters
    ----------
    state_dir : holds the certificates and the guests.
    """

    def __init__(self, address: str, state_dir: Path) -> None:
        self._address = address
        self._guests = GuestBook(state_dir)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_cert_chain(state_dir / "tls" / "server.pem")
        self._context.load_verify_locations(state_dir / "tls" / "authority.crt")
        self._context.verify_mode = ssl.CERT_REQUIRED

    async def listen(self, port: int, target: Target) -> asyncio.Server:
        """Pass what comes in at `port` on to the host and port `target()`; raises OSError for a taken one."""
        return await asyncio.start_server(
            partial(self._connected, target),
            self._address,
            port,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=2.0,
            limit=CHUNK,
        )

    async def _connected(
        self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            try:
                name, left_s = _guest(writer)
                if name in self._guests:
                    _notice_silence(writer.get_extra_info("socket"))
                    await _pass_on(target, reader, writer, left_s)
                else:
                    _log.warning("%s is not invited any more", name)
            finally:
                writer.close()


async def _pass_on(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left_s: float
) -> None:
    """Copy both ways until one side has ended, or the time is over."""
    try:
        host, port, context = target()
        inner_reader, inner_writer = await asyncio.open_connection(host, port, ssl=context, limit=CHUNK)
    except (OSError, ValueError) as error:
        _log.warning("a server behind the gateway does not answer: %s", error)
        return
    inner_writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await pass_on((reader, writer), (inner_reader, inner_writer), at_most_s=left_s)


def _guest(writer: asyncio.StreamWriter) -> tuple[str, float]:
    """The account in the certificate that came, and for how many seconds it holds."""
    certificate = writer.get_extra_info("peercert")
    subject = dict(pair for parts in certificate["subject"] for pair in parts)
    left_s = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    return subject["commonName"], max(0.0, left_s)


def _notice_silence(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", SILENT_S // 3),
        ("TCP_KEEPINTVL", SILENT_S // 6),
        ("TCP_KEEPCNT", 4),
        ("TCP_USER_TIMEOUT", SILENT_S * 1000),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _embedded(file: Path) -> tuple[str, int, None]:
    """Where an embedded server is, by the port that it keeps there: it may move between two of its starts."""
    return LOOPBACK, int(file.read_text("ascii")), None


def server_at(host: str, port: int, *, authority: str | None) -> Target:
    """A server that stays where it is, held to an authority's certificate (a file) if one is named."""
    context = None if authority is None else ssl.create_default_context(cafile=authority)
    return lambda: (host, port, context)


async def _serve(args: argparse.Namespace) -> None:
    state_dir: Path = args.state_dir
    gateway = Gateway(args.address, state_dir)
    for name in ("mongo", "redis"):
        if (port := getattr(args, name)) is not None:
            await gateway.listen(port, partial(_embedded, state_dir / name / "port"))
    await serve_until_told()


async def serve_until_told() -> None:
    """Return on SIGTERM or Ctrl-C."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()


def main() -> int:
    """Pass connections on until SIGTERM."""
    parser = argparse.ArgumentParser(prog="gateway", description="TLS before the servers of this machine.")
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("address")
    parser.add_argument("--mongo", type=int, metavar="PORT", help="serve the embedded MongoDB there")
    parser.add_argument("--redis", type=int, metavar="PORT", help="serve the embedded Redis there")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except OSError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
