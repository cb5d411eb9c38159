"""The errors of the service, which answer two questions: whose fault is it, and is a retry worth it?

ServiceError
├── CallerError             the caller's fault; the same call fails again
│   ├── InvalidRequest          malformed, or outside a stated limit
│   ├── TooLarge                over a stated size
│   ├── Unsafe                  refused for safety: path, address, archive
│   ├── NotFound                names something that does not exist
│   ├── Conflict                contradicts what is recorded
│   ├── NotAuthenticated, NotAllowed
│   └── TooOften                may be asked again, later
├── CutoutRejected          the cutout's fault; no other cutout is affected
├── Damaged                 the store's fault: bytes that are not what was written; a retry reads the same
├── Unavailable             nobody's fault; a retry is worth it
│   └── NotInvited              by another host: this one is let in no more
└── Misconfigured           the operator's fault; the message holds the cure
"""


class ServiceError(Exception):
    """The root of every error that this service raises on purpose."""


class CallerError(ServiceError):
    """The caller asked for something that can't be done; asking again gives the same answer."""


class InvalidRequest(CallerError):
    """The request is malformed or outside a stated limit."""


class TooLarge(CallerError):
    """The request is larger than a stated limit."""


class Unsafe(CallerError):
    """The request was refused for safety: a path, an address or an archive that is not allowed."""


class NotFound(CallerError):
    """The request names something that does not exist."""


class Conflict(CallerError):
    """The request contradicts what is already recorded."""


class NotAuthenticated(CallerError):
    """The request carries no valid token or password."""


class NotAllowed(CallerError):
    """The account that asks may not do this."""


class TooOften(CallerError):
    """The caller has asked this too often; the same call may succeed some minutes later."""


class CutoutRejected(ServiceError):
    """One cutout gets no score; the others are not affected.

    Parameters
    ----------
    stage : where it happened: "cut", "submit", "fetch" or "decode".
    reason : a stable word for programs, such as "truncated" or "flat".
    detail : what was received and what was expected, for people.
    """

    def __init__(self, stage: str, reason: str, detail: str) -> None:
        super().__init__(f"{stage}: {reason}: {detail}")
        self.stage, self.reason, self.detail = stage, reason, detail


class Damaged(ServiceError):
    """What is stored is no longer what was written."""


class Unavailable(ServiceError):
    """Something that we depend on does not answer now; a retry is worth it."""


class NotInvited(Unavailable):
    """The service that invited this host lets it in no more; what it was doing is for other hosts."""


class Misconfigured(ServiceError):
    """The service can't start as it is set up; the message says what to change."""
