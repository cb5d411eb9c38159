"""Images with their labels, in memory."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cutouts.simulator import Truth


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images, (n, 144, 144, 1) uint8, and labels, (n,) uint8 of 0 and 1.

    Of simulated images there are truths, of files names; each list is whole or empty.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    truths: list[Truth] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
