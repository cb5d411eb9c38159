"""Simulated cutouts by a recipe, drawn on all the processors that this process may use.

As a program it draws what its parent asks for, part by part, until its parent is gone. A pool of
`multiprocessing` would not do: a Celery worker's children may have none, and a pool outlives a killed parent.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutouts.recipes import RECIPES, SIZE_PX
from cutouts.simulator import Kind, Truth, draw

ROOT = Path(__file__).parents[2]
RECIPE = "deepstreaks-1"
PART = 400
"""Cutouts that a process draws at a time; fewer than four parts are drawn in this one."""
MOST_PROCESSES = 16  # each takes 0.1 GB

Wanted = Sequence[tuple[Kind, int]]
Part = tuple[NDArray[np.uint8], list[Truth]]


def drawn(wanted: Wanted) -> Generator[Part, None, None]:
    """Images, (n, 144, 144, 1) uint8, and truths of the wanted kinds and seeds, in parts, in their order."""
    parts = [wanted[start : start + PART] for start in range(0, len(wanted), PART)]
    processes = min(len(os.sched_getaffinity(0)), len(parts), MOST_PROCESSES)
    if processes < 2 or len(parts) < 4:
        yield from map(_draw, parts)
        return
    with ExitStack() as stack:
        idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for _ in range(processes):
            idle.put(stack.enter_context(_Program()))
        threads = stack.enter_context(ThreadPoolExecutor(processes, thread_name_prefix="drawing"))

        def ask(part: Wanted) -> Part:
            process = idle.get()
            try:
                return _ask(process, part)
            finally:
                idle.put(process)

        yield from threads.map(ask, parts)


class _Program(subprocess.Popen[bytes]):
    """This module as a program, of one thread; leaving its context ends it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "models.training.drawing"]
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # else one for each core, in each process
        super().__init__(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __exit__(self, *details: object) -> None:
        self.kill()
        self.communicate()


def _ask(process: subprocess.Popen[bytes], part: Wanted) -> Part:
    to_it, from_it = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    pickle.dump(list(part), to_it)
    to_it.flush()
    found: Part = pickle.load(from_it)  # noqa: S301  from a child of this process
    return found


def _draw(wanted: Wanted) -> Part:
    images = np.empty((len(wanted), SIZE_PX, SIZE_PX, 1), np.uint8)
    truths = []
    for n, (kind, seed) in enumerate(wanted):
        cutout = draw(kind, seed)
        images[n] = RECIPES[RECIPE](Image.fromarray(cutout.image))
        truths.append(cutout.truth)
    return images, truths


def _serve() -> None:
    while True:
        try:
            wanted = pickle.load(sys.stdin.buffer)  # noqa: S301  from this process's parent
        except EOFError:
            return
        pickle.dump(_draw(wanted), sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
