"""Adam with the moving averages of the weights beside them."""

from collections.abc import Sequence
from typing import Any

import keras

MOST_STEPS = 200
"""How many of the last steps an average reaches back at most."""


class AveragingAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam whose moving averages are read when they are asked for, not set at the end of each `fit`."""

    def __init__(self, learning_rate: Any, *, steps: int, clipnorm: float) -> None:
        """`steps` of the whole training: an average reaches back over a twentieth of them."""
        reach = max(1, min(MOST_STEPS, steps // 20))
        super().__init__(learning_rate, clipnorm=clipnorm, use_ema=True, ema_momentum=1 - 1 / (reach + 1))

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Leave the weights as they are: Keras calls this when `fit` ends, which here is each epoch."""

    def set_averages(self, variables: Sequence[Any]) -> None:
        """Set a network's trainable variables to their moving averages.

        To copies of them: on JAX a network that is run gives its arrays away, and the averages would go too.
        """
        super().finalize_variable_values(variables)
        for variable in variables:
            variable.assign(variable.numpy().copy())
