"""./streaks itself, run by dash in a copy of the tree whose path has blanks in it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """#!/bin/sh
printf '%s\\n' "$PWD" "$DA_CALLER_CWD" "$#" "$@"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "a tree's copy"
    tree.mkdir()
    shutil.copy2(ROOT / "streaks", tree)
    for room in ("cli", "core"):
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "requirements").mkdir()
    for lock in ("requirements.txt", "requirements-dev.txt", "requirements/build.txt"):
        (tree / lock).write_text(f"# {lock}\n")
    return tree


def install_stand_in(tree: Path, *locks: str) -> None:
    """An environment whose Python prints where it is and what it was given."""
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN)
    python.chmod(0o755)
    for lock in locks:
        stamp = hashlib.sha256((tree / lock).read_bytes()).hexdigest()
        (tree / ".venv" / f".installed-{lock}").write_text(f"{stamp}\n")


def launch(
    launcher: Path, *arguments: str, cwd: Path, path: str | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PATH": path or f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment}
    return subprocess.run(
        ["/bin/sh", str(launcher), *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("shell", [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)])
def test_the_launcher_is_plain_shell(shell: str) -> None:
    subprocess.run([shell, "-n", ROOT / "streaks"], check=True)


def test_it_runs_from_its_root_and_knows_where_it_was_called(tree: Path, tmp_path: Path) -> None:
    install_stand_in(tree, "requirements.txt")
    ran = launch(tree / "streaks", "--server", "test", "score", "a b.jpg", "*", "", cwd=tmp_path)
    assert ran.stdout.splitlines() == [
        str(tree),
        str(tmp_path),
        "8",
        *("-m", "cli", "--server", "test", "score", "a b.jpg", "*", ""),
    ]
    assert ran.stderr == ""


def test_it_may_be_called_through_a_link(tree: Path, tmp_path: Path) -> None:
    install_stand_in(tree, "requirements.txt")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "streaks").symlink_to(tree / "streaks")
    assert launch(tmp_path / "bin" / "streaks", "up", cwd=tmp_path).stdout.splitlines()[0] == str(tree)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--json", "--help"]])
def test_help_needs_no_installation(tree: Path, arguments: list[str]) -> None:
    ran = launch(tree / "streaks", *arguments, cwd=tree)
    assert (ran.returncode, "doctor" in ran.stdout, ran.stderr) == (0, True, "")
    assert not (tree / ".venv").exists()


def test_no_verb_is_a_usage_error_without_an_installation(tree: Path) -> None:
    ran = launch(tree / "streaks", cwd=tree)
    assert (ran.returncode, ran.stdout, "doctor" in ran.stderr) == (2, "", True)
    assert not (tree / ".venv").exists()


def test_tests_need_the_other_lock(tree: Path) -> None:
    install_stand_in(tree, "requirements.txt")
    (tree / "cli" / "preflight.py").write_text("import sys; sys.exit('preflight ran')")
    assert launch(tree / "streaks", "up", cwd=tree).returncode == 0
    ran = launch(tree / "streaks", "--json", "test", "-k", "x", cwd=tree)
    assert (ran.returncode, ran.stderr) == (1, "preflight ran\n")


def test_a_changed_lock_is_installed_before_the_verb_runs(tree: Path) -> None:
    install_stand_in(tree, "requirements.txt")
    (tree / "requirements.txt").write_text("changed\n")
    (tree / "cli" / "preflight.py").write_text("")
    (tree / "cli" / "install.py").write_text("import sys; print('install', sys.argv[1], file=sys.stderr)")
    ran = launch(tree / "streaks", "up", cwd=tree)
    assert (ran.returncode, ran.stderr) == (0, "install run\n")
    assert ran.stdout.splitlines()[0] == str(tree)


def test_a_failed_installation_ends_it_with_its_status(tree: Path) -> None:
    (tree / "cli" / "preflight.py").write_text("")
    (tree / "cli" / "install.py").write_text("import sys; sys.exit(130)")
    assert launch(tree / "streaks", "up", cwd=tree).returncode == 130


def test_a_missing_python_is_named_with_its_cure(tree: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    ran = launch(tree / "streaks", "up", cwd=tree, path=str(tools))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cure: sudo apt-get install python3 python3-venv" in ran.stderr


def test_the_python_that_was_asked_for_is_named_when_it_is_absent(tree: Path) -> None:
    ran = launch(tree / "streaks", "up", cwd=tree, DA_PYTHON="/nowhere/python 3")
    assert "there is no /nowhere/python 3" in ran.stderr


def test_an_unsupported_python_is_used_only_to_say_so(tree: Path, tmp_path: Path) -> None:
    old = tmp_path / "python 3.9"
    old.write_text('#!/bin/sh\ncase $1 in -c) exit 1 ;; *) echo "ran $2" >&2; exit 1 ;; esac\n')
    old.chmod(0o755)
    ran = launch(tree / "streaks", "up", cwd=tree, DA_PYTHON=str(old))
    assert (ran.returncode, ran.stderr) == (1, "ran cli/preflight.py\n")
