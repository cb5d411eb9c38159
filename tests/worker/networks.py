"""Small networks with random weights, registered as versions."""

from pathlib import Path

import keras

from core.model_card import ModelCard
from models.architectures import build
from models.bundle import read_weights, write_bundle


def random_bundle(folder: Path, version: str, *, seed: int) -> tuple[ModelCard, bytes]:
    """A VGG6 with random weights, as a card and the bytes of its weights."""
    keras.utils.set_random_seed(seed)
    card = write_bundle(folder / version, build("vgg6"), version=version, architecture="vgg6")
    return card, read_weights(folder / version)
