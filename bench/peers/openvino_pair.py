"""Two networks on OpenVINO, as its manual advises for throughput, for contenders that have no engine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

PART = 8


class OpenVinoPair:
    """Scores batches by each network; parts of a batch run at the same time.

    Parameters
    ----------
    threads : of the processor, that it may use; none for all.
    """

    def __init__(self, graphs: Sequence[str], *, threads: int | None = None) -> None:
        config: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
        if threads is not None:
            config |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}  # else all on one core
        core = ov.Core()
        self._models = [core.compile_model(core.read_model(graph), "CPU", config) for graph in graphs]
        self._idle: list[list[Any]] = [[] for _ in self._models]
        self(np.zeros((2 * PART, 144, 144, 1), np.uint8))

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scores, (n, networks)."""
        started = [
            [self._started(n, batch[first : first + PART]) for first in range(0, len(batch), PART)]
            for n in range(len(self._models))
        ]
        columns = [
            np.concatenate([self._finished(n, r) for r in requests]) for n, requests in enumerate(started)
        ]
        return np.concatenate(columns, axis=1)

    def _started(self, n: int, part: NDArray[np.uint8]) -> Any:
        request = self._idle[n].pop() if self._idle[n] else self._models[n].create_infer_request()
        request.start_async([part])
        return request

    def _finished(self, n: int, request: Any) -> NDArray[np.float32]:
        request.wait()
        scores = np.array(request.output_tensors[0].data)
        self._idle[n].append(request)
        return scores
