"""What became of one cutout under one model version: a score or a rejection, written once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.job import Rejection


@dataclass(frozen=True)
class Departure:
    """One quantity in which a cutout departs from what networks were trained on, and the range expected."""

    quantity: str
    observed: float
    expected: tuple[float, float]


@dataclass(frozen=True)
class Outcome:
    """A score in 0..1, or a rejection; exactly one of the two.

    `instrument` names the profile that the cutout was read by; a score with departures in `uncalibrated` is
    one that its network was not made for. `not_run` are the versions that were not asked because this score
    was below a floor, which it holds by version: their outcome is still open.
    """

    cutout: str
    version: str
    score: float | None = None
    rejection: Rejection | None = None
    instrument: str | None = None
    uncalibrated: tuple[Departure, ...] = ()
    not_run: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.score is None) == (self.rejection is None):
            raise ValueError(f"{self.cutout} {self.version}: expected a score or a rejection, one of them")
