"""The errors of this client, which answer two questions: whose fault is it, and is a retry worth it?

StreaksError
├── Refused              the caller's fault; the same call fails again
│   ├── InvalidRequest       malformed, or outside a stated limit
│   ├── NotAuthenticated, NotAllowed
│   ├── NotFound             names something that does not exist
│   ├── Conflict             contradicts what is recorded
│   └── TooOften             may be asked again, some minutes later
├── Unavailable          nobody's fault; it was tried again for as long as the caller has patience
└── JobFailed            a job that was waited for failed or was cancelled
"""

from collections.abc import Mapping
from types import MappingProxyType


class StreaksError(Exception):
    """The root of every error that this client raises on purpose."""


class Refused(StreaksError):
    """The service, or this client before it asked, can't do what was asked."""


class InvalidRequest(Refused):
    """What was asked is malformed or outside a stated limit."""


class NotAuthenticated(Refused):
    """No account or token was given, or it is not valid."""


class NotAllowed(Refused):
    """The account may not do this."""


class NotFound(Refused):
    """Something that was named does not exist."""


class Conflict(Refused):
    """What was asked contradicts what is recorded."""


class TooOften(Refused):
    """This was asked too often; the same call may succeed some minutes later."""


class Unavailable(StreaksError):
    """The service did not answer, or said that it can't now."""


class JobFailed(StreaksError):
    """A job failed or was cancelled; the message says why."""


BY_STATUS: Mapping[int, type[StreaksError]] = MappingProxyType(
    {
        401: NotAuthenticated,
        403: NotAllowed,
        404: NotFound,
        409: Conflict,
        429: TooOften,
        502: Unavailable,
        503: Unavailable,
        504: Unavailable,
    }
)
"""By the status of an answer; other answers below 500 are InvalidRequest."""
