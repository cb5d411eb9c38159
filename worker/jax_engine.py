"""The engine of hosts that have JAX: one XLA program for each set of versions and batch size."""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import keras
import numpy as np

from core.errors import Misconfigured
from core.model_card import ModelCard
from cutouts.recipes import Pixels
from models.bundle import load_network
from worker.batch_engine import BatchEngine
from worker.engine import Scores
from worker.split_convolution import split_convolutions

Precision = Literal["float32", "tf32x2", "tf32", "float16", "bfloat16"]
TENSOR_CORES = 8.0  # the compute capability from which on they multiply in TF32

_POLICIES = {"float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def has_tensor_cores() -> bool:
    """Whether the first device is a GPU with tensor cores that take TF32."""
    capability = str(getattr(jax.devices()[0], "compute_capability", "0"))  # AMD's are no numbers
    return capability.replace(".", "").isdigit() and float(capability) >= TENSOR_CORES


class JaxEngine(BatchEngine):
    """uint8 goes to the device, which normalises; scores are read back while the next batch runs.

    Parameters
    ----------
    precision : of convolutions and products; "tf32" rounds their float32 inputs to 11 bits on GPUs that have
        it, "tf32x2" those of convolutions to 22 (`split_convolution`). Weights are kept in float32, scores
        computed in it.
    """

    name = f"jax-{jax.__version__}"

    def __init__(self, batch_sizes: Sequence[int], *, precision: Precision = "float32") -> None:
        if keras.backend.backend() != "jax":
            raise Misconfigured(
                f"Keras runs on {keras.backend.backend()}; expected KERAS_BACKEND=jax before it is imported"
            )
        super().__init__(batch_sizes)
        self.precision: Precision = precision

    @property
    def device(self) -> str:
        """The first device that JAX sees."""
        device = jax.devices()[0]
        return "cpu" if device.platform == "cpu" else str(device.device_kind)

    def device_bytes(self) -> int | None:
        """As JAX's allocator counts it, which takes most of a GPU's memory for itself."""
        stats = jax.devices()[0].memory_stats()
        return int(stats["bytes_in_use"]) if stats else None

    def _network(self, card: ModelCard, weights: bytes) -> keras.Model:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(_POLICIES.get(self.precision, "float32"))
        try:
            network = load_network(card, weights)
        finally:
            keras.config.set_dtype_policy(before)
        if self.precision == "tf32x2":
            split_convolutions(network)
        return network

    def _compile(self, networks: Sequence[keras.Model]) -> Any:
        states = [
            ([v.value for v in n.trainable_variables], [v.value for v in n.non_trainable_variables])
            for n in networks
        ]

        rest = "highest" if self.precision in ("float32", "tf32x2") else "default"

        def run(states: Any, batch: Any) -> Any:
            unit = batch.astype(jnp.float32) / 255
            with jax.default_matmul_precision(rest):
                found = [
                    network.stateless_call(*state, unit, training=False)[0].astype(jnp.float32)
                    for network, state in zip(networks, states, strict=True)
                ]
            return jnp.concatenate(found, axis=1)

        compiled = jax.jit(run)
        return lambda batch: compiled(states, batch)

    def _start(self, run: Any, batch: Pixels) -> Any:
        return run(batch)

    def _finish(self, started: Any) -> Scores:
        return np.asarray(started, np.float32)

    def _out_of_memory(self, error: Exception) -> bool:
        return "RESOURCE_EXHAUSTED" in str(error)
