"""Make `.venv` and install the locked requirements into it, once. Run by the launcher; standard library only.

`.venv/.installed-LOCK` holds the sha256 of the lock that was installed, so that an installation whose lock
has changed is brought up to date. It is written last. `.venv/.installing` is there while pip runs: a pip that
was killed leaves it, and half a package that the next pip would take for a whole one; then all is made anew.
"""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

HEARTBEAT_S = 20.0
LOCKS = {"run": ("requirements.txt",), "test": ("requirements-dev.txt", "requirements.txt")}
BUILDERS = "requirements/build.txt"
"""What builds the packages that come as source; pip by itself would fetch the newest, whatever it is."""


def stamp_path(root: Path, lock: str) -> Path:
    """Where it is noted that this lock is installed."""
    return root / ".venv" / f".installed-{lock}"


def digest(root: Path, lock: str) -> str:
    """What the stamp holds when it is: the lock's sha256 in hexadecimal digits."""
    return hashlib.sha256((root / lock).read_bytes()).hexdigest()


def is_installed(root: Path, lock: str) -> bool:
    """Whether exactly this lock was installed to the end."""
    try:
        stamped = stamp_path(root, lock).read_text("ascii").strip()
        return stamped == digest(root, lock) and (root / ".venv" / "bin" / "python").exists()
    except OSError:
        return False


def install(root: Path, purpose: str) -> int:
    """Install for "run" or "test"; returns 0, or 1 after saying what failed and what to do.

    The lock for tests holds everything of the other one, so it counts for both.
    """
    locks = LOCKS[purpose]
    with _one_at_a_time(root):
        if is_installed(root, locks[0]):
            return 0
        for lock in locks:
            stamp_path(root, lock).unlink(missing_ok=True)
        began = time.monotonic()
        _say(f"installing {locks[0]} into .venv (about 600 MB to fetch; 2 to 10 minutes, once)")
        if not (_make_environment(root) and all(_pip_install(root, lock) for lock in (BUILDERS, locks[0]))):
            return 1
        for lock in locks:
            stamp_path(root, lock).write_text(digest(root, lock) + "\n", "ascii")
        _say(f"installed after {time.monotonic() - began:.0f} s")
    return 0


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Wait while another launcher installs into the same tree."""
    state = root / ".state"
    state.mkdir(mode=0o700, exist_ok=True)
    with (state / "install.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is installing; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_environment(root: Path) -> bool:
    if _mark(root).exists():
        _say("the last installation was interrupted; beginning afresh")
    elif _is_usable(root / ".venv" / "bin" / "python"):
        return True
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(root / ".venv")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        _say(f"the virtual environment can't be made:\n{made.stdout.strip()}")
    return made.returncode == 0


def _is_usable(python: Path) -> bool:
    """Whether it runs, has pip and is of a version that we support."""
    question = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    try:
        return subprocess.run([python, "-c", question], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _mark(root: Path) -> Path:
    return root / ".venv" / ".installing"


def _pip_install(root: Path, lock: str) -> bool:
    log = root / ".venv" / "install.log"
    command = [
        str(root / ".venv" / "bin" / "python"),
        *("-m", "pip", "install", "--require-hashes", "--no-deps"),  # the lock is complete
        *("--no-build-isolation", "--no-input", "--disable-pip-version-check"),
        *("--progress-bar", "off", "-r", str(root / lock)),
    ]
    lines: list[str] = []
    _mark(root).touch()
    with (
        log.open("w" if lock == BUILDERS else "a", encoding="utf-8") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip,
    ):
        assert pip.stdout is not None  # noqa: S101
        reader = threading.Thread(target=_copy, args=(pip.stdout, file, lines), daemon=True)
        reader.start()
        try:
            _tell_progress(reader, lines)
            status = pip.wait()
        except BaseException:
            pip.terminate()
            reader.join()
            raise
    _mark(root).unlink()
    if status != 0:
        last = "\n".join(lines[-12:])
        _say(f"pip failed (exit status {status}); it said:\n{last}")
        _say(
            f"all that it said is in {log}; with the network and the disk in order, the same command goes on"
        )
    return status == 0


def _copy(source: IO[str], log: IO[str], lines: list[str]) -> None:
    for line in source:
        log.write(line)
        lines.append(line.rstrip())


def _tell_progress(reader: threading.Thread, lines: list[str]) -> None:
    """Say now and then what pip is at, until it has said its last."""
    began = time.monotonic()
    while reader.is_alive():
        reader.join(HEARTBEAT_S)
        if reader.is_alive():
            _say(f"  {time.monotonic() - began:4.0f} s  {_doing(lines)}")


def _doing(lines: list[str]) -> str:
    """What pip is at, in a person's words, by what it said last."""
    for line in reversed(lines):
        words = line.split()
        if line.startswith("Installing collected packages"):
            return f"unpacking {line.count(',') + 1} packages"
        if words[:1] == ["Collecting"]:
            return f"fetching {words[1]}"
    return "beginning"


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    try:
        sys.exit(install(Path(__file__).resolve().parent.parent, sys.argv[1]))
    except KeyboardInterrupt:
        _say("interrupted; the next start installs again")
        sys.exit(130)
