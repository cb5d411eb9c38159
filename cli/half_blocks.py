"""A grey picture as text: two pixels to a character, for terminals with colours."""

import numpy as np
from numpy.typing import NDArray

_UPPER_HALF = "\u2580"


def half_blocks(grey: NDArray[np.uint8], *, width: int) -> str:
    """An (h, w) picture in at most `width` columns; each character shows one pixel above another."""
    step = max(1, -(-grey.shape[1] // max(width, 1)))
    rows, columns = (side // step for side in grey.shape)
    small = grey[: rows * step, : columns * step].reshape(rows, step, columns, step).mean((1, 3)).astype(int)
    lines = []
    for upper, lower in zip(small[::2], small[1::2], strict=False):
        cells = (_cell(int(above), int(below)) for above, below in zip(upper, lower, strict=True))
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


def _cell(above: int, below: int) -> str:
    return f"\x1b[38;5;{_shade(above)};48;5;{_shade(below)}m{_UPPER_HALF}"


def _shade(grey: int) -> int:
    """One of the 24 greys of the 256 colours that terminals have."""
    return 232 + min(23, grey * 24 // 256)
