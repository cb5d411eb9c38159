"""What became of one cutout under one model version: a score or a rejection, written once."""

from dataclasses import dataclass

from core.job import Rejection


@dataclass(frozen=True)
class Outcome:
    """A score in 0..1, or a rejection; exactly one of the two."""

    cutout: str
    version: str
    score: float | None = None
    rejection: Rejection | None = None

    def __post_init__(self) -> None:
        if (self.score is None) == (self.rejection is None):
            raise ValueError(f"{self.cutout} {self.version}: expected a score or a rejection, one of them")
