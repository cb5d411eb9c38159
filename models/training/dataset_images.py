"""A frozen data set as arrays in memory."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from core.dataset import LabelledCutout
from core.errors import CutoutRejected, InvalidRequest
from cutouts.decode import decode
from cutouts.recipes import SIZE_PX, Pixels
from models.training.labelled_images import LabelledImages
from storage.blobs import BlobStore

THREADS = 4
_AT_ONCE = 1024


def frozen_images(
    blobs: BlobStore,
    items: Iterable[LabelledCutout],
    recipe: str = "deepstreaks-1",
    *,
    on_part: Callable[[], None] = lambda: None,
) -> LabelledImages:
    """Images, (n, 144, 144, 1) uint8, by the recipe, in the order of the items, and their labels.

    `on_part` is called every thousand images, and may raise to end it.

    Raises InvalidRequest when one class is empty or an image does not decode, NotFound when its bytes are
    gone or damaged: a frozen data set is read whole or not at all.
    """
    wanted = list(items)
    labels = np.array([item.label for item in wanted], np.uint8)
    if len(set(labels.tolist())) < 2:
        raise InvalidRequest(f"{len(wanted)} labelled images hold one class; expected both")
    images = np.empty((len(wanted), SIZE_PX, SIZE_PX, 1), np.uint8)

    def read(item: LabelledCutout) -> Pixels:
        try:
            return decode(blobs.get(item.sha256), recipe=recipe)
        except CutoutRejected as error:
            raise InvalidRequest(f"{item.id} of the data set can't be read: {error}") from error

    with ThreadPoolExecutor(THREADS, thread_name_prefix="images") as threads:
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            for n, pixels in enumerate(threads.map(read, part), start):
                images[n] = pixels
            on_part()
    return LabelledImages(images, labels)
