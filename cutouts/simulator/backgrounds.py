"""Somebody's own difference cutouts, as the sheets that streaks are drawn on instead of a simulated sky."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core.errors import InvalidRequest
from cutouts.simulator.scene import SIZE_PX, Plane

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
MASK_GREYS = (204, 224)
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Backgrounds:
    """Planes, (n, 157, 157) float32, sigmas of the sky, NaN where the survey masked."""

    planes: NDArray[np.float32]

    def pick(self, rng: np.random.Generator) -> Plane:
        """One of them, turned by one of the eight symmetries of the square."""
        plane = np.rot90(self.planes[rng.integers(len(self.planes))], int(rng.integers(4)))
        return np.array(plane.T if rng.random() < 0.5 else plane)


def read_backgrounds(folder: Path) -> Backgrounds:
    """Read every JPEG and PNG below a folder by the survey's stretch, grey = 255 (1 - (z + 2.5) / 12.5).

    Raises InvalidRequest, naming them, for images that are not 157 x 157 pixels or can't be read, and for a
    folder that holds none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    planes: list[Plane] = []
    unfit: list[str] = []
    for path in files:
        try:
            with Image.open(path) as image:
                if image.size == (SIZE_PX, SIZE_PX):
                    planes.append(_plane(np.asarray(image.convert("L"))))
                else:
                    unfit.append(f"{path.name} ({image.width} x {image.height})")
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
            unfit.append(f"{path.name} ({type(error).__name__})")
    if unfit:
        more = f" and {len(unfit) - _NAMED} more" if len(unfit) > _NAMED else ""
        raise InvalidRequest(
            f"{len(unfit)} of {len(files)} images in {folder} are no backgrounds: "
            f"{', '.join(unfit[:_NAMED])}{more}; expected difference cutouts of {SIZE_PX} x {SIZE_PX} pixels"
        )
    if not planes:
        raise InvalidRequest(f"no JPEG or PNG in {folder}; expected difference cutouts to draw streaks on")
    return Backgrounds(np.stack(planes))


def _plane(grey: NDArray[np.uint8]) -> Plane:
    """Grey as sigmas; what is one flat grey over 3 x 3 pixels, of those that masks have, is masked."""
    z: Plane = (np.float32(204) - grey.astype(np.float32)) / np.float32(20.4)
    low, high = MASK_GREYS
    inner = np.lib.stride_tricks.sliding_window_view(grey, (3, 3))
    flat = (inner.max(axis=(2, 3)) == inner.min(axis=(2, 3))) & (inner[:, :, 1, 1] >= low)
    flat &= inner[:, :, 1, 1] <= high
    for row, column in np.argwhere(flat):
        z[row : row + 3, column : column + 3] = np.nan
    return z
