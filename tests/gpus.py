"""A host with GPUs, as its listing program and its driver's files report it."""

from pathlib import Path

H100S = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-8a5c2f3e-1b2d-4c5e-9f00-1f2e3d4c5b60)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-0b1c2d3e-1b2d-4c5e-9f00-1f2e3d4c5b61)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-77777777-1b2d-4c5e-9f00-1f2e3d4c5b62)
"""


def path_with_listing(folder: Path, prints: str, *, status: int = 0) -> str:
    """A PATH on which `nvidia-smi` prints this, and nothing else is."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] || exit 2\nprintf '%s' '{prints}'\nexit {status}\n")
    program.chmod(0o755)
    return str(folder)
