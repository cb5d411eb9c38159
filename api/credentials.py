"""Who sends a request: by a token in the header Authorization, or else by a session's cookie."""

from collections.abc import Mapping, Sequence
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


def proofs_of(record: Record, asked: Sequence[Credentials]) -> dict[Credentials, Proof | Exception]:
    """Whose they are, and by which password, or NotAuthenticated."""
    by_token = record.accounts.proofs_of([one.token for one in asked if one.token is not None])
    by_session = record.sessions.proofs_of([one.session for one in asked if one.session is not None])
    return {one: _proof(one, by_token, by_session) for one in asked}


def _proof(
    one: Credentials,
    by_token: Mapping[str, Proof | NotAuthenticated],
    by_session: Mapping[str, Proof | NotAuthenticated],
) -> Proof | NotAuthenticated:
    if one.token is not None:
        return by_token[one.token]
    if one.session is not None:
        return by_session[one.session]
    return NotAuthenticated("no token came; expected Authorization: Bearer TOKEN (log in at POST /auth)")


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
