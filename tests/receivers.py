"""Who notifications are sent to: a web server and a mail server on loopback, which remember what came."""

import base64
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler

from bench.loopback_server import LOOPBACK, serving, web_server_of


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Inbox:
    """A web server: `answers` give the status by path, 200 elsewhere; they may take their time."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answers: dict[str, Callable[[], int]] = field(default_factory=dict)

    def at(self, path: str) -> list[Posted]:
        """What came to a path, in order."""
        return [one for one in list(self.posted) if one.path == path]


@contextmanager
def inbox() -> Iterator[Inbox]:
    """A running web server."""
    found = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posted.append(Posted(self.path, dict(self.headers.items()), body))
            status = found.answers.get(self.path, lambda: 200)()
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", f"{found.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with web_server_of(Handler) as found.url:
        yield found


@dataclass
class Mailbox:
    """A mail server that wants this account: the messages it took. `refuse` has it take none."""

    port: int = 0
    user: str = "streaks"
    password: str = "a password of a test"
    refuse: bool = False
    messages: list[EmailMessage] = field(default_factory=list)


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 and of AUTH PLAIN (RFC 4954) as one message needs."""

    mailbox: Mailbox

    def handle(self) -> None:
        self._say("220 test ESMTP")
        known = False
        while line := self.rfile.readline().decode("ascii", "replace").strip():
            verb = line.upper().split(" ")[0].split(":")[0]
            if verb == "EHLO":
                self._say("250-test")
                self._say("250 AUTH PLAIN")
            elif verb == "AUTH":
                given = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:]
                known = given == [self.mailbox.user, self.mailbox.password]
                self._say("235 ok" if known else "535 no such account")
            elif verb == "MAIL" and (self.mailbox.refuse or not known):
                self._say("451 not now" if known else "530 who is it?")
            elif verb == "DATA":
                self._say("354 go on")
                self._take()
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        self.mailbox.messages.append(message)
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A running mail server."""
    mailbox = Mailbox()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server((LOOPBACK, 0), type("Handler", (_Smtp,), {"mailbox": mailbox}))
    mailbox.port = server.server_address[1]
    with serving(server):
        yield mailbox
