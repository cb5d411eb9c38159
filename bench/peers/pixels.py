"""From a JPEG to what the networks see, for contenders: Pillow and the recipe, without any checks."""

import io

from PIL import Image

from cutouts.recipes import Pixels, deepstreaks_1


def read_pixels(data: bytes) -> Pixels:
    """(144, 144, 1) uint8."""
    with Image.open(io.BytesIO(data)) as image:
        return deepstreaks_1(image)
