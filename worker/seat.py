"""Where a scoring process works: on which device, and as whom.

The Celery process decides it and leaves it in the environment, where the child of its pool finds it before
TensorFlow is loaded.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.errors import Misconfigured
from core.gpus import SEAT_TOKEN, VISIBLE, Gpu, choose, host_gpus
from core.settings import Scoring

_SEAT = "STREAKS_SEAT"
CPU = "cpu"


@dataclass(frozen=True)
class Seat:
    """The place of one scoring process.

    Attributes
    ----------
    device : `gpu0`, of a divided GPU `gpu0.1`, or `cpu`.
    told : the device in words.
    visible : what CUDA_VISIBLE_DEVICES must be for it.
    allow_cpu : whether a GPU that the engine can't use may give way to the CPU.
    token : by which a process that was started again is known to be the same worker.
    faults : the file in which the child says why it can't score.
    pulse : the file in which the child tells how it is, every second.
    replaced, replaced_why : how many children were killed before it, and the last one's fault.
    """

    device: str
    told: str
    visible: str
    allow_cpu: bool
    token: str
    faults: str
    pulse: str
    replaced: int = 0
    replaced_why: str = ""

    @property
    def metrics(self) -> Path:
        """The file in which the child keeps its metrics."""
        return Path(self.pulse).with_name("metrics")

    def leave(self) -> None:
        """Leave it for the children that this process starts, and pin them to its device."""
        os.environ[VISIBLE] = self.visible
        os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # a training, or a second worker, may share it
        os.environ[_SEAT] = json.dumps(asdict(self))

    def checked(self, engine_device: str, why_no_gpu: str) -> "Seat":
        """This seat, or the CPU's where the engine found no GPU and that is allowed; else Misconfigured."""
        if self.device == CPU or engine_device != CPU:
            return self
        if not self.allow_cpu:
            raise Misconfigured(
                f"the engine can't use {self.told}: {why_no_gpu}; mend that, or let it score on the CPU with"
                " --allow-cpu"
            )
        return replace(self, device=CPU, told=CPU)

    def complain(self, error: BaseException) -> None:
        """Say why this process can't score, to the one that started it."""
        kind = "" if isinstance(error, Misconfigured) else f"{type(error).__name__}: "
        status = os.EX_CONFIG if isinstance(error, Misconfigured) else 1
        Path(self.faults).write_text(json.dumps({"said": f"{kind}{error}", "status": status}))

    def complaint(self) -> tuple[str, int] | None:
        """What the child said, and the exit status that goes with it; None when it said nothing."""
        text = Path(self.faults).read_text()
        if not text:
            return None
        fault = json.loads(text)
        return str(fault["said"]), int(fault["status"])


def take_seat(settings: Scoring, *, wanted: str | None, folder: Path) -> Seat:
    """The seat for a process that is to score on one device; raises Misconfigured as `choose` does.

    `wanted` names one GPU; none means the first one, or the CPU of a host that has no GPU. Its files are in
    `folder`, which exists.
    """
    devices = choose(wanted, host_gpus(), allow_cpu=settings.allow_cpu)
    if len(devices) > 1:
        raise Misconfigured(
            f"one process scores on one GPU, and {wanted} names {len(devices)}; "
            f"`./streaks worker --gpus {wanted}` starts one for each"
        )
    faults = folder / "faults"
    faults.touch()
    return _seat(devices[0], allow_cpu=settings.allow_cpu, files=(str(faults), str(folder / "pulse")))


def seat_of_this_process() -> Seat:
    """The seat that the process which started this one has left."""
    return Seat(**json.loads(os.environ[_SEAT]))


def _seat(gpu: Gpu | None, *, allow_cpu: bool, files: tuple[str, str]) -> Seat:
    token = os.environ.get(SEAT_TOKEN) or secrets.token_hex(8)
    if gpu is None:
        return Seat(CPU, CPU, "-1", allow_cpu, token, *files)
    return Seat(f"gpu{gpu.index}", str(gpu), gpu.uuid, allow_cpu, token, *files)
