"""Whether who asked is still let in: of answers that go on for long."""

from fastapi import Request

from api.credentials import Credentials
from api.services import services_of, session_of, token_of
from core.errors import NotAuthenticated


async def is_still_in(request: Request) -> bool:
    """Whether the client listens and its token or session is good: it may have ended with the password."""
    if await request.is_disconnected():
        return False
    services = await services_of(request)
    credentials = Credentials(await token_of(request), await session_of(request))
    try:
        await services.proofs.ask(credentials)
    except NotAuthenticated:
        return False
    return True
