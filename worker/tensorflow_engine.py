"""The reference engine: TensorFlow, float32, one traced function per set of versions."""

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from core.model_card import ModelCard
from cutouts.recipes import SIZE_PX, Pixels
from models.bundle import load_network
from worker.engine import Scores

_log = logging.getLogger(__name__)
SETS_HELD = 4  # of versions that run together; each has its own copy of their weights


def why_no_gpu() -> str:
    """The likely reason, where TensorFlow lists no GPU on a host that has one."""
    if not tf.test.is_built_with_cuda():
        return (
            "this TensorFlow is built without CUDA; "
            "`.venv/bin/pip install --require-hashes --no-deps -r requirements-gpu.txt` brings one with it"
        )
    return "it lists no GPU: the driver and its CUDA libraries do not fit, or are missing (see its log above)"


class TensorFlowEngine:
    """Runs networks in batches of fixed sizes: what is over is cut, what is under is padded."""

    name = f"tensorflow-{tf.__version__}"
    precision = "float32"

    def __init__(self, batch_sizes: Sequence[int]) -> None:
        self._sizes = tuple(sorted(batch_sizes))
        self._networks: dict[str, keras.Model] = {}
        self._traced: dict[tuple[str, ...], Any] = {}
        tf.config.experimental.enable_tensor_float_32_execution(False)

    @property
    def device(self) -> str:
        """The first GPU that TensorFlow sees, else the CPU."""
        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return "cpu"
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu"))

    @property
    def versions(self) -> tuple[str, ...]:
        """The model versions it holds."""
        return tuple(self._networks)

    def load(self, card: ModelCard, weights: bytes) -> None:
        """Hold one more network."""
        self._networks[card.version] = load_network(card, weights)

    def drop(self, version: str) -> None:
        """Hold a network no longer, and no function that uses it."""
        self._networks.pop(version, None)
        self._traced = {key: traced for key, traced in self._traced.items() if version not in key}

    def warm(self, versions: Sequence[str]) -> None:
        """Trace and run every batch size."""
        for size in self._sizes:
            self.score(np.zeros((size, SIZE_PX, SIZE_PX, 1), np.uint8), versions)

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """Run these versions on a batch of any size; one that does not fit the device is halved, for good."""
        together = tuple(sorted(set(versions)))
        run = self._function(together)
        parts: list[Scores] = []
        done = 0
        while done < len(batch):
            largest = self._sizes[-1]
            try:
                parts.append(self._padded(run, batch[done : done + largest]))
            except tf.errors.ResourceExhaustedError:
                if largest == 1:
                    raise
                self._halve()
            else:
                done += largest
        scores = np.concatenate(parts) if parts else np.empty((0, len(together)), np.float32)
        return scores[:, [together.index(version) for version in versions]]

    def _halve(self) -> None:
        """Use batches of half the size at most from now on."""
        largest = self._sizes[-1]
        half = largest // 2
        self._sizes = tuple(sorted({size for size in self._sizes if size < half} | {half}))
        _log.warning("batches of %d do not fit the device; going on with %d", largest, half)

    def _padded(self, run: Any, part: Pixels) -> Scores:
        size = next(size for size in self._sizes if size >= len(part))
        if size > len(part):
            padding = np.zeros((size - len(part), *part.shape[1:]), np.uint8)
            return self._run(run, np.concatenate([part, padding]))[: len(part)]
        return self._run(run, part)

    def _run(self, run: Any, batch: Pixels) -> Scores:
        (scores,) = run(tf.constant(batch))
        values: Scores = scores.numpy()
        return values

    def _function(self, versions: tuple[str, ...]) -> Any:
        """One function for these versions. Its weights are constants, so that what can be is folded."""
        if versions not in self._traced:
            networks = [self._networks[version] for version in versions]

            def run(batch: Any) -> Any:
                unit = tf.cast(batch, tf.float32) / 255.0
                return tf.concat([network(unit, training=False) for network in networks], axis=1)

            traced = tf.function(run).get_concrete_function(
                tf.TensorSpec((None, SIZE_PX, SIZE_PX, 1), tf.uint8)
            )
            while len(self._traced) >= SETS_HELD:
                del self._traced[next(iter(self._traced))]
            self._traced[versions] = convert_variables_to_constants_v2(traced)
        return self._traced[versions]
