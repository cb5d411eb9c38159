"""A worker on an invited host ends, and says why, when it is let in no more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.__main__ import main
from cli.hosts.invitation import Invitation
from tests.cli.hosts.conftest import OpenService
from tests.cli.local.running import wait_until

ROOT = Path(__file__).parents[3]
IMPATIENT = """
import sys
from worker import guest_watch
from worker.__main__ import main

guest_watch.CHECK_S = 0.5
if __name__ == "__main__":
    sys.exit(main(["--train"]))
"""


def test_a_host_whose_invitation_is_withdrawn_before_it_joins_says_so_and_ends(
    opened: OpenService, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened.invite(tmp_path)
    with opened.admission() as admission:
        admission.withdraw(Invitation.read(file).name)
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path / "host"))
    assert main(["worker", "--invitation", str(file)]) == os.EX_NOPERM
    assert "was withdrawn or is over; have an invitation written" in capsys.readouterr().err


def test_a_worker_whose_invitation_is_withdrawn_says_so_and_ends(opened: OpenService, tmp_path: Path) -> None:
    guest = opened.guest(tmp_path)
    script, log = tmp_path / "impatient.py", tmp_path / "log"
    script.write_text(IMPATIENT)
    environment = {**os.environ, **guest, "PYTHONPATH": str(ROOT)}
    with (
        log.open("w") as output,
        subprocess.Popen([sys.executable, script], env=environment, stdout=output, stderr=output) as worker,
    ):
        try:
            wait_until(lambda: '"message": "ready"' in log.read_text(), timeout_s=60)
            assert worker.poll() is None
            with opened.admission() as admission:
                admission.withdraw(guest["DA_GUEST"])
            assert worker.wait(60) == os.EX_NOPERM
        finally:
            worker.kill()
    (said,) = [line for line in log.read_text().splitlines() if line.startswith("worker: the invitation")]
    assert f"{guest['DA_GUEST']} was withdrawn or is over; have another one written" in said
