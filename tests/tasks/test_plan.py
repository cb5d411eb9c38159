"""Planning a rescoring: each cutout that it means is in one shard, whatever dies on the way."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from core.errors import Conflict, InvalidRequest
from core.job import Item, Job, JobState
from core.outcome import Outcome
from core.settings import Scoring
from storage.cutouts import CutoutRecord
from storage.record import Record
from storage.shards import ShardRepository
from tasks.plan import Planner
from tasks.submit_rescore import RescoreSubmitter, Rescoring
from tests.record import register

CUTOUTS = 50
SIZE = 4


def content(n: int) -> str:
    return f"{n:064x}"


@pytest.fixture
def filled(record: Record) -> Record:
    """A record with fifty cutouts and two versions in production."""
    register(record, "rb@7", "sl@7")
    records = [CutoutRecord(content(n), content(n)) for n in range(CUTOUTS)]
    record.cutouts.announce(records)
    record.cutouts.own(records)
    return record


def planner(record: Record, name: str = "one") -> Planner:
    return Planner(record, Scoring(shard_size=SIZE), name=name)


def submit(record: Record, **wanted: Any) -> Job:
    return RescoreSubmitter(record).submit(Rescoring(**wanted), owner="me")


def state_of(record: Record, job: Job) -> Job:
    found = record.jobs.get(job.id)
    assert found is not None
    return found


def planned_cutouts(record: Record, job: Job) -> list[str | None]:
    last = record.shards.last(job.id)
    shards = 0 if last is None else last[0] + 1
    return [item.cutout for n in range(shards) for item in record.shards.items(job.id, n) or []]


def test_every_cutout_is_in_one_shard_by_its_id(filled: Record) -> None:
    job = submit(filled)
    assert state_of(filled, job).state is JobState.PLANNING
    assert planner(filled).plan_one()
    assert planned_cutouts(filled, job) == [content(n) for n in range(CUTOUTS)]
    found = state_of(filled, job)
    assert (found.state, found.items, found.shards) == (JobState.RUNNING, CUTOUTS, 13)
    assert not planner(filled).plan_one()


def test_what_is_scored_already_is_left_out_unless_all_are_wanted(filled: Record) -> None:
    scored = [Outcome(content(n), v, 0.5) for n in range(10) for v in ("rb@7", "sl@7")]
    filled.outcomes.insert([*scored, Outcome(content(11), "rb@7", 0.5)], provenance={})
    few, every = submit(filled), submit(filled, lacking=False)
    estimate = RescoreSubmitter(filled).estimate(Rescoring())
    assert (estimate.cutouts, estimate.seconds) == (CUTOUTS - 10, None)
    for _ in range(2):
        assert planner(filled).plan_one()
    assert planned_cutouts(filled, few) == [content(n) for n in range(10, CUTOUTS)]
    assert planned_cutouts(filled, every) == [content(n) for n in range(CUTOUTS)]


def test_a_thousand_nights_may_be_named_beside_a_filter(filled: Record) -> None:
    first = date(2018, 1, 1)
    nights = [f"{first + timedelta(days=n):%Y%m%d}" for n in range(1000)]
    filled.database["cutouts"].insert_many(
        [{"_id": f"of-{night}", "sha256": content(1), "night": night} for night in [*nights, "20250101"]]
    )
    job = submit(filled, nights=nights, selection=" or ".join(["not has jd"] * 600))
    assert Planner(filled, Scoring(shard_size=500), name="one").plan_one()
    assert planned_cutouts(filled, job) == [f"of-{night}" for night in nights]
    with pytest.raises(InvalidRequest, match="characters; expected at most 10,000"):
        submit(filled, nights=nights, selection=" or ".join(["not has jd"] * 800))


def test_a_filter_on_scores_names_the_version_in_production_now(filled: Record) -> None:
    filled.outcomes.insert([Outcome(content(n), "rb@7", n / CUTOUTS) for n in range(CUTOUTS)], provenance={})
    job = submit(filled, selection="rb < 0.5 and rb > 0.1", models=["sl@7"], lacking=False)
    assert "rb@7" in str(job.selection)
    register(filled, "rb@8")
    assert planner(filled).plan_one()
    assert planned_cutouts(filled, job) == [content(n) for n in range(6, 25)]


def test_a_version_that_is_archived_before_the_plan_is_made_changes_nothing_of_it(filled: Record) -> None:
    filled.outcomes.insert([Outcome(content(n), "rb@7", n / CUTOUTS) for n in range(CUTOUTS)], provenance={})
    job = submit(filled, selection="rb >= 0.5", models=["rb@7", "sl@7"])
    register(filled, "rb@8")
    filled.models.archive("rb@7", by="me")
    assert planner(filled).plan_one()
    assert planned_cutouts(filled, job) == [content(n) for n in range(25, 50)]
    assert state_of(filled, job).versions == ("rb@7", "sl@7")


@pytest.mark.parametrize(("every_s", "told"), [(0.0, [5, 10, 13, 13]), (1000.0, [5, 13])])
def test_work_starts_while_the_plan_goes_on_and_nothing_stays_untold(
    filled: Record, monkeypatch: pytest.MonkeyPatch, every_s: float, told: list[int]
) -> None:
    job = submit(filled)
    monkeypatch.setattr("tasks.plan.AT_ONCE", 5)
    monkeypatch.setattr("tasks.plan.TELL_S", every_s)
    seen: list[tuple[int, JobState]] = []

    def tell() -> None:
        seen.append((filled.shards.waiting("bulk", limit=100), state_of(filled, job).state))

    assert Planner(filled, Scoring(shard_size=SIZE), name="one", tell=tell).plan_one()
    assert seen == [(n, JobState.PLANNING) for n in told]


def test_nothing_to_do_is_a_finished_job(filled: Record) -> None:
    job = submit(filled, selection="night = 20180927")
    assert planner(filled).plan_one()
    found = state_of(filled, job)
    assert (found.state, found.items) == (JobState.FINISHED, 0)


def test_a_planner_that_is_killed_is_continued_by_another(
    filled: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(filled)
    monkeypatch.setattr("tasks.plan.AT_ONCE", 2)
    append, calls = filled.shards.append, 0

    def killed(*args: Any, **kwargs: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return append(*args, **kwargs)

    monkeypatch.setattr(filled.shards, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        planner(filled).plan_one()
    assert not planner(filled, "two").plan_one()  # its lease has not run out
    filled.database["jobs"].update_one({"_id": job.id}, {"$unset": {"planner": ""}})
    assert planner(filled, "two").plan_one()
    assert planned_cutouts(filled, job) == [content(n) for n in range(CUTOUTS)]
    assert state_of(filled, job).shards == 13


def test_a_planner_that_was_only_slow_loses_and_doubles_nothing(
    filled: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is stopped between two writes, another plans the rest in shards of another size."""
    job = submit(filled)
    monkeypatch.setattr("tasks.plan.AT_ONCE", 2)
    append, calls = filled.shards.append, 0

    def overtaken(key: str, shards: Mapping[int, Sequence[Item]], **kwargs: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            monkeypatch.setattr(filled.shards, "append", append)
            filled.database["jobs"].update_one({"_id": job.id}, {"$unset": {"planner": ""}})
            assert Planner(filled, Scoring(shard_size=7), name="two").plan_one()
        return append(key, shards, **kwargs)

    monkeypatch.setattr(filled.shards, "append", overtaken)
    assert planner(filled).plan_one()
    assert planned_cutouts(filled, job) == [content(n) for n in range(CUTOUTS)]


def test_shards_of_a_job_that_is_paused_or_cancelled_meanwhile_are_too(
    filled: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused, cancelled = submit(filled, lacking=False), submit(filled, lacking=False)
    append = filled.shards.append

    def meanwhile(key: str, shards: Mapping[int, Sequence[Item]], **kwargs: Any) -> bool:
        if key == paused.id:
            filled.jobs.set_paused(key, paused=True)
            filled.shards.pause(key)
        else:
            filled.jobs.cancel(key)
            filled.shards.cancel(key)
        return append(key, shards, **kwargs)

    monkeypatch.setattr(filled.shards, "append", meanwhile)
    for _ in range(2):
        assert planner(filled).plan_one()
    assert filled.shards.claim_waiting("bulk", worker="one") is None
    filled.jobs.set_paused(paused.id, paused=False)
    filled.shards.unpause(paused.id)
    lease = filled.shards.claim_waiting("bulk", worker="one")
    assert lease is not None
    assert lease.job == paused.id
    assert not filled.shards.any_open(cancelled.id)


def test_a_shard_is_whole_batches_that_take_a_few_seconds_of_a_worker_as_fast_as_the_last_ones(
    filled: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rate, size in ((None, SIZE), (100.0, 384), (13.5, 64), (0.1, 32), (300.0, 1280), (1e6, 1792)):
        monkeypatch.setattr(ShardRepository, "recent_rate", lambda _, rate=rate: rate)
        assert planner(filled).shard_size() == size


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"selection": "rb <"}, "filter"),
        ({"selection": "nonsense > 3"}, "nonsense"),
        ({"selection": '{"$where": "1"}'}, "filter"),
        ({"models": ["rb@99"]}, "rb@99"),
        ({"rank": 101}, "rank is 101; expected -100 to 100"),
        ({"share": 0.0}, "share is 0.0"),
    ],
)
def test_what_can_t_be_rescored_is_refused(filled: Record, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said.replace("$", r"\$")):
        submit(filled, **wanted)


def test_one_key_is_one_job(filled: Record) -> None:
    submitter = RescoreSubmitter(filled)
    first = submitter.submit(Rescoring(), owner="me", idempotency_key="k", fingerprint="a")
    again = submitter.submit(Rescoring(), owner="me", idempotency_key="k", fingerprint="a")
    assert first.id == again.id
    with pytest.raises(Conflict):
        submitter.submit(Rescoring(), owner="me", idempotency_key="k", fingerprint="b")
