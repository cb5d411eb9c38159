"""Full difference images: opening them, catalogues of places on them, and stamps cut out around those.

What a stamp is turned into is the recipe's (`cutouts.fits_recipe`). Nothing here finds streaks.
"""

from cutouts.full_images.catalogue import read_catalogue
from cutouts.full_images.cut_night import Cut, cut_night
from cutouts.full_images.full_image import mjd_of, open_full_image

__all__ = ["Cut", "cut_night", "mjd_of", "open_full_image", "read_catalogue"]
