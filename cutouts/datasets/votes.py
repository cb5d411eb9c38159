"""What a source tells: images, and who called which of them what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from core.dataset import Reason
from cutouts.names import night_of, streak_id


@dataclass(frozen=True, slots=True)
class Image:
    """An image that came.

    Parameters
    ----------
    name : its path in what came; a zip counts as a folder of its name without the suffix.
    sha256 : of its bytes; None where they are no readable cutout, and `fault` says why.
    recorded_night : what the record says, for images whose name says nothing.
    """

    name: str
    sha256: str | None
    fault: str | None = None
    recorded_night: str | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that it is in, outermost first."""
        return PurePosixPath(self.name).parts[:-1]

    @property
    def file(self) -> str:
        """The name without its folders."""
        return PurePosixPath(self.name).name

    @property
    def streak_id(self) -> str | None:
        """The survey's id, where the name carries one."""
        return streak_id(self.name)

    @property
    def night(self) -> str | None:
        """The night `YYYYMMDD` of its streak id, or of the record."""
        return night_of(self.file) or self.recorded_night


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's word on one image.

    Parameters
    ----------
    image : the name of the image.
    when_s : by any clock; of one person's votes the last counts. 0 where the source tells no time.
    """

    image: str
    person: str
    label: int
    when_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a source tells of images, by their names.

    Parameters
    ----------
    left_out : by reason, the names of what it told that is no vote on an image.
    settled : labels that were settled after a disagreement; they stand whatever the votes are.
    """

    votes: Sequence[Vote]
    left_out: dict[Reason, list[str]] = field(default_factory=dict)
    settled: Mapping[str, int] = field(default_factory=dict)
