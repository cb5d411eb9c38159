"""The folder in memory: there where there is room, and gone afterwards."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli import memory_folder as module
from cli.local.programs import ROOT
from cli.memory_folder import memory_folder
from tests.small_disk import disk_or_skip

KIB = 1024
LEAVES_A_FILE = """
import sys
from pathlib import Path
from cli.memory_folder import memory_folder

with memory_folder(1, on=Path(sys.argv[1])) as folder:
    (folder / "file").write_bytes(b"1")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_it_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    with memory_folder(KIB, on=tmp_path) as folder:
        assert folder is not None
        assert list(folder.iterdir()) == []
        (folder / "file").write_bytes(b"1")
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_made_where_it_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with disk_or_skip(tmp_path / "shm", kib=64) as disk:
        with memory_folder(KIB, on=disk) as folder:
            assert folder is not None
        with memory_folder(65 * KIB, on=disk) as folder:
            assert folder is None
        monkeypatch.setattr(module, "memory_available", lambda: KIB)
        with memory_folder(KIB, on=disk) as folder:
            assert folder is None
    with memory_folder(KIB, on=tmp_path / "none") as folder:
        assert folder is None


def test_it_is_not_made_where_no_program_runs(tmp_path: Path) -> None:
    with disk_or_skip(tmp_path / "shm", kib=64) as disk:
        subprocess.run(["mount", "-o", "remount,noexec", str(disk)], check=True)
        with memory_folder(KIB, on=disk) as folder:
            assert folder is None


def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LEAVES_A_FILE, str(tmp_path)]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start() as killed, start() as running:
        assert killed.stdout is not None
        assert running.stdout is not None
        left, used = Path(killed.stdout.readline().strip()), Path(running.stdout.readline().strip())
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "file").exists()
        with memory_folder(KIB, on=tmp_path):
            assert not left.exists()
            assert (used / "file").exists()
        running.communicate("")
    assert list(tmp_path.iterdir()) == []
