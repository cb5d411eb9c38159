"""The cascade: where rb is below a floor, sl is not run, which is told and is never a 0."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from core.cascade import floor_of
from core.errors import InvalidRequest
from core.job import Job
from cutouts.recipes import Pixels
from storage.decisions import decide_again
from storage.exports import asked, cutout_rows, job_rows
from storage.refresh import refresh_production
from storage.results import Cursor, Result, read_results
from storage.selection import EVERYTHING, selected
from tests.record import card
from tests.worker.test_scorer import Bench, bench  # noqa: F401  a fixture
from worker.engine import Scores

LOW, HIGH = "strkid6740938304150004_pid674093830415", "strkid6741187104150011_pid674118710415"
FLOOR = 0.3
Asked = list[tuple[tuple[str, ...], int]]


def picture(grey: int) -> bytes:
    """A PNG of noise about a grey level, which is its score times 255."""
    noise = np.random.default_rng(grey).normal(grey, 12, (157, 157)).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def one(bench: Bench) -> Bench:  # noqa: F811
    return bench


@pytest.fixture
def asks(one: Bench, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the engine was asked: versions and how many cutouts."""
    found: Asked = []
    score = one.engine.score

    def spy(batch: Pixels, versions: Sequence[str]) -> Scores:
        found.append((tuple(versions), len(batch)))
        return score(batch, versions)

    monkeypatch.setattr(one.engine, "score", spy)
    return found


def scored(one: Bench, **options: object) -> Job:
    files = [(f"{LOW}.png", picture(40)), (f"{HIGH}.png", picture(200))]
    job = one.submit(one.items(files), **options)
    one.run(job)
    assert one.is_finished(job)
    progress = one.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (2, 0)
    return job


def results(one: Bench, job: Job) -> list[Result]:
    return read_results(one.record, job, start=Cursor(), limit=10, pending=True).results


def test_sl_is_run_only_where_rb_is_at_the_floor_or_above(one: Bench, asks: Asked) -> None:
    low, high = results(one, scored(one, cascade=FLOOR))
    assert asks == [(("rb@1",), 2), (("sl@1",), 1)]
    assert (set(low.scores), low.not_run, low.plausible, low.pending) == ({"rb@1"}, ("sl@1",), False, False)
    assert (set(high.scores), high.not_run, high.plausible) == ({"rb@1", "sl@1"}, (), True)
    assert one.record.database["outcomes"].count_documents({}) == 3
    document = one.record.cutouts.get(LOW)
    assert document is not None
    assert "sl" not in document
    assert (document["not_run"], document["plausible"]) == (["sl@1"], False)


def test_it_is_off_by_default(one: Bench, asks: Asked) -> None:
    assert scored(one).cascade is None
    assert asks == [(("rb@1", "sl@1"), 2)]
    assert not one.record.database["outcomes"].find_one({"not_run": {"$exists": True}})


def test_exports_and_filters_tell_what_was_not_run(one: Bench) -> None:
    job = scored(one, cascade=FLOOR)
    thresholds = {"rb@1": 0.5, "sl@1": 0.5}
    (block,) = job_rows(one.record, job, thresholds)
    assert [row.result.not_run for row in block] == [("sl@1",), ()]
    found = {}
    for text in ("lacks sl", "sl < 0.9", "not plausible", "plausible", "rb < 0.3"):
        meant = asked(one.record, text, ())
        blocks = cutout_rows(one.record, meant.filter, meant.thresholds)
        found[text] = [row.result.cutout for rows in blocks for row in rows]
    assert found == {
        "lacks sl": [LOW],
        "sl < 0.9": [HIGH],
        "not plausible": [LOW],
        "plausible": [HIGH],
        "rb < 0.3": [LOW],
    }
    assert len(list(selected(one.record, EVERYTHING))) == 2


def test_a_job_without_a_cascade_runs_what_was_not_run(one: Bench, asks: Asked) -> None:
    first = scored(one, cascade=FLOOR)
    asks.clear()
    later = scored(one, cascade=0)
    assert asks == [(("rb@1", "sl@1"), 1)]
    for job in (first, later):
        assert [(set(r.scores), r.not_run) for r in results(one, job)] == [({"rb@1", "sl@1"}, ())] * 2
    document = one.record.cutouts.get(LOW)
    assert document is not None
    assert document["sl"] == document["rb"]
    assert "not_run" not in document


def test_rb_that_is_on_record_decides_without_another_look(one: Bench, asks: Asked) -> None:
    scored(one, models=["rb@1"])
    asks.clear()
    low, high = results(one, scored(one, cascade=FLOOR))
    assert asks == [(("rb@1",), 1), (("sl@1",), 1)]
    assert (low.not_run, low.pending, high.not_run) == (("sl@1",), False, ())
    asks.clear()
    scored(one, cascade=FLOOR)
    assert asks == []


def test_a_threshold_that_is_moved_below_the_floor_leaves_the_decision_open(one: Bench) -> None:
    scored(one, cascade=FLOOR)
    one.record.models.set_threshold("rb@1", 0.1, by="me")
    assert decide_again(one.record, for_s=5) == 2
    document = one.record.cutouts.get(LOW)
    assert document is not None
    assert document["plausible"] is None


def test_a_promoted_version_s_cascade_takes_the_older_sl_away(one: Bench) -> None:
    scored(one)
    for name in ("rb@2", "sl@2"):
        one.record.models.register(card(name, name.encode()), name.encode())
    job = scored(one, models=["rb@2", "sl@2"], cascade=FLOOR)
    assert results(one, job)[0].not_run == ("sl@2",)
    for name in ("rb@2", "sl@2"):
        one.record.models.promote(name, by="me", even_if_worse=True)
    refresh_production(one.record, for_s=5)
    document = one.record.cutouts.get(LOW)
    assert document is not None
    assert (document["versions"], document["not_run"]) == ({"rb": "rb@2"}, ["sl@2"])
    assert "sl" not in document


def test_a_rejected_cutout_has_no_score_and_nothing_that_was_not_run(one: Bench) -> None:
    job = one.submit(one.items([("cut.png", picture(40)[:500])]), cascade=FLOOR)
    one.run(job)
    (result,) = results(one, job)
    assert (result.rejection is not None, result.not_run, result.pending) == (True, (), False)


@pytest.mark.parametrize(
    ("versions", "floor", "said"),
    [
        (("rb@1", "sl@1"), 0.6, "above the threshold 0.5"),
        (("rb@1", "sl@1"), -0.1, "from 0, for none, to 1"),
        (("rb@1",), 0.3, "cascade 0.3 for rb@1"),
        (("sl@1",), 0.3, "cascade 0.3 for sl@1"),
    ],
)
def test_a_floor_that_can_not_be_is_refused(versions: tuple[str, ...], floor: float, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        floor_of(floor, None, versions=versions, thresholds=dict.fromkeys(versions, 0.5))


def test_the_settings_floor_gives_way_to_the_threshold_and_to_the_job() -> None:
    both = {"rb@1": 0.4, "sl@1": 0.5}
    assert floor_of(None, 0.3, versions=list(both), thresholds=both) == 0.3
    assert floor_of(None, 0.6, versions=list(both), thresholds=both) == 0.4
    assert floor_of(0.1, 0.3, versions=list(both), thresholds=both) == 0.1
    assert floor_of(0.0, 0.3, versions=list(both), thresholds=both) is None
    assert floor_of(None, 0.3, versions=["rb@1"], thresholds=both) is None
