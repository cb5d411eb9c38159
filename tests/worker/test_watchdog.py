"""What is found wrong with a scoring process, by its pulse; and when the worker gives up."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from core.settings import Watchdog as Limits
from worker.progress import STEP, Progress
from worker.pulse import Heart, Pulse
from worker.watchdog import IN_A_ROW, Watchdog

LIMITS = Limits(canary_s=60, answer_s=20, silent_s=3, load_s=100)


class Kennel:
    """A watchdog, children of this process to look after, and what it did."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.told: list[tuple[int, str]] = []
        self.gave_up = 0
        self.dog = Watchdog(
            file, LIMITS, before_kill=lambda n, why: self.told.append((n, why)), give_up=self._give_up
        )
        self.children: list[subprocess.Popen[bytes]] = []

    def child(self) -> int:
        self.children.append(subprocess.Popen(["sleep", "60"]))
        return self.children[-1].pid

    def see(self, pulse: Pulse, *, looks: int = 1) -> None:
        self.file.write_text(json.dumps(asdict(pulse)))
        for _ in range(looks):
            self.dog.look()

    def _give_up(self) -> None:
        self.gave_up += 1


@pytest.fixture
def kennel(tmp_path: Path) -> Iterator[Kennel]:
    kennel = Kennel(tmp_path / "pulse")
    yield kennel
    for child in kennel.children:
        child.kill()
        child.wait()


def test_a_process_that_beats_and_scores_is_left_alone_and_ready(kennel: Kennel) -> None:
    pid = kennel.child()
    kennel.dog.look()
    before = kennel.dog.unready
    for n in range(1, 200):
        kennel.see(Pulse(pid, n, "score", 19.0, ready=True))
    assert (before, kennel.dog.unready) == ("the scoring process is starting", "")
    assert kennel.told == []


@pytest.mark.parametrize(
    ("pulse", "looks", "said"),
    [
        (Pulse(0, 1, "", 0.0, ready=True), 5, "has not run for 4 s"),
        (Pulse(0, 1, "score", 21.0, ready=True), 1, "at one score for 21 s"),
        (Pulse(0, 1, STEP, 21.0, ready=True), 1, "at one step of a training for 21 s"),
        (Pulse(0, 1, "load", 101.0), 1, "at one load for 101 s"),
        (Pulse(0, 1, "start", 101.0), 1, "at one start for 101 s"),
        (Pulse(0, 1, "", 0.0, unwell="rb@1 gives the canary nan"), 1, "rb@1 gives the canary nan"),
    ],
)
def test_a_process_that_does_not_answer_is_killed_with_its_fault(
    kennel: Kennel, pulse: Pulse, looks: int, said: str
) -> None:
    pid = kennel.child()
    kennel.see(Pulse(**{**asdict(pulse), "pid": pid}), looks=looks)
    assert kennel.children[0].wait(5) == -9
    assert [(n, said in why) for n, why in kennel.told] == [(1, True)]
    assert said in kennel.dog.why
    assert said in kennel.dog.unready
    kennel.see(Pulse(**{**asdict(pulse), "pid": pid}), looks=9)  # what it left behind
    assert len(kennel.told) == 1


@pytest.mark.parametrize("doing", ["start", "load"])
def test_starting_and_loading_may_take_their_time(kennel: Kennel, doing: str) -> None:
    pid = kennel.child()
    for n in range(1, 5):
        kennel.see(Pulse(pid, n, doing, 99.0))
    assert kennel.told == []


def test_nobody_but_a_child_is_killed(kennel: Kennel) -> None:
    kennel.see(Pulse(1, 1, "score", 1000.0))
    assert kennel.told == []


def test_it_gives_up_after_three_in_a_row_that_never_were_ready(kennel: Kennel) -> None:
    for _ in range(IN_A_ROW - 1):
        kennel.see(Pulse(kennel.child(), 1, "", 0.0, unwell="no device"))
    pid = kennel.child()
    kennel.see(Pulse(pid, 1, "", 0.0, ready=True))
    kennel.see(Pulse(pid, 2, "", 0.0, unwell="no device"))
    assert kennel.gave_up == 0
    for _ in range(IN_A_ROW - 1):
        kennel.see(Pulse(kennel.child(), 1, "", 0.0, unwell="no device"))
    assert kennel.gave_up == 1
    assert kennel.dog.gave_up


def test_a_heart_beats_until_it_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pulse"
    heart = Heart(file, doing=lambda: ("score", 2.0))
    heart.start()
    first = Pulse.read(file)
    heart.ready = True
    heart.beat()
    second = Pulse.read(file)
    heart.stop()
    assert first is not None
    assert second is not None
    assert (second.n > first.n, second.doing, second.for_s, second.ready) == (True, "score", 2.0, True)
    assert list(tmp_path.iterdir()) == []


def test_a_training_is_at_a_step_from_the_last_one_on_and_at_none_afterwards() -> None:
    progress = Progress()
    assert progress.doing == ("", 0.0)
    with progress.working():
        time.sleep(0.05)
        before = progress.doing
        progress.step()
        assert (before[0], before[1] >= 0.05, progress.doing[1] < before[1]) == (STEP, True, True)
    assert progress.doing == ("", 0.0)
