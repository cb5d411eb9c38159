"""Instruments as callers see them: which one is asked for, and what comes back with each score."""

import json
from pathlib import Path

import pytest

from cli.__main__ import main
from cli.verbs.score import scores_table, summary
from core.job import ShardResult
from core.outcome import Departure, Outcome
from storage.record import Record
from tests.api.scoring import items_of
from tests.api.server import ADMIN, ApiServer
from tests.api.versions import RB, SL
from tests.fits_files import fits_file, noise, zipped
from tests.images import jpeg

SIDE = Departure("side_px", 63.0, (105.0, 157.0))


def score_uncalibrated(record: Record, job: str, instrument: str) -> None:
    """What a worker writes for a shard of small stamps."""
    lease = record.shards.claim(job, 0, worker="test")
    assert lease is not None
    outcomes = [
        Outcome(str(item.cutout), version, 0.75, instrument=instrument, uncalibrated=(SIDE,))
        for item in lease.items
        for version in (RB, SL)
    ]
    record.outcomes.insert(outcomes, provenance={"job": job})
    assert record.shards.close(lease, ShardResult(len(lease.items), 0))


def test_a_job_keeps_the_profile_that_was_asked_for(api: ApiServer, api_record: Record) -> None:
    data = fits_file(noise(4000, height=63, width=63))
    files = [("files", ("a.fits", data)), ("files", ("b.fits.gz", zipped(data)))]
    answer = api.ask("POST", "/v1/jobs/score", files=files, data={"instrument": "coarse"})
    assert answer.status_code == 202, answer.text
    job = api_record.jobs.get(answer.json()["job"])
    assert job is not None
    assert job.instrument is not None
    assert (job.instrument.name, job.instrument.arcsec_per_px) == ("coarse", 1.86)
    assert all(str(item.cutout) == f"coarse:{item.sha256}" for item in items_of(api_record, job.id))


def test_without_a_word_it_is_ztf(api: ApiServer, api_record: Record) -> None:
    answer = api.ask("POST", "/v1/jobs/score", files=[("files", ("a.jpg", jpeg(4001)))])
    job = api_record.jobs.get(answer.json()["job"])
    assert job is not None
    assert job.instrument is not None
    assert job.instrument.name == "ztf"


def test_an_unknown_instrument_is_refused_and_nothing_is_recorded(api: ApiServer, api_record: Record) -> None:
    before = api_record.database["jobs"].count_documents({})
    files = [("files", ("a.fits", fits_file(noise())))]
    for answer in (
        api.ask("POST", "/v1/jobs/score", files=files, data={"instrument": "lsst"}),
        api.ask("POST", "/v1/jobs/score", json={"references": ["https://x.example/a"], "instrument": "lsst"}),
    ):
        assert answer.status_code == 400
        assert "no instrument 'lsst'; expected one of coarse, ztf" in answer.json()["detail"]
    assert api_record.database["jobs"].count_documents({}) == before


def test_one_key_for_two_instruments_is_a_conflict(api: ApiServer) -> None:
    def post(instrument: str) -> int:
        files = [("files", ("a.fits", fits_file(noise(4002))))]
        headers = {"Idempotency-Key": "two instruments"}
        data = {"instrument": instrument}
        return api.ask("POST", "/v1/jobs/score", files=files, data=data, headers=headers).status_code

    assert [post("coarse"), post("coarse"), post("ztf")] == [202, 202, 409]


def test_a_result_and_a_cutout_tell_what_departs(api: ApiServer, api_record: Record) -> None:
    files = [("files", ("a.fits", fits_file(noise(4003, height=63, width=63))))]
    job = api.ask("POST", "/v1/jobs/score", files=files).json()["job"]
    score_uncalibrated(api_record, job, "ztf")
    (result,) = api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]
    told = [{"quantity": "side_px", "observed": 63.0, "expected": [105.0, 157.0]}]
    assert (result["instrument"], result["uncalibrated"], result["rb"]) == ("ztf", told, 0.75)
    cutout = api.ask("GET", f"/v1/cutouts/{result['id']}").json()
    assert [(o["instrument"], o["uncalibrated"]) for o in cutout["outcomes"]] == [("ztf", told)] * 2


def test_a_fits_image_comes_back_as_one(api: ApiServer, api_record: Record) -> None:
    data = fits_file(noise(4004))
    job = api.ask("POST", "/v1/jobs/score", files=[("files", ("a.fits", data))]).json()["job"]
    (item,) = items_of(api_record, job)
    answer = api.ask("GET", f"/v1/cutouts/{item.cutout}/image")
    assert (answer.headers["Content-Type"], answer.content) == ("image/fits", data)


def test_score_takes_folders_of_fits_files_and_an_instrument(
    api: ApiServer,
    api_record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"CALLER_CWD": str(tmp_path), "USER": ADMIN[0], "PASSWORD": ADMIN[1]}.items():
        monkeypatch.setenv(f"DA_{name}", value)
    data = fits_file(noise(4005, height=63, width=63))
    for name in ("a.fits", "b.FITS.gz", "c.fits.fz", "table.csv.gz"):
        (tmp_path / name).write_bytes(data)
    assert main(["--server", api.url, "score", ".", "--instrument", "coarse"]) == 0
    said = capsys.readouterr()
    job = api_record.jobs.get(said.out.strip())
    assert job is not None
    assert job.instrument is not None
    assert (job.instrument.name, job.items) == ("coarse", 3)
    assert "left out: 1 file (table.csv.gz)" in said.err
    assert main(["--server", api.url, "score", "a.fits", "--instrument", "lsst"]) == 1
    assert "no instrument 'lsst'" in capsys.readouterr().err


def test_the_table_and_the_summary_tell_of_departures_only_where_there_are_any() -> None:
    plain = {"file": "a", "rb": 0.9, "sl": 0.8, "versions": {}, "plausible": True, "rejection": None}
    departure = {"quantity": "side_px", "observed": 63.0, "expected": [105.0, 157.0]}
    strange = plain | {"file": "b", "uncalibrated": [departure]}
    assert "uncalibrated" not in scores_table([plain])
    lines = scores_table([plain, strange]).splitlines()
    assert lines[0].split()[-1] == "uncalibrated"
    assert lines[2].endswith("side_px 63 (105 to 157)")
    assert summary([plain]) == "1 cutout scored, 1 plausible, 0 rejected"
    assert "; 1 uncalibrated" in summary([plain, strange])


def test_simulate_draws_for_an_instrument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = {"arcsec_per_px": 1.86, "fwhm_arcsec": 4.0, "exposure_s": 90.0}
    monkeypatch.setenv("DA_INSTRUMENTS", json.dumps({"slow": profile}))
    words = ["--preset", "sl-2018.9", "--count", "3", "--seed", "1"]
    assert main(["simulate", str(tmp_path / "slow"), *words, "--instrument", "slow"]) == 0
    assert main(["simulate", str(tmp_path / "ztf"), *words]) == 0
    slow, ours = ((tmp_path / name / "truth.csv").read_text("utf-8") for name in ("slow", "ztf"))
    assert slow != ours
    assert main(["simulate", str(tmp_path / "x"), *words, "--instrument", "lsst"]) == 1
    assert "expected one of slow, ztf" in capsys.readouterr().err
