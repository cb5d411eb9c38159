"""Ends TLS before a server that was built without it, by the certificate that it would use itself."""

import asyncio
import ssl
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

from cli.local.passing_on import pass_on
from cli.local.ports import LOOPBACK


class TlsEnd:
    """Listens on loopback in a thread, and passes everything on, unread."""

    def __init__(self, port: int, behind: int, certificate: Path) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._serve(port, behind, listening)), daemon=True
        )
        self._thread.start()
        if not listening.wait(10):
            raise RuntimeError(f"port {port} can't be listened on")

    def end(self) -> None:
        """Close every connection."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, port: int, behind: int, listening: threading.Event) -> None:
        server = await asyncio.start_server(partial(_pass_on, behind), LOOPBACK, port, ssl=self._context)
        listening.set()
        await self._ended.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _pass_on(behind: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):  # asyncio complains of a connection that is cancelled
        try:
            await pass_on((reader, writer), await asyncio.open_connection(LOOPBACK, behind))
        finally:
            writer.close()
