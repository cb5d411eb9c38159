"""What was cut out of a full image is ingested as a night: results carry the ids and the positions."""

import json
from pathlib import Path

import pytest

from bench.full_image import catalogue, full_image, written
from cli.__main__ import main
from storage.record import Record
from tests.api.scoring import score_job
from tests.api.server import ApiServer, as_admin
from tests.api.versions import RB, SL


def test_a_folder_of_cut_streaks_is_ingested_with_ids_and_positions(
    api: ApiServer,
    api_record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_admin(monkeypatch)
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    profile = {"arcsec_per_px": 1.6, "fwhm_arcsec": 3.2, "exposure_s": 30.0}
    monkeypatch.setenv("DA_INSTRUMENTS", json.dumps({"wide": profile}))
    unit, streaks = full_image(11, streaks=3)
    (tmp_path / "diff.fits").write_bytes(written(unit))
    (tmp_path / "table.csv").write_text(catalogue(streaks, on_sky=True), "utf-8")
    words = ["--catalog", "table.csv", "-o", "out", "--instrument", "wide"]
    assert main(["--json", "cut", "diff.fits", *words]) == 0
    ids = [row["id"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert main(["--server", api.url, "--json", "nights", "ingest", "out"]) == 0
    (night,) = json.loads(capsys.readouterr().out)["nights"]
    assert (night["metadata"]["joined"], night["cutouts"]["submitted"]) == (3, 3)
    score_job(api_record, night["job"], {RB: 0.75, SL: 0.875})
    near = f"cone({streaks[1].ra:.6f}, {streaks[1].dec:.6f}, 3)"
    (found,) = api.ask("GET", "/v1/cutouts", params={"filter": near}).json()["cutouts"]
    assert found["id"] == ids[1]
    assert found["scores"][RB] == 0.75
    cutout = api.ask("GET", f"/v1/cutouts/{ids[1]}").json()
    assert (cutout["ra"], cutout["dec"]) == pytest.approx((streaks[1].ra, streaks[1].dec), abs=1e-6)
