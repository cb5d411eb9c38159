"""The card of a model version: all that may be known of a network without loading it."""

import re
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.family import RESERVED

VERSION = re.compile(r"^(?P<classifier>[a-z][a-z0-9_]{0,31})@(?P<number>[1-9][0-9]{0,8})$")

Stage = Literal["candidate", "production", "archived"]


class Weights(BaseModel):
    """Where the weights are and how they are written."""

    model_config = ConfigDict(frozen=True)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int
    dtype: str = Field(description="as stored; expanded to float32 when loaded")


class ModelCard(BaseModel):
    """One model version: data, seed, epochs, hardware, figures."""

    model_config = ConfigDict(frozen=True)
    version: str = Field(pattern=VERSION.pattern)
    classifier: str
    classes: tuple[str, str] = Field(description="what 0 and 1 mean")
    architecture: str
    parameters: int
    recipe: str
    threshold: float = Field(0.5, ge=0, le=1)
    weights: Weights
    created: datetime
    training: dict[str, Any] = Field(
        default_factory=dict, description="preset, seed, epochs, command, hardware"
    )
    metrics: dict[str, Any] = Field(default_factory=dict, description="figures, each with its command")
    plots: dict[str, str] = Field(
        default_factory=dict, description="SVG files by name: the sha256 of their blobs"
    )

    @model_validator(mode="after")
    def _names_its_classifier(self) -> Self:
        if not self.version.startswith(f"{self.classifier}@"):
            raise ValueError(
                f"classifier {self.classifier!r} of {self.version}; expected that of the version"
            )
        if self.classifier in RESERVED:
            raise ValueError(f"classifier {self.classifier!r}; expected no name that a cutout's fields have")
        return self
