"""The environment of the peers: their locked requirements, apart from the service's."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "bench-peers.txt"
STAMP = ".installed-bench-peers"


def installed(folder: Path, *, install: bool) -> Path | None:
    """The Python of an environment that holds what the lock names, made and filled first if that is wanted.

    None where it is not there. Raises CalledProcessError when pip can't install it.
    """
    python, stamp = folder / "bin" / "python", folder / STAMP
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not install:
        return None
    print(f"  installing {LOCK.relative_to(ROOT)} into {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(LOCK)]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    stamp.write_text(wanted)
    return python
