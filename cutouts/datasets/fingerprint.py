"""What makes two data sets one: the same contents, labels, splits and seed."""

import hashlib
import json
from collections.abc import Iterable

from core.dataset import LabelledCutout


def fingerprint(
    items: Iterable[LabelledCutout], *, classifier: str, classes: tuple[str, str], seed: int
) -> str:
    """64 hex digits; the order of the items does not matter."""
    digest = hashlib.sha256(json.dumps([classifier, classes, seed]).encode())
    for item in sorted(items, key=lambda item: item.sha256):
        told = [item.sha256, item.id, item.label, item.split, item.night]
        digest.update(json.dumps(told).encode() + b"\n")
    return digest.hexdigest()
