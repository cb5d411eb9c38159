"""Where a row of a catalogue is, on the image and on the sky."""

from dataclasses import dataclass

from core.errors import CutoutRejected
from cutouts.full_images.full_image import FullImage


@dataclass(frozen=True)
class Place:
    """Pixels counted from 0, position in degrees; None for what is not known."""

    x: float | None = None
    y: float | None = None
    ra: float | None = None
    dec: float | None = None

    @property
    def pixel(self) -> tuple[float, float]:
        """(x, y); raises CutoutRejected where the image does not reach."""
        if self.x is None or self.y is None:
            raise CutoutRejected(
                "cut", "off_image", f"({self.ra}, {self.dec}) degrees; expected a place on the image"
            )
        return self.x, self.y


NOWHERE = Place()


def place_of(image: FullImage, given: tuple[float, float], *, on_sky: bool) -> Place:
    """The place of (ra, dec) in degrees where `on_sky`, else of (x, y) counted from 0."""
    if on_sky:
        ra, dec = given[0] % 360, given[1]
        x, y = (image.sky and image.sky.to_pixels(ra, dec)) or (None, None)
        return Place(x, y, ra, dec)
    position = (image.sky and image.sky.to_sky(*given)) or (None, None)
    return Place(*given, position[0], position[1])
