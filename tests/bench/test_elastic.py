"""What `bench.elastic` reads off a terminal."""

import sys

from bench.elastic import rate_shown
from bench.watched_terminal import Frame, WatchedTerminal, frames_of
from cli.watching import told


def test_frames_are_what_was_written_over_until_the_line_ends() -> None:
    chunks = [(1.0, "\rone of 9"), (2.0, "\rtwo     \rthree"), (3.0, "\r     \rdone\r\nstate finished\r")]
    assert frames_of(chunks) == [
        Frame(1.0, "one of 9"),
        Frame(2.0, "two"),
        Frame(2.0, "three"),
        Frame(3.0, "done"),
    ]


def test_what_a_command_writes_to_its_terminal_is_caught_in_the_width_that_it_has() -> None:
    code = (
        "import sys; from cli.watching import ProgressLine\n"
        "line = ProgressLine(); line.show('x' * 90); line.show('short'); line.end()"
    )
    terminal = WatchedTerminal([sys.executable, "-c", code], env={}, columns=60)
    assert terminal.wait(30) == 0
    assert [frame.text for frame in terminal.frames()] == ["x" * 59, "short"]


def test_the_rate_is_read_as_it_is_told() -> None:
    job = {
        "id": "j", "state": "running", "items": 9000, "scored": 3000, "rejected": 0, "shards_open": 3,
        "rate": 1240.04, "seconds_left": 15.2, "workers": {"a:gpu0": 620.0, "b:gpu0": 620.0},
    }  # fmt: skip
    assert rate_shown(Frame(0.0, told(job))) == 1240.0
    assert rate_shown(Frame(0.0, told(job | {"rate": None, "workers": {}}))) is None
