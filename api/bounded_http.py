"""HTTP/1.1 as uvicorn speaks it with httptools, and an end to how much one request may say of itself.

httptools keeps what it has read of a line until the line ends, and uvicorn keeps every header; neither has a
limit, so anybody could fill the memory before the first line of ours runs.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536
TOLD = f"The request's line and headers have over {HEAD_BYTES} bytes."


class _TooLong(Exception):
    """Ends the parsing; httptools makes an error of its own of it."""


class BoundedHttp(HttpToolsProtocol):
    """A protocol for `uvicorn --http`: of request line, headers and trailers together it takes 64 KiB.

    What is longer is answered with 400 and the connection is closed. So is what sends that much that is
    neither head nor body, such as extensions of a chunk.
    """

    _head = 0
    _silent = 0

    def data_received(self, data: bytes) -> None:
        """Read on; what told of nothing is part of a line that has not ended."""
        self._silent += len(data)
        super().data_received(data)
        if self._silent > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(TOLD)

    def send_400_response(self, msg: str) -> None:
        """Refuse, with what was wrong where it was the length."""
        super().send_400_response(TOLD if self._head > HEAD_BYTES else msg)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = self._silent = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """The request line, or a part of it."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or a trailer."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of the body, whose length is the gate's to bound."""
        self._silent = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended."""
        self._silent = 0
        super().on_message_complete()

    def _count(self, length: int) -> None:
        self._silent = 0
        self._head += length
        if self._head > HEAD_BYTES:
            raise _TooLong
