"""Model versions as files: into the registry and out of it."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.client import Client
from cli.local.programs import ROOT
from core.errors import InvalidRequest

CARD, WEIGHTS = "card.json", "weights.npz"
FORMS = ("bundle", "keras", "savedmodel", "onnx")


def import_model(
    client: Client,
    path: Path,
    *,
    architecture: Path | None,
    version: str | None,
    threshold: float,
    recipe: str | None = None,
    classes: str | None = None,
) -> dict[str, Any]:
    """Register a bundle's folder, the predecessors' files, or, by its recipe, any network, as a candidate.

    Returns its card.

    A process of `models` reads the files and checks weights against architecture before anything is sent.
    Raises InvalidRequest with what it said.
    """
    if path.is_dir():
        _models("check", str(path))
        return client.models.add(_archive(path))
    if version is None:
        raise InvalidRequest(f"no version for {path.name}; expected --version, such as rb@9")
    words = ["--version", version, "--threshold", str(threshold)]
    if recipe is None:
        words += ["--architecture", str(architecture)] if architecture else []
        words = ["import-published", "--weights", str(path), *words]
    else:
        words += ["--classes", classes] if classes else []
        words = ["import", str(path), "--recipe", recipe, *words]
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        _models(*words, "--out", folder)
        return client.models.add(_archive(Path(folder)))


def export_model(client: Client, version: str, out: Path, *, form: str) -> Path:
    """Write a registered version below a folder, in one of FORMS; returns what was written.

    Raises InvalidRequest when it can't be written.
    """
    if form == "bundle":
        return fetch_bundle(client, version, out)
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        fetch_bundle(client, version, Path(folder))
        return Path(_models("export", folder, "--form", form, "--out", str(out)).strip())


def fetch_bundle(client: Client, version: str, folder: Path) -> Path:
    """Write a version's card and weights to a folder, as `models` reads them."""
    card, weights = client.models.get(version), client.models.weights(version)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
        (folder / WEIGHTS).write_bytes(weights)
    except OSError as error:
        raise InvalidRequest(f"{folder} can't be written: {error.strerror}") from error
    return folder


def _archive(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in (CARD, WEIGHTS):
            archive.write(folder / name, name)
    return buffer.getvalue()


def _models(*words: str) -> str:
    """What a process of `models` printed; raises InvalidRequest with its reason when it fails."""
    done = _process(words)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"models {words[0]} exited with {done.returncode}"]
        raise InvalidRequest(said[-1].removeprefix("error: "))
    return done.stdout


def _process(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environ = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    command = [sys.executable, "-m", "models", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
