"""Which device a training takes, so that it never takes the one that tonight's cutouts need."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import Misconfigured

GPUS = Path("/proc/driver/nvidia/gpus")


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


def training_device(wanted: str) -> TrainingDevice:
    """The device for the setting `training.device`.

    Scoring uses the first GPU, or the CPU where there is none. `auto` is the last of several GPUs, the only
    one, or the CPU. Raises Misconfigured when the wanted GPU is not there.
    """
    gpus = visible_gpus()
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return TrainingDevice("-1", shared=not gpus, precision="float32")
    n = len(gpus) - 1 if wanted == "auto" else int(wanted.removeprefix("gpu:"))
    if n >= len(gpus):
        raise Misconfigured(f"training.device is {wanted!r}, and this host shows {len(gpus)} GPUs")
    return TrainingDevice(gpus[n], shared=n == 0, precision="bfloat16")


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() and name.strip() != "-1"]
    return [str(n) for n in range(len(list(GPUS.iterdir())))] if GPUS.is_dir() else []


def prepare_process(device: TrainingDevice) -> None:
    """Set what Keras and its backend read as they are imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = device.visible
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
