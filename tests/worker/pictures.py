"""Pictures that decode well."""

import io

import numpy as np
from PIL import Image


def noisy_png(seed: int, *, shape: tuple[int, int] = (157, 157)) -> bytes:
    """A PNG of sky noise, the same for the same seed."""
    grey = np.random.default_rng(seed).normal(204, 20, shape).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()
