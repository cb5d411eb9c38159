"""Families of networks: what their scores mean. A streak is plausible when every family says so."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from core.filters.fields import FIELDS, WORDS

NAME = re.compile(r"^[a-z][a-z0-9_]{0,31}$")

RESERVED = frozenset(
    (
        *("id", "file", "name", "sha256", "added", "reference", "night", "streakid", "last_modified"),
        *("plausible", "versions", "scores", "decided_by", "outcomes", "rejection", "pending"),
        *("instrument", "uncalibrated", "ades", "midpoint_coordinates", "legacy"),
        *FIELDS,
        *WORDS,
    )
)
"""Fields of a cutout's document, or of a result, that stand beside the scores, which a family names, and
words of the filter language."""


class Family(BaseModel):
    """One question that networks answer, and the answers that 0 and 1 are."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    classes: tuple[str, str] = Field(description="what 0 and 1 mean")
    threshold: float = Field(0.5, gt=0, lt=1, description="of versions that are imported without one")


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {"rb": Family(classes=("bogus", "real")), "sl": Family(classes=("long", "short"))}
)
"""Those that come with the repository; the settings may name more."""
