"""The benchmark with hosts in network namespaces: a short run of all of it, and that nothing of it stays."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from bench.namespaces import ADDRESS, HUB, Network, remove_leftovers, why_not
from tests.cli.local.running import naming, wait_until

ROOT = Path(__file__).parents[2]
SHORT = ("--cutouts", "320", "--lease", "1.5", "--batch", "0.25", "--timeout", "90")

reason = why_not()
pytestmark = pytest.mark.skipif(reason is not None, reason=reason or "")


def namespaces(owner: int) -> list[str]:
    """Those of one process: others may run the same."""
    told = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [line for line in told.splitlines() if line.startswith(f"streaks-{owner}-")]


def test_a_host_that_is_cut_off_reaches_nobody_until_it_is_mended() -> None:
    with Network(("a",)) as network:
        ping = network.within("a", ["timeout", "2", "bash", "-c", f": </dev/tcp/{ADDRESS}/1"])

        def said() -> str:
            return subprocess.run(ping, capture_output=True, text=True, check=False).stderr

        assert "Connection refused" in said()
        network.cut("a")
        assert "Connection refused" not in said()
        network.mend("a")
        wait_until(lambda: "Connection refused" in said())
        sleeper = subprocess.Popen(network.within(HUB, ["sleep", "600"]))
    assert sleeper.wait(5) == -signal.SIGKILL
    assert namespaces(os.getpid()) == []


def test_what_a_killed_run_left_is_removed_by_the_next() -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    Network((), owner=dead.pid)._make()
    assert len(namespaces(dead.pid)) == 1
    remove_leftovers()
    assert namespaces(dead.pid) == []


def test_nothing_is_lost_when_hosts_are_cut_off() -> None:
    command = [sys.executable, "-m", "bench.hosts", *SHORT, "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as run:
        out, complaints = run.communicate(timeout=200)
    assert run.returncode == 0, out + complaints
    told = json.loads(out.splitlines()[0])
    assert told["kept"]
    assert told["shards claimed again"] >= 1
    assert set(told["outcomes by host, undisturbed"]) == {"a", "b"}
    assert out.splitlines()[-1].endswith("0 lost, 0 double, 0 different: kept")
    assert namespaces(run.pid) == []


def test_too_few_cutouts_to_try_it_are_refused() -> None:
    command = [sys.executable, "-m", "bench.hosts", "--cutouts", "120"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "120 cutouts are scored before the links are cut; expected 404 or more" in told.stderr


def test_interrupted_it_leaves_neither_processes_nor_namespaces(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.hosts", *SHORT],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        wait_until(lambda: list(tmp_path.glob("streaks-hosts-*/b.log")), timeout_s=60)
        assert len(naming(tmp_path)) > 3
        run.send_signal(signal.SIGINT)
        assert run.wait(60) != 0
    assert naming(tmp_path) == []
    assert namespaces(run.pid) == []
    assert list(tmp_path.iterdir()) == []
