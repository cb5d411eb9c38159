"""The cascade: where rb is below a floor, networks of other families are not run, and that is told."""

from collections.abc import Iterable, Mapping, Sequence

from core.decision import classifier_of
from core.errors import InvalidRequest

GATE = "rb"
"""The family that decides: what it calls bogus, no other has to look at."""


def gates(versions: Iterable[str]) -> list[str]:
    """Those whose scores decide whether the others are run."""
    return [version for version in versions if classifier_of(version) == GATE]


def is_below(scores: Mapping[str, float], versions: Sequence[str], floor: float) -> bool:
    """Whether all gates among `versions` have scored, and none of them `floor` or above."""
    found = gates(versions)
    return bool(found) and all(scores.get(version, floor) < floor for version in found)


def floor_of(
    wanted: float | None, default: float | None, *, versions: Sequence[str], thresholds: Mapping[str, float]
) -> float | None:
    """The floor of a job: what was wanted for it, or else the settings' default; None where all are run.

    The default gives way to the gates' thresholds where these are lower, and holds only for versions that
    can make a cascade. Raises InvalidRequest where what was wanted can't be: a cutout that a gate passes has
    to have all scores.
    """
    found = gates(versions)
    lowest = min((thresholds[version] for version in found), default=0.0)
    can_be = bool(found) and len(found) < len(versions)
    if wanted is None:
        return (min(default, lowest) or None) if default is not None and can_be else None
    if not 0 <= wanted <= 1:
        raise InvalidRequest(f"cascade {wanted}; expected a score of {GATE} from 0, for none, to 1")
    if wanted == 0:
        return None
    if not can_be:
        told = ", ".join(versions)
        raise InvalidRequest(
            f"cascade {wanted} for {told}; expected versions of {GATE} and of another family"
        )
    if wanted > lowest:
        raise InvalidRequest(
            f"cascade {wanted} is above the threshold {lowest} of {GATE}; expected at most that, as a cutout"
            " that passes has to have all scores"
        )
    return wanted
