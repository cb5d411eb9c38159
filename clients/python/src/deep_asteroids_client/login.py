"""Who asks: a token, or a name and a password."""

import os
from dataclasses import dataclass, field

from deep_asteroids_client.errors import InvalidRequest, NotAuthenticated


@dataclass(frozen=True)
class Login:
    """A token, or the name and the password of an account."""

    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def has_account(self) -> bool:
        """Whether there is a name with a password, to get a token with."""
        return bool(self.username and self.password)


def login_of(token: str | None, username: str | None, password: str | None) -> Login:
    """What was given, or else DA_TOKEN, or DA_USER and DA_PASSWORD, of the environment.

    Raises InvalidRequest for a name without a password, NotAuthenticated where there is nothing.
    """
    if token is None and username is None and password is None:
        token = os.environ.get("DA_TOKEN")
        username, password = os.environ.get("DA_USER"), os.environ.get("DA_PASSWORD")
    login = Login(token or None, username, password)
    if bool(username) != bool(password):
        raise InvalidRequest("a username or a password came alone; expected both, or a token")
    if login.token is None and not login.has_account:
        raise NotAuthenticated(
            "no account came; expected token=…, or username=… and password=…, or DA_TOKEN, or DA_USER and "
            "DA_PASSWORD, in the environment"
        )
    return login
