"""The whole service: its own processes, servers, networks and command line; no part is a stand-in."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.await_that import await_that
from bench.local_service import LocalService, local_service
from cli.local.at_hand import record_at_hand
from core.service_secrets import read_secrets
from core.settings import Settings
from tests.client_environment import README, python_blocks, run_script
from tests.storage.backup.filled import everything
from tests.worker.pictures import noisy_png

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "real-cutouts"
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with local_service(tmp_path_factory.mktemp("service")) as running:
        yield running


def processes_with(setting: str) -> list[str]:
    """The command lines of processes that have this setting in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(entry.startswith(setting) for entry in (folder / "environ").read_text().split("\0")):
                found.append((folder / "cmdline").read_text())
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def score(local: LocalService, *paths: Path) -> tuple[int, dict[str, dict[str, object]]]:
    """Exit status and results by file name of `./streaks score PATHS --wait --json`."""
    account = read_secrets(local.service.secrets_file).database
    done = subprocess.run(
        [ROOT / "streaks", "score", *paths, "--wait", "--json", "--server", local.service.url],
        env=os.environ
        | {"DA_USER": account.admin_username, "DA_PASSWORD": account.admin_password.get_secret_value()},
        stdout=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["job"]
    return done.returncode, {Path(str(result["file"])).name: result for result in answer["results"]}


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/real-cutouts is not here")
def test_real_streaks_are_told_from_bogus_and_long_from_short(local: LocalService) -> None:
    status, results = score(local, REAL)
    assert status == 0
    rb = {name: float(str(result["rb"])) for name, result in results.items()}
    streaks = [name for name in rb if not name.startswith("bogus")]
    assert len(streaks) == 10
    assert sum(rb[name] >= 0.5 for name in streaks) >= 9
    assert all(rb[name] < 0.5 for name in rb if name.startswith("bogus"))
    assert float(str(results["long_satellite_trail.png"]["sl"])) < 0.5


def test_ten_lines_with_the_python_client_submit_a_folder_wait_and_print_a_table(
    local: LocalService, client_python: Path, tmp_path: Path
) -> None:
    for n in range(5):
        (tmp_path / f"{n}.png").write_bytes(noisy_png(70 + n))
    (tmp_path / "text.jpg").write_text("not an image")
    ten_lines = python_blocks(README)[0]
    assert len(ten_lines.splitlines()) <= 10
    account = read_secrets(local.service.secrets_file).database
    done = run_script(
        client_python,
        ten_lines,
        local.service.url,
        tmp_path,
        DA_USER=account.admin_username,
        DA_PASSWORD=account.admin_password.get_secret_value(),
    )
    assert done.returncode == 0, done.stderr
    head, *rows, summary = done.stdout.splitlines()
    assert head.split() == ["file", "id", "rb", "sl", "plausible", "instrument", "rejection"]
    assert [Path(row.split()[0]).name for row in rows] == [*(f"{n}.png" for n in range(5)), "text.jpg"]
    assert all(0 <= float(row.split()[2]) <= 1 for row in rows[:5])
    assert rows[5].split()[-1] == "not_an_image"
    assert summary.endswith("of 6 are plausible")


def test_the_tour_goes_from_cutouts_to_labels(local: LocalService, client_python: Path) -> None:
    account = read_secrets(local.service.secrets_file).database
    done = run_script(
        client_python,
        (ROOT / "docs" / "tour.py").read_text("utf-8"),
        local.service.url,
        ROOT / "sample" / "night",
        DA_USER=account.admin_username,
        DA_PASSWORD=account.admin_password.get_secret_value(),
    )
    assert done.returncode == 0, done.stderr
    assert "224 cutouts, 0 rejected" in done.stdout
    counts = re.findall(r"^truly (?:bogus|real) +(\d+) +(\d+)$", done.stdout, re.MULTILINE)
    (tn, fp), (fn, tp) = (map(int, row) for row in counts)
    assert (tn + fp, fn + tp) == (112, 112)
    assert tn > 0.9 * 112
    assert tp > 0.9 * 112
    assert "2 labelled, of" in done.stdout
    assert "NotFound: there is no job 'no-such-job'" in done.stdout


def test_bad_files_are_rejected_with_a_reason_and_the_rest_is_scored(
    local: LocalService, tmp_path: Path
) -> None:
    whole = noisy_png(1)
    (tmp_path / "good.png").write_bytes(whole)
    (tmp_path / "cut.png").write_bytes(whole[:3000])
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "notes.txt").write_text("left out")
    status, results = score(local, tmp_path)
    assert status == 3
    reasons = {
        name: result["rejection"]["reason"] if isinstance(result["rejection"], dict) else None
        for name, result in results.items()
    }
    assert reasons == {"good.png": None, "cut.png": "truncated", "text.jpg": "not_an_image"}
    versions = results["good.png"]["versions"]
    assert isinstance(versions, dict)
    assert versions.keys() == {"rb", "sl"}


def test_a_score_is_the_same_alone_and_among_others(local: LocalService, tmp_path: Path) -> None:
    for folder, seeds in (("many", range(10, 25)), ("one", (100,))):
        (tmp_path / folder).mkdir()
        for seed in seeds:
            (tmp_path / folder / f"{seed}.png").write_bytes(noisy_png(seed))
    shutil.copy(tmp_path / "one" / "100.png", tmp_path / "many" / "100.png")
    local.record.database["outcomes"].delete_many({})
    _, among = score(local, tmp_path / "many")
    local.record.database["outcomes"].delete_many({})
    _, alone = score(local, tmp_path / "one")
    for classifier in ("rb", "sl"):
        assert alone["100.png"][classifier] == pytest.approx(among["100.png"][classifier], abs=1e-5)


def test_flower_shows_the_worker_to_who_has_the_password(local: LocalService) -> None:
    flower = read_secrets(local.service.secrets_file).flower
    assert flower is not None
    url = f"{local.service.record.flower_url}/api/workers?refresh=1"
    assert requests.get(url, timeout=30).status_code == 401
    answer = requests.get(url, auth=(flower.user, flower.password.get_secret_value()), timeout=30)
    assert answer.status_code == 200
    assert any(name.startswith("score-") for name in answer.json())


def streaks(*words: str | Path, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli", "--json", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_backup_of_the_running_service_is_restored_on_servers_of_its_own(
    local: LocalService, tmp_path: Path
) -> None:
    (tmp_path / "one.png").write_bytes(noisy_png(200))
    score(local, tmp_path / "one.png")
    database = local.record.database  # the notifier takes its mark off once it has looked
    await_that(
        lambda: not any(database[name].count_documents({"untold": True}) for name in ("jobs", "shards")),
        "the end of what is told",
    )
    here = {
        "DA_MONGO_URL": local.servers.mongo_url,
        "DA_REDIS_URL": local.servers.redis_url,
        "DA_STATE_DIR": str(local.servers.state_dir),
    }
    made = streaks("backup", tmp_path / "backup", **here)
    assert made.returncode == 0, made.stderr
    refused = streaks("restore", tmp_path / "backup", "--replace", **here)
    assert refused.returncode == 1
    assert "the service runs" in json.loads(refused.stdout)["error"]

    elsewhere = {"DA_STATE_DIR": str(tmp_path / "state")}
    restored = streaks("restore", tmp_path / "backup", **elsewhere)
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["documents"] == json.loads(made.stdout)["documents"]
    with record_at_hand(Settings(state_dir=tmp_path / "state"), alone=True) as record:
        before, after = everything(local.record.database), everything(record.database)
        for name in ("cutouts", "outcomes", "jobs", "shards", "models", "users", "audit"):
            assert after[name] == before[name], name
        cards = [record.models.get(version) for version in record.models.production()]
        for card in cards:
            assert card is not None
            assert record.models.weights(card) == local.record.models.weights(card)
    assert processes_with(f"DA_STATE_DIR={tmp_path / 'state'}") == []


def test_the_demo_scores_every_cutout_of_its_night_and_leaves_no_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "streaks", "demo", "--once", "--json"],
        env=os.environ | {"DA_STATE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert set(answer) == {"cutouts", "scored", "rejected", "plausible", "seconds", "truth", "url"}
    assert answer["cutouts"] >= 200
    assert answer["scored"] + answer["rejected"] == answer["cutouts"]
    (tn, fp), (fn, tp) = answer["truth"]["rb"]
    assert tn + fp + fn + tp == answer["scored"]
    assert tp / (tp + fn) > 0.8
    assert tn / (tn + fp) > 0.8
    assert processes_with(f"DA_STATE_DIR={tmp_path}") == []
