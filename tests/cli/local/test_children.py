import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.children import Child, set_aside
from tests.cli.local.running import naming, wait_until
from tests.cli.local.stand_ins import SLEEPER, STUBBORN_PARENT, python


def test_a_child_writes_to_its_own_log_which_only_the_owner_reads(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "talker.log"
    child = Child("talker", python("print('one'); print('two')"), log=log)
    assert child.wait(10) == 0
    assert child.said() == "one\ntwo"
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_said_holds_nothing_from_an_earlier_start(tmp_path: Path) -> None:
    for word in ("first", "second"):
        child = Child("talker", python(f"print({word!r})"), log=tmp_path / "talker.log")
        child.wait(10)
    assert child.said() == "second"


def test_a_log_that_somebody_removed_is_said_to_be_gone(tmp_path: Path) -> None:
    child = Child("quick", python("pass"), log=tmp_path / "quick.log")
    child.wait(10)
    child.log.unlink()
    assert child.said() == f"({tmp_path}/quick.log is not there any more)"


def test_a_stubborn_child_is_killed_with_its_own_children(tmp_path: Path) -> None:
    mark = str(tmp_path)
    child = Child("stubborn", python(STUBBORN_PARENT, mark), log=tmp_path / "logs" / "x")
    wait_until(lambda: len(naming(mark)) == 2)
    assert child.stop(0.3) == -signal.SIGKILL
    assert naming(mark) == []


def test_the_children_of_a_child_that_dies_die_too(tmp_path: Path) -> None:
    mark = str(tmp_path)
    child = Child("stubborn", python(STUBBORN_PARENT, mark), log=tmp_path / "logs" / "x")
    wait_until(lambda: len(naming(mark)) == 2)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    assert naming(mark) == []


def test_a_child_that_has_ended_is_no_zombie(tmp_path: Path) -> None:
    child = Child("quick", python("pass"), log=tmp_path / "quick.log")
    assert child.wait(10) == 0
    assert not Path(f"/proc/{child.pid}").exists()


def test_a_missing_program_is_an_exit_status_and_a_sentence(tmp_path: Path) -> None:
    child = Child("missing", ["/nowhere/at-all"], log=tmp_path / "missing.log")
    assert child.wait(10) == 1
    assert child.said() == "/nowhere/at-all: No such file or directory"


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cli.local.children import Child; "
        f"Child('c', {python(SLEEPER, str(tmp_path))!r}, log=Path({str(tmp_path / 'c.log')!r})); "
        "print('started', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        wait_until(lambda: any(pid != parent.pid for pid in naming(SLEEPER) if pid in naming(tmp_path)))
        parent.kill()
    wait_until(lambda: naming(tmp_path) == [])


@pytest.mark.parametrize(("limit", "is_set_aside"), [(3, True), (100, False)])
def test_a_log_that_has_grown_too_long_is_set_aside(tmp_path: Path, limit: int, is_set_aside: bool) -> None:
    log = tmp_path / "x.log"
    log.write_text("12345")
    set_aside(log, limit)
    assert (tmp_path / "x.log.1").exists() == is_set_aside
