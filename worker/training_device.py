"""Which device a training takes, so that it never takes the one that tonight's cutouts need."""

import importlib.util
import os
from dataclasses import dataclass

from core.errors import Misconfigured
from core.gpus import choose, host_gpus
from core.settings import Scoring


@dataclass(frozen=True)
class TrainingDevice:
    """A device and whether live scoring needs it too.

    Parameters
    ----------
    visible : what CUDA_VISIBLE_DEVICES must be for it.
    shared : live scoring uses it as well, so that a training pauses for live cutouts.
    precision : of the products: "bfloat16" on a GPU, else "float32".
    """

    visible: str
    shared: bool
    precision: str


def training_device(wanted: str, scoring: Scoring) -> TrainingDevice:
    """The device for the setting `training.device`, beside scoring as it is set.

    `auto` is the last GPU that scoring leaves, else the last, which is then shared; or the CPU of a host that
    has no GPU. Raises Misconfigured when the wanted GPU is not there, or none that is there can be used.
    """
    host = host_gpus()
    if wanted == "cpu":
        return TrainingDevice("-1", shared=not host.gpus, precision="float32")
    taken = choose(scoring.gpus, host, allow_cpu=scoring.allow_cpu)
    if wanted == "auto":
        if not host.gpus:
            return TrainingDevice("-1", shared=True, precision="float32")
        gpu = ([gpu for gpu in host.gpus if gpu not in taken] or list(host.gpus))[-1]
    else:
        n = int(wanted.removeprefix("gpu:"))
        if n >= len(host.gpus):
            raise Misconfigured(f"training.device is {wanted!r}, and this host shows {len(host.gpus)} GPUs")
        gpu = host.gpus[n]
    return TrainingDevice(gpu.uuid, shared=gpu in taken, precision="bfloat16")


def prepare_process(device: TrainingDevice) -> None:
    """Set what Keras and its backend read as they are imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = device.visible
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
