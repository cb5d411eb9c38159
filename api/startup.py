"""A start that fails says why in one line; the server prints it and exits."""

import traceback

from pymongo.errors import PyMongoError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import ServiceError


class ReadableStartup:
    """ASGI middleware around the lifespan: of a foreseen error it tells the message, not the trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but for the story of a failed start."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: list[Message] = []

        async def hold_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except (ServiceError, PyMongoError) as error:
            await send({"type": "lifespan.startup.failed", "message": f"deep-asteroids can't start: {error}"})
        except Exception:
            if not failed:
                raise
            await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
