"""A candidate to promote or to rescore with, made without a training."""

import hashlib
import io

import numpy as np

from core.model_card import ModelCard, Weights
from storage.record import Record


def add_candidate(record: Record, version: str) -> str:
    """Register a copy of a version whose last bias is a little higher, so that its scores differ."""
    card = record.models.get(version)
    assert card is not None
    with np.load(io.BytesIO(record.models.weights(card)), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    last = list(arrays)[-1]
    arrays[last] = arrays[last] + np.asarray(0.25, arrays[last].dtype)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    weights = Weights(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), dtype=card.weights.dtype)
    candidate = record.models.next_version(card.classifier)
    changed: dict[str, object] = {"version": candidate, "weights": weights, "metrics": {}}
    record.models.register(ModelCard.model_validate(card.model_copy(update=changed).model_dump()), data)
    return candidate
