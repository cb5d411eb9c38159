"""What a threshold keeps, by a card's figures: those of today, and those that tell it at some thresholds."""

import json

import pytest

from core.completeness import FIGURE, STEPS, completeness
from core.wilson import wilson_interval
from tests.api.server import ROOT

CARD = json.loads((ROOT / "models" / "shipped" / "rb-3" / "card.json").read_text("utf-8"))
OLD = {key: value for key, value in CARD["metrics"]["rb-2018.9"].items() if key != FIGURE}


def test_the_share_and_its_interval_are_those_of_the_counts() -> None:
    counts = [1000 - 9 * step for step in range(STEPS + 1)]
    kept = completeness({"confusion_matrix": [[5, 5], [400, 600]], FIGURE: counts})
    assert kept is not None
    assert (kept[0].share, kept[0].high, kept[50].share) == (1.0, 1.0, 0.55)
    assert (kept[50].low, kept[50].high) == wilson_interval(550, 1000)


def test_figures_of_before_tell_it_at_some_thresholds_and_between_them_no_more_than_they_know() -> None:
    assert FIGURE not in OLD
    kept = completeness(OLD)
    assert kept is not None
    ones = sum(OLD["confusion_matrix"][1])
    at = kept[round(OLD["threshold"] * STEPS)]
    assert at.share == pytest.approx(OLD["tpr"], abs=1e-4)
    assert (at.low, at.high) == pytest.approx(wilson_interval(OLD["confusion_matrix"][1][1], ones))
    for point in OLD["thresholds"]["tpr"]:
        step = round(point["threshold"] * STEPS)
        assert kept[step].low - 0.01 <= point["tpr"] <= kept[max(step - 1, 0)].high + 0.01
    shares = [each.share for each in kept]
    assert shares == sorted(shares, reverse=True)
    assert all(each.low <= each.share <= each.high for each in kept)


def test_figures_without_true_ones_tell_nothing() -> None:
    assert completeness({}) is None
    assert completeness({"confusion_matrix": [[5, 0], [0, 0]]}) is None
