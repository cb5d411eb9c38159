"""A client of an API that costs little: one open connection, one request each so often, latencies kept."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

OK = frozenset({200, 202})
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Request:
    """What is sent: method and path, and for a POST what it carries."""

    path: str
    method: str = "GET"
    body: bytes = b""
    kind: str = ""


@dataclass
class Answers:
    """How long answers took, in seconds from when the request was due, and what went wrong."""

    took_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class SteadyClient:
    """Asks every `every_s`, on one connection. A request that is due while the last waits counts as late.

    Parameters
    ----------
    ask : the next request; None when there is nothing to ask yet.
    told : gets each answer's body.
    """

    def __init__(
        self,
        address: tuple[str, int],
        token: str,
        *,
        every_s: float,
        ask: Callable[[], Request | None],
        told: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._address, self._token, self._every_s = address, token, every_s
        self._ask, self._told = ask, told
        self.answers = Answers()

    async def run(self, *, first_s: float, until: float) -> None:
        """Ask until that moment of the monotonic clock; what fails is noted and the next one asked anew."""
        due = time.monotonic() + first_s
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            request = self._ask()
            if request is not None:
                try:
                    streams = streams or await asyncio.open_connection(*self._address)
                    async with asyncio.timeout(TIMEOUT_S):  # wait_for would make a task of each
                        body = await self._exchange(request, *streams)
                    self.answers.took_s.append(time.monotonic() - due)
                    self._told(body)
                except (OSError, ValueError, EOFError, TimeoutError) as error:
                    self.answers.faults.append(
                        f"{request.method} {request.path}: {type(error).__name__}: {error}"
                    )
                    if streams is not None:
                        streams[1].close()
                    streams = None
            due += self._every_s
        if streams is not None:
            streams[1].close()

    async def _exchange(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        kind = f"Content-Type: {request.kind}\r\n" if request.kind else ""
        head = (
            f"{request.method} {request.path} HTTP/1.1\r\nHost: api\r\n"
            f"Authorization: Bearer {self._token}\r\n{kind}Content-Length: {len(request.body)}\r\n\r\n"
        )
        writer.write(head.encode() + request.body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        lines = answer.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
        if status not in OK:
            raise ValueError(f"{status} {body[:200]!r}")
        return body
