"""Frozen data sets as arrays: whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from core.dataset import LabelledCutout
from core.errors import InvalidRequest, NotFound
from cutouts.decode import decode
from models.training.dataset_images import frozen_images
from storage.blobs import BlobStore, sha256_of
from tests.images import jpeg


def stored(blobs: BlobStore, *contents: bytes) -> list[LabelledCutout]:
    return [
        LabelledCutout(f"id{n}", blobs.put(data), n % 2, "train", None) for n, data in enumerate(contents)
    ]


def test_images_come_in_the_order_of_the_items(tmp_path: Path) -> None:
    blobs = BlobStore(f"file://{tmp_path}")
    contents = [jpeg(n, width=40, height=50) for n in range(9)]
    read = frozen_images(blobs, iter(stored(blobs, *contents)))
    assert read.images.dtype == np.uint8
    assert np.array_equal(read.images, np.stack([decode(data) for data in contents]))
    assert read.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_what_cannot_be_read_is_named_and_nothing_is_left_out(tmp_path: Path) -> None:
    blobs = BlobStore(f"file://{tmp_path}")
    whole = stored(blobs, jpeg(0), jpeg(1))
    with pytest.raises(InvalidRequest, match="id2 of the data set can't be read: decode: not_an_image"):
        frozen_images(blobs, stored(blobs, jpeg(0), jpeg(1), b"no image"))
    with pytest.raises(InvalidRequest, match="1 labelled images hold one class; expected both"):
        frozen_images(blobs, whole[:1])
    with pytest.raises(InvalidRequest, match="0 labelled images"):
        frozen_images(blobs, [])
    blobs.delete(sha256_of(jpeg(1)))
    with pytest.raises(NotFound, match="not in the store"):
        frozen_images(blobs, whole)
