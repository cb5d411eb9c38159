"""The engine of hosts without a GPU: OpenVINO, float32, on the graphs that TensorFlow would run.

A network becomes a graph once, in a process of its own, and is kept in a folder: from then on a worker on
that host starts without TensorFlow, in seconds.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from core.errors import Misconfigured, Unavailable
from core.model_card import ModelCard
from cutouts.recipes import Pixels
from worker.batch_engine import BatchEngine
from worker.engine import Scores

_log = logging.getLogger(__name__)
ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-5
GRAPH_BYTES = 4  # of each parameter, in float32
GRAPH_FORM = 1  # part of a kept graph's name: graphs of another form are made anew
AT_ONCE = 2  # graphs that are made side by side
PART = 4
"""Cutouts of one request at most: parts of a batch go to streams of a core each, so that other work on one
core does not hold up all of them at every layer."""
CONFIG = {
    "INFERENCE_PRECISION_HINT": "f32",
    "PERFORMANCE_HINT": "THROUGHPUT",
    "ENABLE_CPU_PINNING": False,  # a stream held to one core waits for whatever else runs there
}


@dataclass(frozen=True)
class _Compiled:
    """A compiled model of one or more networks, and what runs it: a request for each batch in flight."""

    model: Any
    idle: list[Any]


class OpenVinoEngine(BatchEngine):
    """One compiled graph for each set of versions: they share the read of their batch.

    Parameters
    ----------
    graphs : the folder in which graphs are kept, by the sha256 of what they were made of.
    """

    name = f"openvino-{ov.__version__.split('-')[0]}"
    precision = "float32"
    device = "cpu"

    def __init__(self, batch_sizes: Sequence[int], *, graphs: Path) -> None:
        super().__init__(sorted({min(size, PART) for size in batch_sizes}))
        self._graphs = graphs
        self._core = ov.Core()
        self.in_flight = len(os.sched_getaffinity(0)) + 1

    def prepare(self, networks: Sequence[tuple[ModelCard, bytes]]) -> None:
        """Make the graphs that are not kept, two at a time: each takes a core and 2 GB for seconds."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="freezing") as threads:
            for made in [threads.submit(self._made, *network) for network in networks]:
                made.result()

    def _made(self, card: ModelCard, weights: bytes) -> Path:
        """A network's graph, which is kept from now on."""
        graph = self._graphs / f"{card.version}-{_digest(card, weights)}.pb"
        if not graph.exists():
            _make(card, weights, graph)
        return graph

    def _network(self, card: ModelCard, weights: bytes) -> Any:
        graph = self._made(card, weights)
        try:
            return self._checked(self._core.read_model(graph), graph)
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            _log.warning("the kept graph of %s can't be used and is made anew: %s", card.version, error)
            _make(card, weights, graph)
            return self._checked(self._core.read_model(graph), graph)

    def _checked(self, network: Any, graph: Path) -> Any:
        """The network, once it was seen to score as TensorFlow did; raises Misconfigured."""
        with np.load(graph.with_suffix(".npz"), allow_pickle=False) as probe:
            images, expected = probe["images"], probe["scores"]
        found = self._core.compile_model(network, "CPU", CONFIG)([images])[0]
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:
            raise Misconfigured(
                f"{graph.name} scores {difference:.1g} off what TensorFlow does, on {self.name}; expected at "
                f"most {TOLERANCE:g}: choose another engine by DA_SCORING__ENGINE"
            )
        return network

    def _compile(self, networks: Sequence[Any]) -> _Compiled:
        first, *others = [network.clone() for network in networks]
        (parameter,) = first.get_parameters()
        for other in others:
            (own,) = other.get_parameters()
            for target in own.output(0).get_target_inputs():
                target.replace_source_output(parameter.output(0))
        results = [network.get_results()[0] for network in (first, *others)]
        return _Compiled(self._core.compile_model(ov.Model(results, [parameter]), "CPU", CONFIG), [])

    def _cut(self, batch: Pixels, largest: int) -> Iterator[Pixels]:
        """Whole parts while there is one for each core, and the rest one by one.

        A part that is padded costs what a whole one does, and one part keeps one core busy.
        """
        round_ = largest * (self.in_flight - 1)
        whole = len(batch) - len(batch) % round_ if self._sizes[0] == 1 else len(batch)
        yield from super()._cut(batch[:whole], largest)
        yield from super()._cut(batch[whole:], 1)

    def _start(self, run: _Compiled, batch: Pixels) -> Any:
        request = run.idle.pop() if run.idle else run.model.create_infer_request()
        request.start_async([batch])
        return run, request

    def _finish(self, started: Any) -> Scores:
        run, request = started
        request.wait()
        scores = np.concatenate([np.array(output.data) for output in request.output_tensors], axis=1)
        run.idle.append(request)
        return scores

    def _out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)


def _digest(card: ModelCard, weights: bytes) -> str:
    """Names a graph: of these weights in this architecture, which the card's bytes tell."""
    told = f"{GRAPH_FORM} {card.architecture} {card.parameters} {card.weights.dtype}".encode()
    return hashlib.sha256(told + hashlib.sha256(weights).digest()).hexdigest()[:32]


def _make(card: ModelCard, weights: bytes, graph: Path) -> None:
    """Freeze a network in a process that loads TensorFlow and ends; raises Misconfigured when it can't.

    Also where the folder can't hold the graph, as where its disk is full.
    """
    try:
        graph.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(graph.parent).free
    except OSError as error:
        raise Misconfigured(
            f"graphs can't be kept in {graph.parent}: {error.strerror}; expected a writable folder,"
            " by scoring.graphs_dir"
        ) from error
    wanted = 2 * GRAPH_BYTES * card.parameters  # the graph, and what it is made in
    if free < wanted:
        raise Misconfigured(
            f"{free / 2**20:.0f} MiB are free in {graph.parent}; the graph of {card.version} wants"
            f" {wanted / 2**20:.0f}: make room, or name another folder by scoring.graphs_dir"
        )
    with tempfile.TemporaryDirectory(dir=graph.parent, prefix=".making-") as scratch:
        folder = Path(scratch)
        (folder / "card.json").write_text(card.model_dump_json())
        (folder / "weights.npz").write_bytes(weights)
        made = folder / graph.name
        done = subprocess.run(
            [sys.executable, "-m", "models", "freeze", str(folder), "--out", str(made)],
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            if said.startswith("error: "):
                raise Misconfigured(said.removeprefix("error: "))
            raise Unavailable(f"{card.version}: freezing it ended with {done.returncode}: {said!r:.200}")
        made.with_suffix(".npz").replace(graph.with_suffix(".npz"))
        made.replace(graph)
