"""The reference engine: TensorFlow, float32, one traced function per set of versions."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from core.model_card import ModelCard
from cutouts.recipes import SIZE_PX, Pixels
from models.bundle import load_network
from worker.batch_engine import BatchEngine
from worker.engine import Scores


def why_no_gpu() -> str:
    """The likely reason, where TensorFlow lists no GPU on a host that has one."""
    if not tf.test.is_built_with_cuda():
        return (
            "this TensorFlow is built without CUDA; "
            "`.venv/bin/pip install --require-hashes --no-deps -r requirements-gpu.txt` brings one with it"
        )
    return "it lists no GPU: the driver and its CUDA libraries do not fit, or are missing (see its log above)"


class TensorFlowEngine(BatchEngine):
    """One traced function for each set of versions, whose weights are constants: what can be is folded."""

    name = f"tensorflow-{tf.__version__}"
    precision = "float32"

    def __init__(self, batch_sizes: Sequence[int]) -> None:
        super().__init__(batch_sizes)
        tf.config.experimental.enable_tensor_float_32_execution(False)

    @property
    def device(self) -> str:
        """The first GPU that TensorFlow sees, else the CPU."""
        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return "cpu"
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu"))

    def device_bytes(self) -> int | None:
        """As the allocator of the first GPU counts it."""
        if not tf.config.list_physical_devices("GPU"):
            return None
        return int(tf.config.experimental.get_memory_info("GPU:0")["current"])

    def _network(self, card: ModelCard, weights: bytes) -> keras.Model:
        return load_network(card, weights)

    def _compile(self, networks: Sequence[keras.Model]) -> Any:
        def run(batch: Any) -> Any:
            unit = tf.cast(batch, tf.float32) / 255.0
            return tf.concat([network(unit, training=False) for network in networks], axis=1)

        shape = tf.TensorSpec((None, SIZE_PX, SIZE_PX, 1), tf.uint8)
        return convert_variables_to_constants_v2(tf.function(run).get_concrete_function(shape))

    def _start(self, run: Any, batch: Pixels) -> Any:
        (scores,) = run(tf.constant(batch))
        return scores

    def _finish(self, started: Any) -> Scores:
        scores: Scores = started.numpy()
        return scores

    def _out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, tf.errors.ResourceExhaustedError)
