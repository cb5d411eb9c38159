"""Cutouts drawn in several processes are those that one draws."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from cutouts.simulator import seeds_of
from models.training import drawing
from models.training.preset_images import preset_images

WANTED = seeds_of("sample", count=40, seed=3)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "PART", 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})


def collected() -> drawing.Part:
    parts = list(drawing.drawn(WANTED))
    return np.concatenate([images for images, _ in parts]), [truth for _, truths in parts for truth in truths]


@pytest.mark.usefixtures("small_parts")
def test_several_processes_draw_what_one_draws_in_its_order() -> None:
    images, truths = collected()
    alone, told = drawing._draw(WANTED)
    np.testing.assert_array_equal(images, alone)
    assert truths == told


@pytest.mark.usefixtures("small_parts")
def test_a_daemon_draws_too_and_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    before = _children()
    parts = drawing.drawn(WANTED)
    assert len(next(parts)[1]) == 7
    assert len(_children() - before) == 3
    parts.close()
    assert _children() == before


@pytest.mark.usefixtures("small_parts")
def test_who_is_told_of_each_part_may_end_it_and_no_process_is_left() -> None:
    before, told = _children(), []

    def end_at_the_second() -> None:
        told.append(len(_children() - before))
        if len(told) == 2:
            raise InterruptedError("no more")

    with pytest.raises(InterruptedError, match="no more"):
        preset_images("rb", "sample", count=40, seed=3, on_part=end_at_the_second)
    assert told == [3, 3]
    assert _children() == before


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
