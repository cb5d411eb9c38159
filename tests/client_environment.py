"""The Python client as its users have it: in an empty environment, its documentation as scripts."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "clients" / "python"
README = CLIENT / "README.md"


def empty_environment(folder: Path) -> Path:
    """The interpreter of a new environment that has the client, and what it needs from the package index."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", CLIENT],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return python


def python_blocks(document: Path) -> list[str]:
    """The Python of a Markdown document, in order."""
    return re.findall(r"^```python\n(.*?)^```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run_script(
    python: Path, script: str, *words: str | Path, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run a script from another folder; of the service's variables it has these alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DA_", "PYTHON"))}
    return subprocess.run(
        [python, "-c", script, *words],
        cwd=python.parent,
        env=inherited | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
