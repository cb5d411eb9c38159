"""Ways to train, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from core.training import RecipeName


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """How a network is trained, apart from how long and on what.

    Parameters
    ----------
    learning_rate : the highest.
    cosine : warm up to that rate, then let it fall along a cosine to a hundredth; else it stays.
    dropout : the share of the architecture's dropout rates that is used.
    augmented : whether images are turned, softened and changed in contrast.
    balanced : whether class weights make both classes count the same.
    averaged : whether what is validated and kept are the weights' moving averages.
    patience : epochs without a lower validation loss after which it stops; None for never.
    norm_momentum : the least momentum of batch normalisation's moving averages, which the published networks
        have so low that they follow the last two batches; None to leave the architecture's.
    looked_at : images that are scored for each one that is learnt from (`models.training.focus`); 1 to learn
        from all.
    """

    learning_rate: float
    cosine: bool
    dropout: float
    augmented: bool
    balanced: bool
    averaged: bool
    patience: int | None
    norm_momentum: float | None = None
    looked_at: int = 1


_DEFAULT = TrainingRecipe(
    learning_rate=1e-3,
    cosine=True,
    dropout=0.3,
    augmented=True,
    balanced=True,
    averaged=True,
    patience=6,
    norm_momentum=0.95,
)

RECIPES: Mapping[RecipeName, TrainingRecipe] = MappingProxyType(
    {
        "2018": TrainingRecipe(
            learning_rate=1e-3,
            cosine=False,
            dropout=1.0,
            augmented=False,
            balanced=False,
            averaged=False,
            patience=None,
        ),
        "default": _DEFAULT,
        "focused": replace(_DEFAULT, looked_at=4),
    }
)
"""`2018` is the published card's: Adam at 1e-3, nothing else. `focused` is for a network that
already gets most images right. Epochs and batches are in `core.training`."""
