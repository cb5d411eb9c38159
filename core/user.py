"""Who asks, and what they may do."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from core.errors import InvalidRequest

Role = Literal["admin", "operator", "labeller", "viewer"]

ROLES: tuple[Role, ...] = get_args(Role)
"""From the one that may do everything to the one that may only look; each may do what those after it may."""

USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024


@dataclass(frozen=True)
class User:
    """An account as a request knows it. With a token of a narrower scope the role is that scope."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this user may do what a role is needed for."""
        return ROLES.index(self.role) <= ROLES.index(role)


@dataclass(frozen=True)
class Proof:
    """What showed who asks: a password, or a session or token that was once opened with one.

    Parameters
    ----------
    user : whose it is; with the role that a token's narrower scope leaves.
    password : the digest of the password's stored hash; what is opened on this proof ends with that password.
    expires : when a token that was shown ends, and what is opened on it at the latest; None for no token.
    is_narrow : whether a token was shown whose scope is not all that the account may do.
    """

    user: User
    password: str
    expires: datetime | None = None
    is_narrow: bool = False


def lesser(one: Role, other: Role) -> Role:
    """Of two roles the one that may do less."""
    return max(one, other, key=ROLES.index)


def checked_name(name: str) -> str:
    """A name for a new account; raises InvalidRequest for what is none."""
    if not USER_NAME.fullmatch(name):
        raise InvalidRequest(
            f"user name {name[:80]!r}; expected 1 to 64 of letters, digits and . _ @ -, no sign first"
        )
    return name


def checked_password(password: str) -> str:
    """A new password; raises InvalidRequest, not quoting it, when it is too short or too long."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidRequest(
            f"a password of {len(password)} characters; expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
        )
    return password
