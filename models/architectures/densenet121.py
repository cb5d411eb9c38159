"""The DenseNet121 of DeepStreaks (MNRAS 486, 4158), after Huang et al. 2016, arXiv:1608.06993."""

from typing import Any

import keras
from keras import layers

INPUT_SHAPE = (144, 144, 1)

GROWTH = 32
BATCH_NORM_EPSILON = 1.001e-5
BATCH_NORM_MOMENTUM = 0.2

STAGES = (
    # number, blocks, channels after the transition that follows
    (2, 6, 128),
    (3, 12, 256),
    (4, 24, 512),
    (5, 16, None),
)


def densenet121() -> keras.Model:
    """Untrained DenseNet121: (n, 144, 144, 1) float in 0..1 to (n, 1) probability; 7,032,257 parameters."""
    image = keras.Input(INPUT_SHAPE, name="image")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = _normalise(x, "conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, blocks, transition in STAGES:
        for n in range(blocks):
            x = _dense_block(x, f"conv{stage}_block{n + 1}")
        if transition is not None:
            x = _normalise(x, f"pool{stage}")
            x = layers.Conv2D(transition, 1, use_bias=False, name=f"pool{stage}_conv")(x)
            x = layers.AveragePooling2D(2, name=f"pool{stage}_pool")(x)
    x = _normalise(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    score = layers.Dense(1, activation="sigmoid", dtype="float32", name="fc_out")(x)
    return keras.Model(image, score, name="densenet121")


def _dense_block(x: Any, name: str) -> Any:
    """GROWTH new channels, by way of 1x1 and 3x3, beside all that came before."""
    new = _normalise(x, f"{name}_0")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = _normalise(new, f"{name}_1")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def _normalise(x: Any, name: str = "") -> Any:
    prefix = f"{name}_" if name else ""
    x = layers.BatchNormalization(
        epsilon=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM, name=f"{prefix}bn"
    )(x)
    return layers.Activation("relu", name=f"{prefix}relu")(x)
