"""A night that comes in by and by, watched by a process that is killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from core.settings import Scoring
from cutouts.decode import DecodeLimits
from storage.record import Record
from tests.api.scoring import items_of
from tests.api.server import ROOT, ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.nights import metadata, table
from tests.worker.test_scorer import MeanGrey
from worker.reader import Reader
from worker.scorer import ShardScorer

NIGHT = "20210301"
PID = "1520123450115"
COUNT = 500


def name_of(n: int) -> str:
    return f"strkid{PID}{n:04}_pid{PID}"


def row(n: int) -> dict[str, str]:
    return metadata(n, pid=PID, streakid=f"{PID}{n:04}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is watched, by the administrator."""
    as_admin(monkeypatch)
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def words(api: ApiServer, folder: Path, *more: str) -> list[str]:
    quick = ["--every", "0.1", "--settle", "0.5", *more]
    return ["--server", api.url, "--json", "watch", str(folder), *quick]


@contextmanager
def killed_when(api: ApiServer, folder: Path, record: Record, count: int) -> Iterator[None]:
    """A watcher that is killed as soon as so many cutouts have come; the block goes on beside it."""
    process = subprocess.Popen([sys.executable, "-m", "cli", *words(api, folder)], env=os.environ)
    try:
        yield
        deadline = time.monotonic() + 90
        while (
            record.database["cutouts"].count_documents({"night": NIGHT, "added": {"$exists": True}}) < count
        ):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()


class Uploads:
    """Writes cutouts as others do: in pieces, by renaming, twice, and moved afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._halves: dict[Path, bytes] = {}

    def write(self, numbers: range) -> None:
        for n in numbers:
            data = jpeg(n, width=40, height=40)
            place = self._folder / f"{name_of(n)}_scimref.jpg"
            if n % 4 == 0:
                place.write_bytes(data[: len(data) // 2])
                self._halves[place] = data[len(data) // 2 :]
            elif n % 4 == 1:
                unnamed = place.with_suffix(".jpg.part")
                unnamed.write_bytes(data)
                unnamed.rename(place)
            else:
                place.write_bytes(data)

    def finish(self) -> None:
        for place, rest in self._halves.items():
            with place.open("ab") as file:
                file.write(rest)
        self._halves.clear()

    def write_again_and_move(self, numbers: range) -> None:
        later = self._folder / "later"
        later.mkdir(exist_ok=True)
        for n in numbers:
            place = self._folder / f"{name_of(n)}_scimref.jpg"
            if n % 2:
                place.write_bytes(place.read_bytes())
            else:
                place.rename(later / place.name)


def score(record: Record, jobs: list[str]) -> None:
    """Score jobs by an engine that only answers."""
    with ThreadPoolExecutor(2) as threads:
        mark = record.check_blobs()
        reader = Reader(record.blobs, lambda _: b"", threads, limits=DecodeLimits(), attempts=1, mark=mark)
        scorer = ShardScorer(
            record, MeanGrey(), {"live": reader, "bulk": reader}, Scoring(batch_sizes=(1, 8)), worker="test"
        )
        for job in jobs:
            found = record.jobs.get(job)
            assert found is not None
            for n in range(found.shards):
                scorer.score_shard(job, n)


def test_a_night_in_pieces_late_renamed_and_twice_gets_one_outcome_for_each_cutout_and_version(
    here: Path, api: ApiServer, api_record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    uploads = Uploads(here)
    text = table([row(n) for n in range(COUNT)]).encode()
    meta = here / f"ztf_{NIGHT}_streaks.txt"
    with killed_when(api, here, api_record, 100):
        uploads.write(range(160))
    uploads.write(range(160, 240))
    uploads.finish()
    with killed_when(api, here, api_record, 300):
        uploads.write_again_and_move(range(100))
        meta.write_bytes(text[:30_000])
        uploads.write(range(240, 400))
    uploads.finish()
    uploads.write_again_and_move(range(240, 300))
    uploads.write(range(400, COUNT))
    uploads.finish()
    meta.write_bytes(text)
    assert main(words(api, here, "--until-idle", "1")) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []

    ids = [name_of(n) for n in range(COUNT)]
    jobs = [d["_id"] for d in api_record.database["jobs"].find({"owner": "admin"}).sort("_id", 1)]
    mine = [job for job in jobs if any(item.cutout in ids for item in items_of(api_record, job))]
    items = [item.cutout for job in mine for item in items_of(api_record, job)]
    assert sorted(map(str, items)) == ids
    score(api_record, mine)
    for version in (RB, SL):
        outcomes = list(api_record.outcomes.find(ids, [version]).values())
        assert [outcome.rejection for outcome in outcomes] == [None] * COUNT
    summary = api.ask("GET", f"/v1/nights/{NIGHT}").json()["ledger"]["summary"]
    assert (summary["ids"], summary["metadata"], summary["cutouts"]) == (COUNT, COUNT, COUNT)


def test_what_is_refused_is_named_and_holds_up_nothing_else(
    here: Path, api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def watch(*more: str) -> tuple[int, dict[str, Any], str]:
        code = main(words(api, here, "--until-idle", "0.5", *more))
        said = capsys.readouterr()
        return code, json.loads(said.out), said.err

    (here / "night.zip").write_bytes(b"no zip PK\x05\x06")
    (here / "ztf_any_streaks.txt").write_bytes(b"streakid | pid\n(0 rows)\n")
    (here / f"{name_of(900)}_scimref.jpg").write_bytes(jpeg(900, width=40, height=40))
    (here / f"{name_of(901)}_scimref.jpg").write_bytes(bytes(200_001))
    (here / "notes.txt").write_bytes(b"not of a night")
    code, found, said = watch("--stalled", "0.7")
    assert (code, found["submitted"]) == (3, 1)
    reasons = {fault["name"].rsplit("/")[-1]: fault["reason"] for fault in found["faults"]}
    assert reasons == {
        "night.zip": "refused",
        "ztf_any_streaks.txt": "refused",
        f"{name_of(901)}_scimref.jpg": "too_large",
    }
    assert "does not tell its night" in said
    assert watch()[:2] == (0, {"files": 0, "submitted": 0, "jobs": [], "faults_count": 0, "faults": []})
    for wrong, told in (
        (["watch", "none"], "no such folder"),
        (["watch", str(here), "--night", "2"], "a date"),
    ):
        assert main(["--server", api.url, "--json", *wrong]) == 1
        assert told in json.loads(capsys.readouterr().out)["error"]
