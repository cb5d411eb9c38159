"""Which NVIDIA GPUs this host has, and which of them a scoring worker is to take."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Misconfigured

ALL = "all"
WANTED = re.compile(r"^(all|\d+(\.\d+)?(,\d+(\.\d+)?)*)$")
"""What may be asked for: `all`, or indices such as `0,2`; `0.1` is part 1 of a GPU that is divided (MIG)."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
SEAT_TOKEN = "STREAKS_SEAT_TOKEN"  # noqa: S105  no secret
"""The variable with the token by which a worker that is started again keeps its name."""
LISTING_TIMEOUT_S = 30.0  # a driver that has to wake several GPUs takes some seconds

_GPU = re.compile(r"^GPU (?P<index>\d+): (?P<name>.+) \(UUID: (?P<uuid>GPU-[0-9a-f-]+)\)$")
_PART = re.compile(r"^MIG (?P<name>\S+)\s+Device\s+(?P<index>\d+): \(UUID: (?P<uuid>MIG-\S+)\)$")
_NVIDIA = "0x10de"
_DISPLAY = "0x03"  # PCI's class of display and 3D controllers


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one part of a GPU that is divided: what CUDA can be pinned to.

    Attributes
    ----------
    index : as nvidia-smi counts, `0`; of a part, `0.1`.
    uuid : by which CUDA knows it whatever order it counts in.
    """

    index: str
    uuid: str
    name: str

    def __str__(self) -> str:
        return f"gpu{self.index} ({self.name})"


@dataclass(frozen=True)
class HostGpus:
    """The GPUs that this process may use.

    Attributes
    ----------
    fault : why none can be used although the host has an NVIDIA device; else None.
    hidden : whether there are some and CUDA_VISIBLE_DEVICES, set by somebody on purpose, holds none of them.
    said : what the listing program said when it failed.
    """

    gpus: tuple[Gpu, ...] = ()
    fault: str | None = None
    hidden: bool = False
    said: str = ""


def host_gpus(environment: Mapping[str, str] = os.environ, *, root: Path = Path("/")) -> HostGpus:
    """Look, by `nvidia-smi -L`, or by the driver's own list where that program is missing or fails.

    A host has a GPU when either lists one, when there is a /dev/nvidia0, or when an NVIDIA display or 3D
    controller is on the PCI bus: a driver that is broken is then told from a host that needs none.
    """
    listed, said = _listed_by_program(environment.get("PATH"))
    gpus = listed or list(_listed_by_driver(root))
    if gpus:
        given = environment.get(VISIBLE)
        usable = tuple(_visible(gpus, given))
        if usable or _hides_all(given):
            return HostGpus(usable, hidden=not usable)
        there = ", ".join(map(str, gpus))
        return HostGpus(fault=f"{VISIBLE} is {given!r}, which names none of {there}")
    device = next(_traces(root), None)
    if device is None:
        return HostGpus(said=said)
    if _hides_all(environment.get(VISIBLE)):
        return HostGpus(hidden=True, said=said)
    reason = f"nvidia-smi says: {said}" if said else "nvidia-smi lists none"
    return HostGpus(
        fault=f"this host has an NVIDIA device ({device}), and its driver shows no GPU; {reason}", said=said
    )


def choose(wanted: str | None, host: HostGpus, *, allow_cpu: bool) -> list[Gpu | None]:
    """The devices to score on, one process each; None is the CPU.

    Without a wish it is the first GPU, or the CPU of a host that has none. Raises Misconfigured when GPUs
    are wished for or there, and can't be used, unless the CPU is allowed; for a wrong index in any case.
    """
    if host.gpus:
        return list(_named(wanted, host.gpus)) if wanted else [host.gpus[0]]
    if allow_cpu or (wanted is None and host.fault is None):
        return [None]
    why = host.fault or _absent(host)
    asked = f"GPUs {wanted} were asked for: " if wanted else ""
    raise Misconfigured(f"{asked}{why}; mend that, or let it score on the CPU with --allow-cpu")


def _absent(host: HostGpus) -> str:
    if host.hidden:
        return f"{VISIBLE} hides all GPUs of this host"
    said = f" (nvidia-smi says: {host.said})" if host.said else ""
    return f"this host has no NVIDIA GPU{said}"


def _named(wanted: str, gpus: Sequence[Gpu]) -> Iterator[Gpu]:
    """The GPUs of a wish, each once; the index of a divided GPU means all its parts."""
    if wanted == ALL:
        yield from gpus
        return
    taken: set[str] = set()
    for index in wanted.split(","):
        found = [gpu for gpu in gpus if gpu.index == index or gpu.index.startswith(f"{index}.")]
        if not found:
            there = ", ".join(map(str, gpus))
            raise Misconfigured(f"GPU {index} was asked for, and this process may use {there}")
        yield from (gpu for gpu in found if gpu.index not in taken)
        taken |= {gpu.index for gpu in found}


def _listed_by_program(path: str | None) -> tuple[list[Gpu], str]:
    """The GPUs that nvidia-smi lists, and what it said where it lists none."""
    program = shutil.which("nvidia-smi", path=path)
    if program is None:
        return [], ""
    try:
        ran = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=LISTING_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"nothing within {LISTING_TIMEOUT_S:.0f} s"
    except OSError as error:
        return [], str(error)
    gpus = _parsed(ran.stdout) if ran.returncode == 0 else []
    return gpus, "" if gpus else " ".join((ran.stdout + ran.stderr).split())[:300]


def _parsed(listing: str) -> list[Gpu]:
    """The GPUs of `nvidia-smi -L`; of one that is divided its parts, which are all that CUDA uses of it."""
    found: list[Gpu] = []
    divided: Gpu | None = None
    for line in listing.splitlines():
        if gpu := _GPU.match(line.strip()):
            found.append(divided := Gpu(gpu["index"], gpu["uuid"], gpu["name"]))
        elif divided is not None and (part := _PART.match(line.strip())):
            if found[-1] is divided:
                found.pop()
            index, name = f"{divided.index}.{part['index']}", f"{divided.name} {part['name']}"
            found.append(Gpu(index, part["uuid"], name))
    return found


def _listed_by_driver(root: Path) -> Iterator[Gpu]:
    """The GPUs by the driver's files, in the order of their PCI addresses, as nvidia-smi counts."""
    for index, file in enumerate(sorted(root.glob("proc/driver/nvidia/gpus/*/information"))):
        fields = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
        uuid = fields.get("GPU UUID", "").strip()
        yield Gpu(str(index), uuid or str(index), fields.get("Model", "NVIDIA GPU").strip())


def _traces(root: Path) -> Iterator[str]:
    """What shows that an NVIDIA device is there, driver or not."""
    for device in sorted(root.glob("dev/nvidia[0-9]*")):
        yield f"/{device.relative_to(root)}"
    for device in sorted(root.glob("sys/bus/pci/devices/*")):
        vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        if vendor == _NVIDIA and kind.startswith(_DISPLAY):
            yield f"PCI {device.name}"


def _visible(gpus: Sequence[Gpu], given: str | None) -> list[Gpu]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in the host's order; by index or by the begin of a UUID.

    As CUDA does, what follows an entry that names nothing is left out.
    """
    if given is None:
        return list(gpus)
    kept: set[str] = set()
    for entry in filter(None, (entry.strip() for entry in given.split(","))):
        found = {g.uuid for g in gpus if entry == g.index.partition(".")[0] or g.uuid.startswith(entry)}
        if not found:
            break
        kept |= found
    return [gpu for gpu in gpus if gpu.uuid in kept]


def _hides_all(given: str | None) -> bool:
    return given is not None and given.strip() in ("", "-1", "NoDevFiles", "void", "none")
