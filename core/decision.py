"""The decision rule: a streak is plausible when every family has a member that says so."""

from collections.abc import Mapping

from core.errors import InvalidRequest
from core.model_card import VERSION


def classifier_of(version: str) -> str:
    """`rb` of `rb@3`; raises InvalidRequest for anything else."""
    match = VERSION.match(version)
    if match is None:
        raise InvalidRequest(f"model version {version!r}; expected a classifier and a number, such as rb@1")
    return match["classifier"]


def is_plausible(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> bool | None:
    """Whether, in each family among `thresholds`, at least one version scores at or above its threshold.

    Parameters
    ----------
    scores : by version, each 0..1.
    thresholds : by version; its keys say which versions take part.

    Returns None when a version that takes part has no score.
    """
    if not thresholds or any(version not in scores for version in thresholds):
        return None
    passed: dict[str, bool] = {}
    for version, threshold in thresholds.items():
        family = classifier_of(version)
        passed[family] = passed.get(family, False) or scores[version] >= threshold
    return all(passed.values())


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
