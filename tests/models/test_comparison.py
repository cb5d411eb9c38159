"""Two versions on the same cutouts."""

import numpy as np
import pytest

from core.errors import InvalidRequest
from models.evaluation.comparison import compare, mcnemar_exact

BEFORE = np.array([0.1, 0.6, 0.4, 0.9, 0.2], np.float32)
AFTER = np.array([0.2, 0.4, 0.7, 0.9, 0.8], np.float32)
LABELS = np.array([0, 0, 1, 1, 0], np.uint8)


def test_known_changes() -> None:
    found = compare(BEFORE, AFTER, labels=LABELS)
    assert found.n == 5
    assert found.mean_delta == pytest.approx(0.16)
    assert found.mean_absolute_delta == pytest.approx(0.24)
    assert found.max_absolute_delta == pytest.approx(0.6)
    assert found.farthest == 4
    assert (found.flipped_to_1, found.flipped_to_0) == (2, 1)
    against = found.against_truth
    assert against is not None
    assert (against.mended, against.broken, against.p_value) == (2, 1, 1.0)
    assert (against.tpr_before, against.tpr_after) == (0.5, 1)
    assert (against.tnr_before, against.tnr_after) == pytest.approx((2 / 3, 2 / 3))
    assert (against.auc_before, against.auc_after) == pytest.approx((5 / 6, 5 / 6))


def test_the_other_way_round_swaps_what_is_told() -> None:
    one, other = compare(BEFORE, AFTER, labels=LABELS), compare(AFTER, BEFORE, labels=LABELS)
    assert one.mean_delta == -other.mean_delta
    assert (one.flipped_to_1, one.flipped_to_0) == (other.flipped_to_0, other.flipped_to_1)
    assert one.against_truth is not None
    assert other.against_truth is not None
    assert (one.against_truth.mended, one.against_truth.broken) == (
        other.against_truth.broken,
        other.against_truth.mended,
    )


def test_a_version_does_not_differ_from_itself() -> None:
    found = compare(BEFORE, BEFORE, labels=LABELS)
    assert (found.max_absolute_delta, found.flipped_to_0, found.flipped_to_1) == (0, 0, 0)
    assert found.against_truth is not None
    assert found.against_truth.p_value == 1


def test_without_a_truth_only_the_change_is_told() -> None:
    assert compare(BEFORE, AFTER).against_truth is None


def test_each_version_decides_by_its_own_threshold() -> None:
    found = compare(BEFORE, BEFORE, threshold_before=0.5, threshold_after=0.3)
    assert (found.flipped_to_1, found.flipped_to_0) == (1, 0)


@pytest.mark.parametrize(
    ("mended", "broken", "p"),
    [(0, 0, 1), (3, 3, 1), (1, 0, 1), (5, 0, 2 / 32), (9, 1, 22 / 1024), (1, 9, 22 / 1024)],
)
def test_mcnemar_by_hand(mended: int, broken: int, p: float) -> None:
    assert mcnemar_exact(mended, broken) == pytest.approx(p, abs=1e-15)


def test_mcnemar_of_very_many_is_a_number() -> None:
    assert mcnemar_exact(5000, 5000) == 1
    assert 0 <= mcnemar_exact(9000, 1000) < 1e-300
    assert mcnemar_exact(2100, 1900) == pytest.approx(0.00165, abs=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "labels"),
    [([], [], None), ([0.1], [0.1, 0.2], None), ([0.1], [np.nan], None), ([0.1], [0.2], [0, 1])],
)
def test_scores_that_can_t_be_compared_are_refused(
    before: list[float], after: list[float], labels: list[int]
) -> None:
    with pytest.raises(InvalidRequest, match=r"expected|not finite"):
        compare(np.array(before), np.array(after), labels=None if labels is None else np.array(labels))
