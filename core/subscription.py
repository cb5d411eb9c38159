"""Who is told of what: a saved query, or jobs that end, and where the word goes."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from core.errors import InvalidRequest
from core.user import Role

Event = Literal["matches", "jobs"]
Channel = Literal["webhook", "mail"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
DeliveryState = Literal["pending", "delivered", "dead"]

OWNERS: Role = "operator"
"""What an owner must be able to do the work of, also when a message is sent."""

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
"""What HTML calls a valid e-mail address (WHATWG, 4.10.5.1.5), with a dot in its host; ASCII alone."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A wish to be told.

    Parameters
    ----------
    filter : of `matches`, as its writer wrote it: `rb` in it is whichever version is in production.
    target : a URL, or an address of e-mail.
    secret : by which webhooks are signed; shown to its owner once.
    everybodys : of `jobs`, whether all are meant and not the owner's alone.
    fault : why it was last not told of what was scored, such as a filter that names an unknown version.
    """

    id: str
    name: str
    owner: str
    event: Event
    channel: Channel
    target: str
    filter: str = ""
    everybodys: bool = False
    secret: str = ""
    created: datetime | None = None
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message to one subscriber. Its id and entries are the same however often it is sent.

    Parameters
    ----------
    entries : what is told: matches with their scores, or jobs; none in a trial.
    token : of the try that is under way.
    """

    id: str
    subscription: str
    event: Event
    channel: Channel
    state: DeliveryState = "pending"
    entries: list[dict[str, Any]] = field(default_factory=list)
    attempts: int = 0
    token: str = ""
    created: datetime | None = None
    next_at: datetime | None = None
    delivered: datetime | None = None
    last_error: str | None = None


def new_secret() -> str:
    """A secret for signing."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def checked_address(address: str) -> str:
    """An address of e-mail; raises InvalidRequest for what is none."""
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise InvalidRequest(
            f"{address[:100]!r} is no address of e-mail; expected one such as me@example.org"
        )
    return address
