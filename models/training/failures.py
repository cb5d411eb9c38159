"""Why a training can't go on."""

from core.errors import ServiceError


class TrainingFailed(ServiceError):
    """The training can't go on, and the same again would fail again; the message says why."""


class OutOfMemory(TrainingFailed):
    """A batch does not fit the device."""
