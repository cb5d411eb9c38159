"""Jobs: accepted once, ended once."""

import pytest

from core.errors import Conflict
from core.job import Job, JobState, new_job_id
from storage.record import Record


def a_job(owner: str = "olga") -> Job:
    return Job(new_job_id(), ("rb@1",), "live", owner, items=1, shards=1)


def test_a_key_gives_the_first_job_again(record: Record) -> None:
    first = record.jobs.accept(a_job(), idempotency_key="k", fingerprint="f")
    again = record.jobs.accept(a_job(), idempotency_key="k", fingerprint="f")
    assert again.id == first.id
    assert len(record.jobs.newest(10)) == 1


def test_a_key_for_other_contents_is_a_conflict(record: Record) -> None:
    record.jobs.accept(a_job(), idempotency_key="k", fingerprint="f")
    with pytest.raises(Conflict, match="'k'"):
        record.jobs.accept(a_job(), idempotency_key="k", fingerprint="other")
    assert len(record.jobs.newest(10)) == 1


def test_a_key_is_its_owners_own_and_none_is_no_key(record: Record) -> None:
    record.jobs.accept(a_job("olga"), idempotency_key="k", fingerprint="f")
    record.jobs.accept(a_job("vera"), idempotency_key="k", fingerprint="other")
    record.jobs.accept(a_job("vera"))
    record.jobs.accept(a_job("vera"))
    assert len(record.jobs.newest(10)) == 4


def test_a_job_ends_once(record: Record) -> None:
    job = record.jobs.accept(a_job())
    assert record.jobs.start(job.id) is not None
    assert record.jobs.cancel(job.id)
    assert not record.jobs.finish(job.id)
    assert record.jobs.start(job.id) is None
    found = record.jobs.get(job.id)
    assert found is not None
    assert found.state is JobState.CANCELLED
    assert found.started is not None
    assert found.finished is not None
    assert found.started <= found.finished
    assert record.jobs.ended([job.id, "other"]) == {job.id}
    assert record.jobs.open_ids() == []


def test_jobs_are_listed_newest_first(record: Record) -> None:
    jobs = [record.jobs.accept(a_job()).id for _ in range(3)]
    listed = [job.id for job in record.jobs.newest(10)]
    assert sorted(listed, reverse=True) == listed
    assert set(listed) == set(jobs)
    assert [job.id for job in record.jobs.newest(10, before=listed[0])] == listed[1:]


def test_a_paused_job_and_one_that_ended_want_no_worker(record: Record) -> None:
    assert not record.jobs.any_wanted()
    paused, ended = record.jobs.accept(a_job()), record.jobs.accept(a_job())
    assert record.jobs.any_wanted()
    record.jobs.set_paused(paused.id, paused=True)
    assert record.jobs.any_wanted()
    record.jobs.cancel(ended.id)
    assert not record.jobs.any_wanted()
