"""Which engine a scoring process uses."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import Misconfigured
from core.settings import EngineName, PrecisionName, Settings
from worker.engine import Engine
from worker.seat import CPU, Seat

CPU_INFO = Path("/proc/cpuinfo")
MODULES = {"openvino": "openvino", "tensorflow": "tensorflow", "jax": "jax"}


def make_engine(settings: Settings, seat: Seat) -> tuple[Engine, str]:
    """The engine for a seat, and the likely reason where it finds no GPU; takes seconds.

    `auto` is OpenVINO on the CPU's seat, TensorFlow on a GPU's, and what the host has where that is missing.
    Raises Misconfigured for an engine that is not installed, or that does not run on the seat's device, and
    for a processor on which none would run.
    """
    check_processor()
    name = _chosen(settings.scoring.engine, on_cpu=seat.device == CPU)
    sizes, precision = settings.scoring.batch_sizes, settings.scoring.precision
    if precision == "tf32x2" and name != "jax":
        raise Misconfigured(
            f"scoring.precision is 'tf32x2', which only 'jax' has; the engine here is {name!r}"
        )
    if name == "openvino":
        from worker.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(sizes, graphs=settings.graphs), "OpenVINO scores on the CPU here"
    if name == "jax":
        return _jax(sizes, precision, settings.state_dir / "jax"), (
            "this JAX is built without CUDA, or its driver is missing"
        )
    from worker.tensorflow_engine import TensorFlowEngine, why_no_gpu  # up to 20 s

    return TensorFlowEngine(sizes), why_no_gpu()


def _jax(sizes: Sequence[int], precision: PrecisionName, programs: Path) -> Engine:
    """JAX, which keeps its compiled programs in a folder; `auto` is the fast precision where admitted."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import jax

    from worker.admitted_engine import AdmittedEngine
    from worker.jax_engine import JaxEngine, has_tensor_cores

    jax.config.update("jax_compilation_cache_dir", str(programs))
    fast = has_tensor_cores()
    if precision == "tf32x2" and not fast:
        raise Misconfigured(
            "scoring.precision is 'tf32x2', which needs an NVIDIA GPU of compute capability 8.0 or newer; JAX"
            f" scores on {jax.devices()[0].device_kind} here"
        )
    if precision == "float32" or not fast:
        return JaxEngine(sizes)
    return AdmittedEngine(sizes, precision="tf32x2", strict=precision == "tf32x2")


def check_processor(cpu_info: Path = CPU_INFO) -> None:
    """Raise Misconfigured on an x86 processor without AVX2, where engines end without a word."""
    if not cpu_info.exists():
        return
    lines = (line.partition(":") for line in cpu_info.read_text("utf-8", "replace").splitlines())
    told = {key.strip(): value for key, _, value in lines}
    if "flags" in told and "avx2" not in told["flags"].split():
        raise Misconfigured(
            f"this processor ({told.get('model name', 'unknown').strip()}) has no AVX2, which every engine is"
            " built with; expected an x86-64 processor of 2015 or newer"
        )


def _chosen(wanted: EngineName, *, on_cpu: bool) -> str:
    installed = [name for name, module in MODULES.items() if importlib.util.find_spec(module)]
    if wanted == "auto":
        first = ("openvino", "tensorflow", "jax") if on_cpu else ("tensorflow", "jax")
        wanted_names = [name for name in first if name in installed]
        if not wanted_names:
            raise Misconfigured(f"no engine is installed; expected one of {', '.join(first)}")
        return wanted_names[0]
    if wanted not in installed:
        raise Misconfigured(
            f"scoring.engine is {wanted!r}, which is not installed; here are {', '.join(installed) or 'none'}"
        )
    if wanted == "openvino" and not on_cpu:
        raise Misconfigured(
            "scoring.engine is 'openvino', which scores on the CPU; a GPU has 'tensorflow' or 'jax'"
        )
    return wanted
