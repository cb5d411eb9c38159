"""The ResNet50 of deep-asteroids, 2018: He et al. 2015 (arXiv:1512.03385) with a narrower last stage."""

from typing import Any

import keras
from keras import layers

INPUT_SHAPE = (144, 144, 1)

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.2
SHORTCUT_MOMENTUM = 0.1

STAGES = (
    # number, blocks, width, output width, stride of its first block
    (2, 3, 64, 256, 1),
    (3, 4, 128, 512, 2),
    (4, 6, 256, 512, 2),
    (5, 3, 512, 1024, 2),
)


def resnet50() -> keras.Model:
    """An untrained ResNet50: (n, 144, 144, 1) float in 0..1 to (n, 1) probability; 17,386,753 parameters."""
    image = keras.Input(INPUT_SHAPE, name="image")
    x = layers.ZeroPadding2D(3, name="pad")(image)
    x = layers.Conv2D(64, 7, strides=2, name="conv1")(x)
    x = _normalise(x, "bn_conv1")
    x = layers.Activation("relu", name="relu_conv1")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, blocks, width, output_width, stride in STAGES:
        for n in range(blocks):
            name = f"{stage}{'abcdef'[n]}"
            x = _bottleneck(x, name, width, output_width, stride if n == 0 else 1, project=n == 0)
    x = layers.AveragePooling2D(2, name="avg_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    score = layers.Dense(1, activation="sigmoid", dtype="float32", name="fcOUT")(x)
    return keras.Model(image, score, name="resnet50")


def _bottleneck(x: Any, name: str, width: int, output_width: int, stride: int, *, project: bool) -> Any:
    """1x1 (with the stride), 3x3, 1x1, added to the input or to its projection."""
    branch = layers.Conv2D(width, 1, strides=stride, name=f"res{name}_branch2a")(x)
    branch = _normalise(branch, f"bn{name}_branch2a")
    branch = layers.Activation("relu", name=f"relu{name}_branch2a")(branch)
    branch = layers.Conv2D(width, 3, padding="same", name=f"res{name}_branch2b")(branch)
    branch = _normalise(branch, f"bn{name}_branch2b")
    branch = layers.Activation("relu", name=f"relu{name}_branch2b")(branch)
    branch = layers.Conv2D(output_width, 1, name=f"res{name}_branch2c")(branch)
    branch = _normalise(branch, f"bn{name}_branch2c")
    if project:
        x = layers.Conv2D(output_width, 1, strides=stride, name=f"res{name}_branch1")(x)
        x = _normalise(x, f"bn{name}_branch1", momentum=SHORTCUT_MOMENTUM)
    x = layers.Add(name=f"add{name}")([branch, x])
    return layers.Activation("relu", name=f"relu{name}")(x)


def _normalise(x: Any, name: str, *, momentum: float = BATCH_NORM_MOMENTUM) -> Any:
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, momentum=momentum, name=name)(x)
