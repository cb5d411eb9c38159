"""Is this machine fit to run the service? Every fault at once, each with the exact line that cures it.

Run by the launcher before anything is installed, with the Python that is there: standard library only, and
nothing newer than Python 3.8. `observe` looks at the machine, `faults` judges what it saw.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

GB = 10**9
PYTHONS = ((3, 11), (3, 13))
DISK_TO_INSTALL = 4 * GB
DISK_TO_RUN = 1 * GB
MEMORY = 3 * GB
GLIBC_OF_MONGOD = (2, 34)
LIBRARIES_OF_MONGOD = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}
RENAMED_FOR_64_BIT_TIME = ("libcurl4", "libssl3")  # libcurl4t64, libssl3t64 since Debian 13 and Ubuntu 24.04


@dataclass(frozen=True)
class Machine:
    """What matters of a machine. Sizes are bytes."""

    root: Path
    python: tuple[int, int]
    python_name: str
    has_venv: bool
    environment_made: bool
    root_writable: bool
    needs_mongod: bool
    missing_libraries: tuple[str, ...]
    disk_free: int
    memory_available: int
    architecture: str
    cpu_flags: frozenset[str]
    glibc: tuple[int, int]
    distribution: str
    distribution_version: float
    is_root: bool


@dataclass(frozen=True)
class Fault:
    """One thing that is missing, and the line that cures it. A warning does not stop the installation."""

    what: str
    cure: str
    packages: tuple[str, ...] = ()
    is_warning: bool = False


def observe(root: Path) -> Machine:
    """Look at the machine that this runs on."""
    distribution, version = _distribution()
    return Machine(
        root=root,
        python=sys.version_info[:2],
        python_name=Path(sys.executable).name,
        has_venv=all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        environment_made=(root / ".venv" / "bin" / "python").exists(),
        root_writable=os.access(root, os.W_OK),
        needs_mongod=needs_mongod(root, dict(os.environ)),
        missing_libraries=tuple(name for name in LIBRARIES_OF_MONGOD if not _loads(name)),
        disk_free=shutil.disk_usage(root).free,
        memory_available=memory_available(),
        architecture=platform.machine(),
        cpu_flags=_cpu_flags(),
        glibc=_glibc(),
        distribution=distribution,
        distribution_version=version,
        is_root=os.geteuid() == 0,
    )


def faults(machine: Machine) -> list[Fault]:
    """Everything that is wrong with the machine, what stops the installation first."""
    found = [
        *_python_faults(machine),
        *_tree_faults(machine),
        *_mongod_faults(machine),
        *_hardware_faults(machine),
    ]
    return sorted(found, key=lambda fault: fault.is_warning)


def needs_mongod(root: Path, environment: dict[str, str]) -> bool:
    """Whether the bundled mongod will have to run: no URL is set, and there is none on PATH."""
    if environment.get("DA_MONGO_URL") or shutil.which("mongod", path=environment.get("PATH")):
        return False
    try:
        return not json.loads((root / "config.json").read_text("utf-8")).get("mongo_url")
    except (OSError, ValueError, AttributeError):
        return True


def _python_faults(machine: Machine) -> list[Fault]:
    version = ".".join(map(str, machine.python))
    if not PYTHONS[0] <= machine.python <= PYTHONS[1]:
        first = {"debian": 12.0, "ubuntu": 24.04}.get(machine.distribution)
        has_one = first is not None and machine.distribution_version >= first
        cure = _install(machine, "python3", "python3-venv")
        if not has_one or machine.python > PYTHONS[1]:
            cure = f"DA_PYTHON=/path/to/python3.12 {machine.root / 'streaks'}   (with your path)"
        return [Fault(f"Python 3.11, 3.12 or 3.13 is needed; {machine.python_name} is {version}", cure)]
    if machine.environment_made or machine.has_venv:
        return []
    package = "python3-venv" if machine.python_name == "python3" else f"python{version}-venv"
    what = f"Python's modules venv and ensurepip are missing for {machine.python_name} ({version})"
    return [Fault(what, _install(machine, package), (package,))]


def _tree_faults(machine: Machine) -> list[Fault]:
    found = []
    if not machine.root_writable:
        what = f"{machine.root} is read-only for you; .venv/ and .state/ are made there"
        cure = f"cp -r '{machine.root}' ~/deep-asteroids && ~/deep-asteroids/streaks"
        found.append(Fault(what, cure))
    needed = DISK_TO_RUN if machine.environment_made else DISK_TO_INSTALL
    if machine.disk_free < needed:
        free = f"{machine.disk_free / GB:.1f} GB are free, {needed / GB:.0f} GB are needed"
        cure = (
            f"free some there (du -xh '{machine.root}' | sort -h | tail), or move the tree to a larger disk"
        )
        found.append(Fault(f"the disk of {machine.root} is too full: {free}", cure))
    return found


def _mongod_faults(machine: Machine) -> list[Fault]:
    if not machine.needs_mongod:
        return []
    if machine.glibc < GLIBC_OF_MONGOD:
        has = ".".join(map(str, machine.glibc)) if machine.glibc > (0, 0) else "another C library"
        what = f"the bundled mongod needs glibc 2.34 or newer; this system has {has}"
        return [Fault(what, "export DA_MONGO_URL=mongodb://USER:PASSWORD@HOST/?replicaSet=NAME")]
    packages = {LIBRARIES_OF_MONGOD[name]: name for name in machine.missing_libraries}
    found = []
    for package, library in packages.items():
        name = _package_name(machine, package)
        found.append(Fault(f"{library} is missing; mongod needs it", _install(machine, name), (name,)))
    return found


def _hardware_faults(machine: Machine) -> list[Fault]:
    found = []
    if machine.architecture not in ("x86_64", "AMD64"):
        what = f"the locked requirements are for x86-64; this machine is {machine.architecture}"
        found.append(Fault(what, "use an x86-64 machine", is_warning=machine.environment_made))
    elif machine.cpu_flags and "avx2" not in machine.cpu_flags:
        what = "the processor has no AVX2: TensorFlow will be slow, or not run at all"
        found.append(
            Fault(what, "use a processor with AVX2 (Intel since 2013, AMD since 2015)", is_warning=True)
        )
    if machine.memory_available < MEMORY:
        what = (
            f"{machine.memory_available / GB:.1f} GB of memory are available, {MEMORY / GB:.0f} GB are wanted"
        )
        found.append(Fault(what, "end other programs (ps aux --sort -rss | head)", is_warning=True))
    return found


def _install(machine: Machine, *packages: str) -> str:
    names = " ".join(packages)
    if machine.distribution not in ("debian", "ubuntu"):
        return f"install what your system calls {names} (Debian: apt-get install {names})"
    return f"{'' if machine.is_root else 'sudo '}apt-get install {names}"


def _package_name(machine: Machine, package: str) -> str:
    since = {"debian": 13.0, "ubuntu": 24.04}.get(machine.distribution)
    renamed = since is not None and machine.distribution_version >= since
    return f"{package}t64" if renamed and package in RENAMED_FOR_64_BIT_TIME else package


def _distribution() -> tuple[str, float]:
    """As /etc/os-release says, such as ("debian", 12.0); version 0 where it says none."""
    try:
        lines = Path("/etc/os-release").read_text("utf-8").splitlines()
    except OSError:
        return platform.system().lower(), 0.0
    facts = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
    try:
        return facts.get("ID", ""), float(facts.get("VERSION_ID", "0"))
    except ValueError:
        return facts.get("ID", ""), 0.0


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def memory_available() -> int:
    """What the kernel, and the control group we are in, would still give; very much where neither says."""
    sizes = [2**60]
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        sizes += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        pass
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text("ascii"))
        sizes.append(limit - int((group / "memory.current").read_text("ascii")))
    except (OSError, ValueError):  # no control group, or no limit ("max")
        pass
    return min(sizes)


def _cpu_flags() -> frozenset[str]:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


def _glibc() -> tuple[int, int]:
    """Its version; (0, 0) for another C library."""
    name, version = platform.libc_ver()
    numbers = version.split(".")
    if name != "glibc" or len(numbers) < 2:
        return (0, 0)
    return (int(numbers[0]), int(numbers[1]))


def main(root: Path) -> int:
    """Tell every fault on standard error; 1 when something stops the installation."""
    machine = observe(root)
    found = faults(machine)
    for fault in found:
        kind = "warning" if fault.is_warning else "missing"
        print(f"{kind}: {fault.what}\n    cure: {fault.cure}", file=sys.stderr)
    packages = [package for fault in found for package in fault.packages]
    if len(packages) > 1:
        print(f"all packages at once:\n    {_install(machine, *packages)}", file=sys.stderr)
    return 0 if all(fault.is_warning for fault in found) else 1


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
