"""Who sends a request: by a token in the header Authorization, or else by a session's cookie."""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

from core.errors import NotAuthenticated
from core.user import Proof
from storage.record import Record

SESSION_COOKIE = "da_session"


@dataclass(frozen=True)
class Credentials:
    """A token or a session, whichever came."""

    token: str | None = None
    session: str | None = None

    def proof(self, record: Record) -> Proof:
        """Whose they are, and by which password; raises NotAuthenticated."""
        if self.token is not None:
            return record.accounts.proof_of(self.token)
        if self.session is not None:
            return record.sessions.proof_of(self.session)
        raise NotAuthenticated("no token came; expected Authorization: Bearer TOKEN (log in at POST /auth)")


def credentials_of(headers: Headers) -> Credentials:
    """The credentials of a request; the header counts where both came. Raises NotAuthenticated."""
    authorization = headers.get("Authorization")
    if authorization:
        return Credentials(token=_token(authorization))
    return Credentials(session=_cookie(headers.get("Cookie", "")))


def _token(authorization: str) -> str:
    """The token of either form, `Bearer X` or bare `X`."""
    scheme, _, token = authorization.strip().partition(" ")
    if not token:
        return scheme
    if scheme.lower() != "bearer":
        raise NotAuthenticated(f"the authorization scheme {scheme[:20]!r} came; expected Bearer")
    return token.strip()


def _cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(SESSION_COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and found.value else None
