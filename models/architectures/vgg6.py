"""The VGG6 of DeepStreaks (Duev et al. 2019, MNRAS 486, 4158)."""

import keras
from keras import layers

INPUT_SHAPE = (144, 144, 1)


def vgg6() -> keras.Model:
    """An untrained VGG6: (n, 144, 144, 1) float in 0..1 to (n, 1) probability; 2,114,033 parameters."""
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Conv2D(16, 3, activation="relu", name="conv1"),
            layers.Conv2D(16, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Dropout(0.25, name="dropout1"),
            layers.Conv2D(32, 3, activation="relu", name="conv3"),
            layers.Conv2D(32, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(4, name="pool2"),
            layers.Dropout(0.25, name="dropout2"),
            layers.Flatten(name="flatten"),
            layers.Dense(256, activation="relu", name="fc_1"),
            layers.Dropout(0.5, name="dropout3"),
            layers.Dense(1, activation="sigmoid", dtype="float32", name="fc_out"),
        ],
        name="vgg6",
    )
