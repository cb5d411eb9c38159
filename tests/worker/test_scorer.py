"""One shard: every item gets one outcome, whatever else happens."""

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pymongo.errors import AutoReconnect

from core.errors import CutoutRejected, InvalidRequest, Misconfigured, NotFound, Unavailable
from core.job import Item, Job, JobState, Priority, new_job_id
from core.model_card import ModelCard
from core.settings import Scoring, Settings
from cutouts.decode import DecodeLimits, decode
from cutouts.names import streak_id
from cutouts.recipes import Pixels
from storage.record import Record, open_record
from storage.results import Cursor, read_results
from storage.shards import ShardRepository
from tasks.app import app
from tasks.messenger import Messenger
from tasks.submit import Submitter
from tests.fits_files import fits_file, noise, streak
from tests.instruments import COARSE, INVERTED
from tests.record import card, register
from tests.worker.pictures import noisy_png
from worker.engine import Scores
from worker.reader import Reader
from worker.scorer import CAREFUL_AFTER, ShardScorer

RED, BLUE = "strkid6740938304150004_pid674093830415", "strkid6741187104150011_pid674118710415"


class Death(BaseException):
    """Stands for the process's end."""


class MeanGrey:
    """An engine whose score is the mean grey level over 255, the same for every version."""

    name, precision, device = "mean-grey-1", "float32", "cpu"

    def __init__(self) -> None:
        self._versions: list[str] = []
        self.turns_to: str | None = None  # the precision from the second batch on
        self.batches: list[int] = []
        self.dies_of: float | None = None
        self.gives: float | None = None
        self.fails_on: tuple[str, ...] = ()

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(self._versions)

    def load(self, card: ModelCard, weights: bytes) -> None:
        self._versions.append(card.version)

    def drop(self, version: str) -> None:
        self._versions.remove(version)

    def warm(self, versions: Sequence[str]) -> None:
        pass

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        assert set(versions) <= set(self._versions)
        if set(versions) & set(self.fails_on):
            raise RuntimeError("out of memory")
        if self.batches and self.turns_to is not None:
            self.precision = self.turns_to
        self.batches.append(len(batch))
        mean = batch.mean(axis=(1, 2, 3), dtype=np.float32) / np.float32(255)
        if self.dies_of is not None and np.isclose(mean, self.dies_of, rtol=0, atol=1e-7).any():
            raise Death
        if self.gives is not None:
            mean = np.full_like(mean, self.gives)
        return np.repeat(mean[:, None], len(versions), axis=1)


class Web:
    """A web of references, some of which fail."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.failures: dict[str, int] = {}
        self.fetched: list[str] = []
        self.gates: dict[str, threading.Event] = {}

    def __call__(self, reference: str) -> bytes:
        self.fetched.append(reference)
        if reference in self.gates:
            assert self.gates[reference].wait(30)
        if self.failures.get(reference, 0) > 0:
            self.failures[reference] -= 1
            raise Unavailable(f"{reference}: 503")
        if reference not in self.pages:
            raise CutoutRejected("fetch", "not_found", f"{reference}: 404")
        return self.pages[reference]


Readers = Mapping[Priority, Reader]


class Bench:
    """A record, a submitter and a scorer that share it."""

    def __init__(
        self, record: Record, settings: Settings, readers: Readers, engine: MeanGrey, web: Web
    ) -> None:
        self.record, self.settings, self.engine, self.web = record, settings, engine, web
        self.scorer = ShardScorer(record, engine, readers, settings.scoring, worker="me")
        messenger = Messenger(app, settings.required_redis_url())
        self._readers = readers
        self.submitter = Submitter(record, messenger, settings.scoring)

    def items(self, files: Sequence[tuple[str, bytes]]) -> list[Item]:
        items = []
        for name, data in files:
            sha256 = self.record.blobs.put(data)
            items.append(Item(name, streak_id(name) or sha256, sha256))
        return items

    def submit(self, items: Sequence[Item], **options: object) -> Job:
        return self.submitter.submit_score(items, owner="me", **options)  # type: ignore[arg-type]

    def run(self, job: Job) -> None:
        for n in range(job.shards):
            self.scorer.score_shard(job.id, n)

    def let_leases_run_out(self) -> None:
        """From now on a shard can be claimed again at once, as after a death."""
        hasty = ShardRepository(self.record.database, lease_s=-1.0)
        record = replace(self.record, shards=hasty)
        self.scorer = ShardScorer(record, self.engine, self._readers, self.settings.scoring, worker="me")

    def is_finished(self, job: Job) -> bool:
        found = self.record.jobs.get(job.id)
        return found is not None and found.state == JobState.FINISHED

    def score_of(self, cutout: str) -> float | None:
        return self.record.outcomes.find([cutout], ["rb@1"])[cutout, "rb@1"].score


@pytest.fixture
def bench(record: Record, settings: Settings) -> Iterator[Bench]:
    register(record, "rb@1", "sl@1")
    small = Scoring(shard_size=5, batch_sizes=(1, 4), fetch_attempts=3)
    settings = settings.model_copy(update={"scoring": small})
    engine, web = MeanGrey(), Web()
    with ThreadPoolExecutor(2) as live, ThreadPoolExecutor(2) as bulk:
        mark = record.check_blobs()

        def reader(executor: ThreadPoolExecutor) -> Reader:
            limits = DecodeLimits()
            return Reader(
                record.blobs, web, executor, limits=limits, attempts=3, mark=mark, first_pause_s=0.01
            )

        yield Bench(record, settings, {"live": reader(live), "bulk": reader(bulk)}, engine, web)


def test_every_cutout_gets_one_outcome_per_version_and_the_job_finishes(bench: Bench) -> None:
    job = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(12)]))
    bench.run(job)
    found = bench.record.jobs.get(job.id)
    assert found is not None
    assert found.state == JobState.FINISHED
    assert bench.record.database["outcomes"].count_documents({}) == 24
    progress = bench.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (12, 0)


def test_each_score_has_the_precision_that_its_batch_was_computed_in(bench: Bench) -> None:
    job = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)]))
    bench.engine.turns_to = "bfloat16"  # as where a network that is loaded meanwhile is not admitted
    bench.run(job)
    found = bench.record.database["outcomes"].aggregate([{"$sortByCount": "$precision"}])
    assert {each["_id"]: each["count"] for each in found} == {"float32": 8, "bfloat16": 2}


def test_bad_files_are_rejected_and_no_other_score_moves(bench: Bench) -> None:
    good = [(f"{i}.png", noisy_png(i)) for i in range(4)]
    whole = noisy_png(9)
    bad = [("cut.png", whole[: len(whole) // 2]), ("text.jpg", b"not an image"), ("empty.png", b"")]
    mixed = [bad[0], good[0], bad[1], good[1], good[2], bad[2], good[3]]
    job = bench.submit(bench.items(mixed))
    bench.run(job)
    progress = bench.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (4, 3)
    for name, data in good:
        cutout = bench.items([(name, data)])[0].cutout
        grey = np.asarray(Image.open(io.BytesIO(data)).resize((144, 144), Image.Resampling.BILINEAR))
        assert bench.score_of(str(cutout)) == pytest.approx(float(grey.mean()) / 255, abs=1e-6)
    reasons = {
        document["rejection"]["reason"]
        for document in bench.record.database["outcomes"].find({"rejection": {"$exists": True}})
    }
    assert reasons == {"truncated", "not_an_image", "empty"}


def test_a_redelivered_shard_writes_each_score_once_and_scores_nothing_again(bench: Bench) -> None:
    job = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(4)]))
    bench.run(job)
    batches = list(bench.engine.batches)
    bench.run(job)
    again = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(4)]))
    bench.run(again)
    assert bench.engine.batches == batches
    assert bench.record.shards.progress(again.id).scored == 4


def test_one_streak_id_with_two_contents_is_a_conflict_that_is_shown(bench: Bench) -> None:
    name = f"{RED}_scimref.jpg"
    job = bench.submit(bench.items([(f"a/{name}", noisy_png(1)), (f"b/{name}", noisy_png(2))]))
    bench.run(job)
    first, second = bench.record.shards.items(job.id, 0) or []
    assert first.rejection is None
    assert second.rejection is not None
    assert second.rejection.reason == "conflict"
    progress = bench.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (1, 1)


def test_the_same_bytes_under_two_names_are_two_items_and_one_cutout(bench: Bench) -> None:
    job = bench.submit(bench.items([("a.png", noisy_png(1)), ("b.png", noisy_png(1))]))
    bench.run(job)
    assert bench.record.shards.progress(job.id).scored == 2
    assert bench.record.database["outcomes"].count_documents({}) == 2


def test_references_are_fetched_retried_and_refused_one_by_one(bench: Bench) -> None:
    web = bench.web
    web.pages = {
        "https://x/a.png": noisy_png(1),
        f"https://x/{RED}.png": noisy_png(2),
        "https://x/d.png": noisy_png(3),
    }
    web.failures = {"https://x/a.png": 2, "https://x/d.png": 99}
    references = ["https://x/a.png", f"https://x/{RED}.png", "https://x/gone.png", "https://x/d.png"]
    job = bench.submit([Item(url, streak_id(url), reference=url) for url in references])
    bench.run(job)
    items = bench.record.shards.items(job.id, 0) or []
    assert [item.rejection.reason if item.rejection else None for item in items] == [
        None,
        None,
        "not_found",
        "unreachable",
    ]
    assert items[0].cutout == items[0].sha256
    assert items[1].cutout == RED
    assert web.fetched.count("https://x/d.png") == 3


def test_a_reference_whose_bytes_contradict_the_record_is_a_conflict(bench: Bench) -> None:
    bench.run(bench.submit(bench.items([(f"{BLUE}.png", noisy_png(1))])))
    recorded = bench.record.cutouts.get(BLUE)
    bench.web.pages = {f"https://x/{BLUE}.png": noisy_png(2)}
    job = bench.submit([Item("b", BLUE, reference=f"https://x/{BLUE}.png")])
    bench.run(job)
    items = bench.record.shards.items(job.id, 0) or []
    assert items[0].rejection is not None
    assert items[0].rejection.reason == "conflict"
    after = bench.record.cutouts.get(BLUE)
    assert recorded is not None
    assert after is not None
    assert after["sha256"] == recorded["sha256"]


def test_production_fields_are_those_of_the_versions_in_production(bench: Bench) -> None:
    bench.run(bench.submit(bench.items([(f"{RED}.png", noisy_png(1))])))
    document = bench.record.cutouts.get(RED)
    assert document is not None
    assert document["rb"] == document["sl"] == bench.score_of(RED)
    assert document["plausible"] is True
    assert document["versions"] == {"rb": "rb@1", "sl": "sl@1"}


def test_a_job_that_a_promotion_overtakes_still_fills_the_production_fields(bench: Bench) -> None:
    late, again = (bench.submit(bench.items([(f"{name}.png", noisy_png(1))])) for name in (RED, RED))
    bench.record.models.register(card("rb@2", b"rb@2"), b"rb@2")
    bench.record.models.promote("rb@2", by="me", even_if_worse=True)
    bench.run(late)
    document = bench.record.cutouts.get(RED)
    assert document is not None
    assert document["versions"] == {"rb": "rb@1", "sl": "sl@1"}
    bench.run(bench.submit(bench.items([(f"{RED}.png", noisy_png(1))])))
    bench.run(again)
    document = bench.record.cutouts.get(RED)
    assert document is not None
    assert document["versions"] == {"rb": "rb@2", "sl": "sl@1"}


def test_a_bulk_shard_lets_live_work_go_first_between_two_batches(bench: Bench) -> None:
    bulk = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)]), priority="bulk")
    live = bench.submit(bench.items([("live.png", noisy_png(99))]), priority="live")
    bench.scorer.score_shard(bulk.id, 0)
    found = bench.record.jobs.get(live.id)
    assert found is not None
    assert found.state == JobState.FINISHED
    assert bench.engine.batches == [4, 1, 1]


def test_a_shard_without_an_accepted_job_is_given_back_untouched(bench: Bench) -> None:
    job = new_job_id()
    bench.record.shards.insert(job, [bench.items([("a.png", noisy_png(1))])], priority="live")
    bench.scorer.score_shard(job, 0)
    assert bench.engine.batches == []
    assert bench.record.shards.claim(job, 0, worker="other") is not None


def test_a_cancelled_job_is_not_worked_on(bench: Bench) -> None:
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    assert bench.record.jobs.cancel(job.id)
    bench.record.shards.cancel(job.id)
    bench.run(job)
    assert bench.engine.batches == []


def test_a_poison_cutout_becomes_a_rejection_and_the_rest_is_scored(bench: Bench) -> None:
    """Whatever batch holds it, the process dies: here an exception that nothing catches."""
    items = bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)])
    job = bench.submit(items)
    bench.engine.dies_of = grey_of(2)
    bench.let_leases_run_out()
    deaths = 0
    while not bench.is_finished(job):
        try:
            bench.run(job)
        except Death:
            deaths += 1
        assert deaths < 10
    rejected = [item.rejection for item in bench.record.shards.items(job.id, 0) or []]
    assert [rejection.reason if rejection else None for rejection in rejected] == [
        None,
        None,
        "poison",
        None,
        None,
    ]
    progress = bench.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (4, 1)
    assert deaths == 5


def grey_of(n: int) -> float:
    """The score of `noisy_png(n)`."""
    return float(decode(noisy_png(n)).mean(dtype=np.float32) / np.float32(255))


def claimed_often(bench: Bench, job: Job) -> None:
    """As if workers had died of a job's shards: from now on their items are scored alone."""
    bench.let_leases_run_out()
    bench.record.database["shards"].update_many({"_id.job": job.id}, {"$set": {"attempts": CAREFUL_AFTER}})


def cut(*_: object, **__: object) -> int:
    raise AutoReconnect("connection closed")


def test_a_record_that_goes_away_before_and_behind_an_outcome_poisons_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(3)]))
    claimed_often(bench, job)
    insert = type(bench.record.outcomes).insert

    def cut_behind(*given: Any, **options: Any) -> int:
        insert(*given, **options)
        return cut()

    for broken in (cut, cut_behind):
        with monkeypatch.context() as chance:
            chance.setattr(type(bench.record.outcomes), "insert", broken)
            with pytest.raises(AutoReconnect):
                bench.run(job)
    bench.run(job)
    progress = bench.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (3, 0)


def test_who_was_cut_off_acquits_what_it_outlived_as_soon_as_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    claimed_often(bench, job)
    for _ in range(3):
        with monkeypatch.context() as chance:
            chance.setattr(type(bench.record.outcomes), "insert", cut)
            chance.setattr(ShardRepository, "acquit", cut)
            with pytest.raises(AutoReconnect):
                bench.run(job)
    bench.run(job)
    assert bench.record.shards.progress(job.id).scored == 1


def test_a_live_shard_that_kills_between_two_items_throws_suspicion_on_neither(bench: Bench) -> None:
    bulk = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(2)]), priority="bulk")
    bench.submit(bench.items([("live.png", noisy_png(9))]), priority="live")
    claimed_often(bench, bulk)
    bench.engine.dies_of = grey_of(9)
    with pytest.raises(Death):
        bench.scorer.score_shard(bulk.id, 0)
    lease = bench.record.shards.claim(bulk.id, 0, worker="next")
    assert lease is not None
    assert not any(lease.suspects.values())


def test_an_item_with_an_outcome_on_record_is_no_poison_whatever_died_since(bench: Bench) -> None:
    bench.run(bench.submit(bench.items([("b.png", noisy_png(1))])))
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    claimed_often(bench, job)
    for _ in range(2):
        lease = bench.record.shards.claim(job.id, 0, worker="dies")
        assert lease is not None
        bench.record.shards.suspect(lease, 0)
        bench.record.shards.release(lease)
    bench.run(job)
    progress = bench.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (1, 0)


def test_an_item_that_no_network_takes_is_rejected_in_the_end(bench: Bench) -> None:
    """The process lives, and would fail for ever."""
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    bench.let_leases_run_out()
    bench.engine.fails_on = ("rb@1",)
    failures = 0
    while not bench.is_finished(job):
        try:
            bench.run(job)
        except RuntimeError:
            failures += 1
        assert failures < 10
    (item,) = bench.record.shards.items(job.id, 0) or []
    assert item.rejection is not None
    assert (item.rejection.reason, failures) == ("poison", 5)


def test_a_job_whose_network_can_not_be_loaded_fails_with_a_reason(bench: Bench, tmp_path: Path) -> None:
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    for blob in (tmp_path / "blobs").glob("*/*"):
        blob.write_bytes(b"damaged")
    bench.let_leases_run_out()
    for _ in range(3):
        with pytest.raises(NotFound):
            bench.run(job)
    bench.run(job)
    found = bench.record.jobs.get(job.id)
    assert found is not None
    assert found.state == JobState.FAILED
    assert found.failure is not None
    assert "is damaged" in found.failure
    assert not bench.record.shards.any_open(job.id)


def test_a_score_that_is_no_number_is_a_rejection(bench: Bench) -> None:
    bench.engine.gives = float("nan")
    bench.run(bench.submit(bench.items([("a.png", noisy_png(1))])))
    reasons = [d["rejection"]["reason"] for d in bench.record.database["outcomes"].find()]
    assert reasons == ["not_finite", "not_finite"]


def test_a_blob_that_vanished_is_a_rejection_that_says_so(bench: Bench, tmp_path: Path) -> None:
    items = bench.items([("a.png", noisy_png(1)), ("b.png", noisy_png(2))])
    job = bench.submit(items)
    next((tmp_path / "blobs").glob(f"*/{items[0].sha256}")).unlink()
    bench.run(job)
    first, second = bench.record.shards.items(job.id, 0) or []
    assert first.rejection is not None
    assert first.rejection.reason == "blob_missing"
    assert second.rejection is None


def test_a_version_that_is_archived_while_its_job_runs_scores_it_to_its_end(bench: Bench) -> None:
    bench.record.models.register(card("rb@7", b"7"), b"7")
    job = bench.submit(bench.items([(f"{n}.png", noisy_png(n)) for n in range(10)]), models=["rb@7"])
    bench.scorer.score_shard(job.id, 0)
    bench.record.models.archive("rb@7", by="me")
    bench.engine.drop("rb@7")  # nor does it help that a process held it already
    bench.scorer.score_shard(job.id, 1)
    assert bench.is_finished(job)
    assert bench.record.shards.progress(job.id).scored == 10
    assert bench.record.database["outcomes"].count_documents({"_id.version": "rb@7"}) == 10
    with pytest.raises(InvalidRequest, match="'rb@7' is not registered or is archived"):
        bench.submit(bench.items([("a.png", noisy_png(1))]), models=["rb@7"])


def test_a_scored_streak_id_uploaded_with_other_bytes_is_a_conflict(bench: Bench) -> None:
    bench.run(bench.submit(bench.items([(f"{BLUE}.png", noisy_png(1))])))
    job = bench.submit(bench.items([(f"{BLUE}.png", noisy_png(2)), (f"again/{BLUE}.png", noisy_png(1))]))
    bench.run(job)
    other, same = bench.record.shards.items(job.id, 0) or []
    assert other.rejection is not None
    assert other.rejection.reason == "conflict"
    assert same.rejection is None


def test_a_file_that_was_cut_short_does_not_own_its_streak_id(bench: Bench) -> None:
    whole = noisy_png(3)
    cut = bench.submit(bench.items([(f"{RED}.png", whole[: len(whole) // 2])]))
    bench.run(cut)
    (item,) = bench.record.shards.items(cut.id, 0) or []
    assert item.rejection is not None
    assert item.rejection.reason == "truncated"
    good = bench.submit(bench.items([(f"{RED}.png", whole)]))
    bench.run(good)
    assert bench.record.shards.progress(good.id).scored == 1
    assert bench.score_of(RED) is not None


def test_a_page_of_html_does_not_own_the_streak_id_of_its_address(bench: Bench) -> None:
    url = f"https://x/{RED}.png"
    bench.web.pages = {url: b"<html>down for maintenance</html>"}
    bench.run(bench.submit([Item(url, RED, reference=url)]))
    bench.web.pages = {url: noisy_png(4)}
    job = bench.submit([Item(url, RED, reference=url)])
    bench.run(job)
    assert bench.record.shards.progress(job.id).scored == 1


def test_a_live_shard_that_nobody_accepted_does_not_hold_up_a_bulk_one(bench: Bench) -> None:
    orphan = new_job_id()
    bench.record.shards.insert(orphan, [bench.items([("o.png", noisy_png(50))])], priority="live")
    live = bench.submit(bench.items([("live.png", noisy_png(99))]), priority="live")
    bulk = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)]), priority="bulk")
    bench.scorer.score_shard(bulk.id, 0)
    assert bench.is_finished(live)
    assert bench.is_finished(bulk)


def test_a_shard_whose_job_has_ended_is_cancelled(bench: Bench) -> None:
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    assert bench.record.jobs.cancel(job.id)  # and the API died before it cancelled the shards
    bench.run(job)
    assert not bench.record.shards.any_open(job.id)
    assert bench.engine.batches == []


def test_a_live_shard_that_fails_does_not_take_the_bulk_one_with_it(bench: Bench) -> None:
    live = bench.submit(bench.items([("live.png", noisy_png(99))]), priority="live", models=["sl@1"])
    bulk = bench.submit(
        bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)]), priority="bulk", models=["rb@1"]
    )
    bench.engine.fails_on = ("sl@1",)
    bench.scorer.score_shard(bulk.id, 0)
    assert bench.is_finished(bulk)
    assert not bench.is_finished(live)


def test_live_references_do_not_wait_behind_bulk_ones(bench: Bench) -> None:
    slow = [Item(f"https://x/slow-{i}.png", reference=f"https://x/slow-{i}.png") for i in range(5)]
    bench.web.pages = {item.name: noisy_png(i) for i, item in enumerate(slow)} | {
        "https://x/a.png": noisy_png(9)
    }
    gate = threading.Event()
    bench.web.gates = {item.name: gate for item in slow[4:]}
    bulk = bench.submit(slow, priority="bulk")
    live = bench.submit([Item("https://x/a.png", reference="https://x/a.png")], priority="live")
    worker = threading.Thread(target=bench.scorer.score_shard, args=(bulk.id, 0))
    worker.start()
    try:
        while not bench.is_finished(live):
            assert worker.is_alive()
    finally:
        gate.set()
        worker.join()
    assert bench.is_finished(bulk)


def test_a_store_that_went_away_rejects_nothing(bench: Bench, tmp_path: Path) -> None:
    job = bench.submit(bench.items([("a.png", noisy_png(1))]))
    bench.let_leases_run_out()
    bench.scorer.load(["rb@1", "sl@1"])
    (tmp_path / "blobs").rename(tmp_path / "unmounted")
    with pytest.raises(Unavailable, match="not even its mark"):
        bench.run(job)
    (tmp_path / "unmounted").rename(tmp_path / "blobs")
    bench.run(job)
    assert bench.record.shards.progress(job.id).scored == 1


def test_another_blob_store_than_the_records_is_refused(
    record: Record, settings: Settings, tmp_path: Path
) -> None:
    record.check_blobs()
    elsewhere = open_record(settings.model_copy(update={"blob_url": f"file://{tmp_path}/elsewhere"}))
    with pytest.raises(Misconfigured, match="DA_BLOB_URL"):
        elsewhere.check_blobs()
    elsewhere.close()


def test_no_result_shows_the_scores_of_other_bytes_before_its_shard_is_read(bench: Bench) -> None:
    bench.run(bench.submit(bench.items([(f"{BLUE}.png", noisy_png(1))])))
    other = bench.items([(f"{BLUE}.png", noisy_png(2))])
    unread = Item("b", BLUE, reference=f"https://x/{BLUE}.png")
    job = bench.submit([*other, unread, *bench.items([(f"{BLUE}.png", noisy_png(1))])])
    page = read_results(bench.record, job, start=Cursor(), limit=10, pending=True)
    assert [result.pending for result in page.results] == [True, True, False]
    assert [bool(result.scores) for result in page.results] == [False, False, True]


def test_each_outcome_names_the_instrument(bench: Bench) -> None:
    bench.run(bench.submit(bench.items([("a.png", noisy_png(1)), ("b.png", b"no image")])))
    assert {d.get("instrument") for d in bench.record.database["outcomes"].find()} == {"ztf"}


def test_a_fits_cutout_is_read_by_the_profile_that_its_job_was_accepted_with(bench: Bench) -> None:
    plane = streak(noise(height=85, width=85), peak=100.0)
    job = bench.submit(bench.items([("a.fits", fits_file(plane))]), instrument=COARSE)
    bench.run(job)
    recorded = bench.record.jobs.get(job.id)
    assert recorded is not None
    assert recorded.instrument == COARSE
    (result,) = read_results(bench.record, job, start=Cursor(), limit=10).results
    expected = decode(fits_file(plane), instrument=COARSE).mean() / 255
    assert result.scores["rb@1"] == pytest.approx(expected, abs=1e-6)
    assert (result.instrument, [d.quantity for d in result.uncalibrated]) == ("coarse", ["noise_correlation"])


def test_a_departure_is_stored_beside_the_score_and_comes_with_the_result(bench: Bench) -> None:
    inverted = fits_file(-streak(noise(), peak=200.0))
    small = fits_file(noise(height=63, width=63))
    files = [("i.fits", inverted), ("s.fits", small), ("a.png", noisy_png(1))]
    job = bench.submit(bench.items(files))
    bench.run(job)
    results = read_results(bench.record, job, start=Cursor(), limit=10).results
    assert [[d.quantity for d in r.uncalibrated] for r in results] == [["polarity"], ["side_px"], []]
    assert all(len(result.scores) == 2 for result in results)
    stored = list(bench.record.database["outcomes"].find({"uncalibrated": {"$exists": True}}))
    assert len(stored) == 4
    assert {"quantity": "side_px", "observed": 63.0, "expected": [105.0, 157.0]} in [
        departure for document in stored for departure in document["uncalibrated"]
    ]


def test_the_same_bytes_by_another_instrument_are_another_cutout(bench: Bench) -> None:
    data = fits_file(-streak(noise(), peak=200.0))
    first, second = (bench.items([(f"{RED}.fits", data)]) for _ in range(2))
    wrong = bench.submit(first)
    bench.run(wrong)
    right = bench.submit(second, instrument=INVERTED)
    bench.run(right)
    (marked,) = read_results(bench.record, wrong, start=Cursor(), limit=10).results
    (fine,) = read_results(bench.record, right, start=Cursor(), limit=10).results
    assert marked.cutout == RED
    assert fine.cutout == f"inverted:{first[0].sha256}"
    assert fine.scores != marked.scores
    assert (len(marked.uncalibrated), len(fine.uncalibrated)) == (1, 0)
    document = bench.record.cutouts.get(str(fine.cutout))
    assert document is not None
    assert document["sha256"] == first[0].sha256
    assert document["rb"] == fine.scores["rb@1"]


def test_a_rejection_by_one_profile_says_nothing_of_another(bench: Bench) -> None:
    plane = noise()
    plane[:] = np.where(plane > 3, plane, -999.0)  # a half is masked, as INVERTED sees it
    plane[:20] = -999.0
    items = bench.items([("a.fits", fits_file(plane))])
    rejected, scored = bench.submit(items, instrument=INVERTED), bench.submit(items, instrument=COARSE)
    bench.run(rejected)
    bench.run(scored)
    (first,) = read_results(bench.record, rejected, start=Cursor(), limit=10).results
    (second,) = read_results(bench.record, scored, start=Cursor(), limit=10).results
    assert first.rejection is not None
    assert first.rejection.reason == "masked"
    assert second.rejection is None
    assert bench.is_finished(rejected)
    assert bench.is_finished(scored)


def test_a_reference_of_another_instrument_is_known_by_its_content(bench: Bench) -> None:
    url = f"https://x/{RED}.fits"
    bench.web.pages = {url: fits_file(noise(height=85, width=85))}
    job = bench.submit([Item(url, RED, reference=url)], instrument=COARSE)
    bench.run(job)
    (result,) = read_results(bench.record, job, start=Cursor(), limit=10).results
    assert str(result.cutout).startswith("coarse:")
    assert (result.instrument, len(result.scores)) == ("coarse", 2)


def test_damaged_fits_files_are_rejected_and_no_other_score_moves(bench: Bench) -> None:
    whole = fits_file(noise())
    cube = fits_file(np.stack([noise(height=63, width=63)] * 3))
    files = [("cut.fits", whole[:9000]), ("cube.fits", cube), ("good.fits", whole), ("c.fits", b"SIMPLE  =")]
    job = bench.submit(bench.items(files))
    bench.run(job)
    results = read_results(bench.record, job, start=Cursor(), limit=10).results
    reasons = [result.rejection and result.rejection.reason for result in results]
    assert reasons == ["truncated", "not_two_dimensional", None, "truncated"]
    assert results[2].scores["rb@1"] == pytest.approx(decode(whole).mean() / 255, abs=1e-6)
