"""`./streaks worker` as it chooses what to score on. The GPUs are what a stand-in for nvidia-smi lists."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import Settings
from storage.record import Record
from tests.cli.local.running import naming
from tests.gpus import H100S, path_with_listing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(settings: Settings, record: Record, tmp_path: Path) -> dict[str, str]:
    given = {
        "PATH": path_with_listing(tmp_path / "bin", H100S) + os.pathsep + os.environ["PATH"],
        "DA_STATE_DIR": str(settings.state_dir),
        "DA_MONGO_URL": settings.required_mongo_url(),
        "DA_MONGO_DATABASE": settings.mongo_database,
        "DA_SCORING__ALLOW_CPU": "false",
    }
    return {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"} | given


def worker(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli", "worker", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        ("0,3", "GPU 3 was asked for, and this process may use gpu0 (NVIDIA H100 80GB HBM3), gpu1"),
        ("first", "GPUs 'first'; expected all, or indices such as 0,2"),
    ],
)
def test_a_gpu_that_does_not_exist_is_refused_at_once(
    environment: dict[str, str], gpus: str, said: str
) -> None:
    ran = worker(environment, "--gpus", gpus)
    assert ran.returncode == 1
    assert said in ran.stderr


def test_a_gpu_that_tensorflow_cannot_use_is_no_reason_to_score_on_the_cpu(
    environment: dict[str, str], settings: Settings, record: Record
) -> None:
    ran = worker(environment, "--gpus", "1")
    assert ran.returncode == 1
    assert "worker-gpu1 can't start" in ran.stderr
    log = (settings.state_dir / "logs" / "worker-gpu1.log").read_text()
    assert "worker: scoring on gpu1 (NVIDIA H100 80GB HBM3)" in log
    assert "the engine can't use gpu1 (NVIDIA H100 80GB HBM3): " in ran.stderr
    assert "--allow-cpu" in ran.stderr
    assert record.workers.ready() == []
    assert naming(settings.state_dir) == []
