"""Bytes passed on between two connections, unread."""

import asyncio
from contextlib import suppress

CHUNK = 256 * 1024
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def pass_on(outer: Streams, inner: Streams, *, at_most_s: float | None = None) -> None:
    """Copy both ways until one side has ended, or the time is over; then the inner one is closed."""
    ways = [
        asyncio.ensure_future(_copy(outer[0], inner[1])),
        asyncio.ensure_future(_copy(inner[0], outer[1])),
    ]
    try:
        await asyncio.wait(ways, timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        inner[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
