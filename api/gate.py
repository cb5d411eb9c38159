"""The gate before every route: who asks, how much they may send, and what each answer carries."""

import asyncio
import re

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import answer_to
from api.body_limits import OPEN_BYTES, body_limit
from api.credentials import credentials_of
from api.origin import refuse_foreign
from api.services import Services
from api.web.assets import ASSETS
from core.errors import InvalidRequest, TooLarge, Unavailable
from core.metrics_server import may_read_metrics

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/auth", "/login"})
METRICS = "/metrics"
OPEN_TO_GUESTS = "/v1/blobs/"  # an invited host speaks to MongoDB and Redis itself
_ENDING = (
    "the service is ending; a submission may not have been accepted: repeat it with the same Idempotency-Key"
)
_LENGTH = re.compile(r"[0-9]{1,19}")
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class Gate:
    """ASGI middleware. Every path but the open ones and the pages' assets needs a token or a session, also
    those that do not exist. What was made by another site's page changes nothing.

    A body is refused by its stated length before it is read, and while it is read where it states none. What
    has no answer when the server ends is told to come again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with what is wrong."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            limit = await _admit(scope)
            _refuse_length(Headers(scope=scope), limit)
            await self._app(scope, _counted(receive, limit), answer.send)
        except (Exception, asyncio.CancelledError) as error:
            if answer.started:
                raise
            told = Unavailable(_ENDING) if isinstance(error, asyncio.CancelledError) else error
            await answer_to(told, scope)(scope, receive, answer.send)


class _Answer:
    """The way back to the caller, which adds the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = list(message.get("headers", ()))
            there = {name for name, _ in headers}
            message["headers"] = headers + [one for one in _SECURITY_HEADERS if one[0] not in there]
        await self._send(message)


async def _admit(scope: Scope) -> int:
    """Note in the request's state who asks; returns how many bytes the body may have."""
    headers = Headers(scope=scope)
    if not headers.get(
        "Authorization"
    ):  # no page of another site can send one; where it is empty, the cookie counts
        refuse_foreign(scope["method"], headers)
    if scope["path"] in OPEN_PATHS or scope["path"].startswith(ASSETS):
        return OPEN_BYTES
    services: Services = scope["app"].state.services
    if scope["path"] == METRICS and may_read_metrics(headers, services.settings.secrets.collector):
        return OPEN_BYTES
    credentials = credentials_of(headers)
    state = scope.setdefault("state", {})
    state.update(guest=None, token=credentials.token, session=credentials.session)
    if scope["path"].startswith(OPEN_TO_GUESTS) and credentials.token is not None:
        state["guest"] = await run_sync(
            services.record.guests.name_of, credentials.token, limiter=services.gate
        )
    if state["guest"] is None:
        state["proof"] = await services.proofs.ask(credentials)
        state["user"] = state["proof"].user
    return body_limit(scope["path"], state.get("user"), services.settings.limits)


def _refuse_length(headers: Headers, limit: int) -> None:
    length = headers.get("Content-Length")
    if length is None:
        return
    if not _LENGTH.fullmatch(length):
        raise InvalidRequest("Content-Length is not a number of bytes")
    if int(length) > limit:
        raise TooLarge(f"a body of {length} bytes; expected at most {limit}")


def _counted(receive: Receive, limit: int) -> Receive:
    """A `receive` that raises once more than `limit` bytes came."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"a body of over {limit} bytes; expected at most {limit}")
        return message

    return counted
