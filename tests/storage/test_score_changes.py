"""What a version changes on cutouts whose truth nobody knows."""

import pytest

from core.errors import InvalidRequest, NotFound
from core.job import Item, Job
from core.outcome import Outcome
from storage.record import Record
from storage.score_changes import MOST_CHANGED, sampled_changes, score_changes
from tests.record import register

OLD, NEW = "rb@7", "rb@8"
CUTOUTS = 60


@pytest.fixture
def job(record: Record) -> Job:
    """Sixty cutouts in six shards; a tenth moves from 1 to 0, a tenth to 1, the rest by a hundredth."""
    register(record, OLD, NEW, "sl@7")
    items = [Item(f"{n}.jpg", f"{n:064x}", f"{n:064x}") for n in range(CUTOUTS)]
    record.shards.insert("j1", [items[n : n + 10] for n in range(0, CUTOUTS, 10)], priority="bulk")
    before = [0.9 if n < 6 else 0.25 for n in range(CUTOUTS)]
    after = [0.1 if n < 6 else 0.75 if n < 12 else 0.26 for n in range(CUTOUTS)]
    old = [Outcome(f"{n:064x}", OLD, score) for n, score in enumerate(before)]
    new = [Outcome(f"{n:064x}", NEW, score) for n, score in enumerate(after[:-2])]
    record.outcomes.insert([*old, *new], provenance={})
    return record.jobs.accept(Job("j1", (NEW,), "bulk", "me", items=CUTOUTS, shards=6))


def test_deltas_flips_and_the_most_changed(record: Record, job: Job) -> None:
    found = score_changes(record, job, OLD, NEW)
    assert (found.n, found.without, found.to_1, found.to_0) == (58, 2, 6, 6)
    assert found.mean == pytest.approx((6 * -0.8 + 6 * 0.5 + 46 * 0.01) / 58)
    assert found.mean_absolute == pytest.approx((6 * 0.8 + 6 * 0.5 + 46 * 0.01) / 58)
    assert found.quantiles["0.01"] == pytest.approx(-0.8, abs=1e-3)
    assert found.quantiles["0.5"] == pytest.approx(0.01, abs=1e-3)
    assert found.quantiles["0.95"] == pytest.approx(0.5, abs=1e-3)
    assert sum(found.histogram) == 58
    assert found.called_1 == (6, 6)
    assert found.grid[2][18] == 6  # a row for each step of the score after
    assert found.grid[15][5] == 6
    assert found.grid[5][5] == 46
    assert {change.cutout for change in found.most_to_0} == {f"{n:064x}" for n in range(6)}
    assert {change.cutout for change in found.most_to_1} == {f"{n:064x}" for n in range(6, 12)}
    assert len(found.most_changed) == MOST_CHANGED
    assert {change.cutout for change in found.most_changed[:6]} == {f"{n:064x}" for n in range(6)}
    assert (found.most_changed[0].before, found.most_changed[0].after) == (0.9, 0.1)


def test_each_version_decides_by_its_own_threshold(record: Record, job: Job) -> None:
    record.models.set_threshold(NEW, 0.8, by="me")
    assert score_changes(record, job, OLD, NEW).to_1 == 0


def test_nothing_scored_by_both_is_told_as_nothing(record: Record, job: Job) -> None:
    register(record, "rb@9")
    found = score_changes(record, job, OLD, "rb@9")
    assert (found.n, found.without, found.mean, found.quantiles) == (0, CUTOUTS, None, {})


def test_a_large_record_is_compared_by_a_random_sample(record: Record, job: Job) -> None:
    cutouts = [{"_id": f"{n:064x}"} for n in range(CUTOUTS)]
    record.database["cutouts"].insert_many(cutouts)
    whole, is_sample = sampled_changes(record, OLD, NEW, most=CUTOUTS - 2)  # as many as the newer has
    assert (whole.n, whole.to_1, whole.to_0, is_sample) == (58, 6, 6, False)
    some, is_sample = sampled_changes(record, OLD, NEW, most=30)
    assert is_sample
    assert 28 <= some.n <= 30
    assert {c.cutout for c in some.most_changed} != {c.cutout for c in whole.most_changed}


def test_what_can_t_be_compared_is_refused(record: Record, job: Job) -> None:
    with pytest.raises(InvalidRequest, match="rb@7 and sl@7 are of two classifiers"):
        score_changes(record, job, OLD, "sl@7")
    with pytest.raises(NotFound, match="rb@99"):
        score_changes(record, job, OLD, "rb@99")
