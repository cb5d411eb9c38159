"""Network architectures by name, untrained, in Keras 3 and neutral to its backend.

All take (n, 144, 144, 1) float in 0..1 and give (n, 1) probabilities. Weights live in bundles.
"""

from collections.abc import Callable

import keras

from core.errors import Misconfigured
from models.architectures.densenet121 import densenet121
from models.architectures.resnet50 import resnet50
from models.architectures.vgg6 import vgg6

ARCHITECTURES: dict[str, Callable[[], keras.Model]] = {
    "densenet121": densenet121,
    "resnet50": resnet50,
    "vgg6": vgg6,
}


def build(name: str) -> keras.Model:
    """Build an untrained network; raises Misconfigured for a name that is not in ARCHITECTURES."""
    if name not in ARCHITECTURES:
        raise Misconfigured(f"no architecture {name!r}; expected one of {', '.join(sorted(ARCHITECTURES))}")
    return ARCHITECTURES[name]()
