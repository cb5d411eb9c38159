"""The decision rule: a streak is plausible when every family has a member that says so."""

from collections.abc import Collection, Mapping

from core.errors import InvalidRequest
from core.model_card import VERSION


def classifier_of(version: str) -> str:
    """`rb` of `rb@3`; raises InvalidRequest for anything else."""
    match = VERSION.match(version)
    if match is None:
        raise InvalidRequest(f"model version {version!r}; expected a classifier and a number, such as rb@1")
    return match["classifier"]


def is_plausible(
    scores: Mapping[str, float], thresholds: Mapping[str, float], *, not_run: Collection[str] = ()
) -> bool | None:
    """Whether, in each family among `thresholds`, at least one version scores at or above its threshold.

    Parameters
    ----------
    scores : by version, each 0..1.
    thresholds : by version; its keys say which versions take part.
    not_run : versions that are known to have no score.

    Returns None when a version that takes part has no score: one that was not run leaves it False where
    another family says no.
    """
    if not thresholds or any(version not in scores and version not in not_run for version in thresholds):
        return None
    passed: dict[str, bool] = {}
    unknown: set[str] = set()
    for version, threshold in thresholds.items():
        family = classifier_of(version)
        passed[family] = passed.get(family, False) or scores.get(version, -1.0) >= threshold
        if version not in scores:
            unknown.add(family)
    if any(not found and family not in unknown for family, found in passed.items()):
        return False
    return True if all(passed.values()) else None


def best_members(scores: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """(version, score) of the member of each family that scores highest; the first of equals."""
    best: dict[str, tuple[str, float]] = {}
    for version, score in scores.items():
        family = classifier_of(version)
        if family not in best or score > best[family][1]:
            best[family] = (version, score)
    return best


def checked_threshold(value: float) -> float:
    """A threshold that somebody sets; raises InvalidRequest unless it is between 0 and 1, and neither."""
    if not 0 < value < 1:
        raise InvalidRequest(f"threshold {value}; expected a number above 0 and below 1")
    return value
