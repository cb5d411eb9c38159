"""`./streaks evaluate` on a machine where no service runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def evaluate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DA_")}
    environ = inherited | {"DA_STATE_DIR": str(folder / "state")}
    command = [sys.executable, "-m", "cli", "evaluate", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_the_shipped_network_is_evaluated_without_a_service(tmp_path: Path) -> None:
    words = ("rb@production", "rb-2018.9", "--seed", "31", "--count", "80", "--json")
    done = evaluate(tmp_path, *words, "--plots", str(tmp_path / "plots"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["model"].startswith("rb@")
    assert (found["dataset"], found["seed"], found["n"]) == ("rb-2018.9", 31, 80)
    assert sum(map(sum, found["confusion_matrix"])) == 80
    assert {"auc", "tpr", "tnr", "auc_interval", "by_kind", "at_prevalence"} <= found.keys()
    assert all(Path(file).read_text().startswith("<svg") for file in found["plots"])


def test_what_changes_against_another_is_told(tmp_path: Path) -> None:
    words = ("rb@3", "rb-2018.9", "--seed", "31", "--count", "60", "--against", "rb@production")
    done = evaluate(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "against rb@" in done.stdout
    assert "(McNemar)" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rb@77", "rb-2018.9"), "no model 'rb@77'; expected"),
        (("kd", "rb-2018.9"), "rb@production or sl@production"),
        (("../secrets", "rb-2018.9"), "no model '../secrets'"),
        (("rb", "benchmark", "--seed", "3"), "expected neither"),
        (("rb", "rb-2018.9", "--seed", "-3"), "the seed is -3"),
        (("rb", "rb-2018.9", "--against", "rb@77"), "no model 'rb@77'; expected"),
    ],
)
def test_what_can_not_be_evaluated_is_told(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = evaluate(tmp_path, *words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
