"""Real environments and real pip, with a lock that needs nothing from anywhere."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.install import BUILDERS, LOCKS, install, is_installed

SCRIPT = Path(__file__).resolve().parents[2] / "cli" / "install.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "a tree"
    for room in ("cli", "requirements"):
        (root / room).mkdir(parents=True)
    for lock in ("requirements.txt", "requirements-dev.txt", BUILDERS):
        (root / lock).write_text(f"# {lock}: nothing\n")
    (root / "cli" / "install.py").write_bytes(SCRIPT.read_bytes())
    return root


def pretend_environment(root: Path) -> None:
    """An environment whose Python is this one, so that a test need not make one."""
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)


def test_an_environment_is_made_once_and_again_when_the_lock_changes(root: Path) -> None:
    script = [sys.executable, str(root / "cli" / "install.py"), "run"]
    first = subprocess.run(script, capture_output=True, text=True, check=True)
    assert (first.stdout, "installing requirements.txt" in first.stderr) == ("", True)
    assert is_installed(root, "requirements.txt")
    assert not is_installed(root, "requirements-dev.txt")

    assert subprocess.run(script, capture_output=True, text=True, check=True).stderr == ""

    (root / "requirements.txt").write_text("# changed\n")
    assert not is_installed(root, "requirements.txt")
    assert install(root, "run") == 0
    assert is_installed(root, "requirements.txt")


def test_the_lock_for_tests_counts_for_both(root: Path) -> None:
    pretend_environment(root)
    assert install(root, "test") == 0
    assert is_installed(root, "requirements.txt")
    assert is_installed(root, "requirements-dev.txt")


def test_a_failed_installation_says_why_and_is_done_again(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_environment(root)
    (root / "requirements.txt").write_text("./nothing-here\n")
    assert install(root, "run") == 1
    told = capsys.readouterr()
    assert (told.out, "pip failed" in told.err, "nothing-here" in told.err) == ("", True, True)
    assert not is_installed(root, "requirements.txt")


def test_an_interrupted_installation_is_made_afresh(root: Path) -> None:
    pretend_environment(root)
    (root / ".venv" / "half a package").touch()
    (root / ".venv" / ".installing").touch()  # as pip leaves it when it is killed
    assert not is_installed(root, "requirements.txt")
    assert install(root, "run") == 0
    assert is_installed(root, "requirements.txt")
    assert not (root / ".venv" / "half a package").exists()


def test_two_at_once_install_once(root: Path) -> None:
    pretend_environment(root)
    script = [sys.executable, str(root / "cli" / "install.py"), "run"]
    both = [subprocess.Popen(script, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(said).count("installing requirements.txt") == 1


def test_what_builds_is_what_the_locks_hold() -> None:
    tree = SCRIPT.parents[1]
    (builder,) = (line for line in (tree / BUILDERS).read_text("ascii").splitlines() if "==" in line)
    for lock in (*LOCKS["test"], "requirements-gpu.txt"):
        assert builder in (tree / lock).read_text("ascii").splitlines(), lock


def test_nothing_is_fetched_to_build_what_comes_as_source(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_environment(root)
    source = root / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["not-locked"]\nbuild-backend = "none_such"\n'
    )
    archive = shutil.make_archive(str(root / "one-1"), "gztar", root, "source")
    hashed = hashlib.sha256(Path(archive).read_bytes()).hexdigest()
    (root / "requirements.txt").write_text(f"one @ file://{quote(archive)} --hash=sha256:{hashed}\n")
    assert install(root, "run") == 1
    told = capsys.readouterr().err
    assert ("none_such" in told, "not-locked" in told) == (True, False)
