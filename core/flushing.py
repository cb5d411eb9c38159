"""What makes the names in a folder safe from a power cut, as `fsync` of a file does for its bytes."""

import os
from pathlib import Path


def flush_folder(path: Path) -> None:
    """Make a rename in a folder durable: without it the name may be lost, though the bytes are not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
