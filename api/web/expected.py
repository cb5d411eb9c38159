"""The completeness expected at each place of Results' sliders, by the cards of the versions in production."""

import json
from dataclasses import dataclass

from core.completeness import Kept, completeness
from core.decision import classifier_of
from core.model_card import ModelCard
from cutouts.benchmark import STANDING
from storage.record import Record

BENCHMARK = "benchmark"
"""Under which name a candidate's card has the standing benchmark; shipped ones have it under the preset's."""


@dataclass(frozen=True)
class Expected:
    """What a version's thresholds keep of the true ones of its benchmark, from 0 to 1 by hundredths."""

    version: str
    dataset: str
    ones: int
    kept: list[Kept]

    def at(self, threshold: float) -> Kept:
        """At one place of the slider."""
        return self.kept[round(threshold * (len(self.kept) - 1))]

    def told(self, threshold: float) -> str:
        """The same in words: `98.0 % (97.5 to 98.4)`; the page's script says it alike."""
        kept = self.at(threshold)
        return f"{kept.share:.1%} ({100 * kept.low:.1f} to {100 * kept.high:.1f})".replace("%", " %")

    @property
    def table(self) -> str:
        """For the page's script: share and interval at each place, in per mille, as JSON."""
        return json.dumps([[round(1000 * v) for v in (k.share, k.low, k.high)] for k in self.kept])


def expected(record: Record) -> dict[str, Expected]:
    """By family; of several members the one that keeps the most, as a family passes what any of them passes.

    A family whose members' cards have no benchmark is missing.
    """
    found: dict[str, Expected] = {}
    for version in record.models.production():
        card = record.models.get(version)
        told = None if card is None else _of(card)
        family = classifier_of(version)
        if told is not None and (family not in found or _sum(found[family]) < _sum(told)):
            found[family] = told
    return found


def _of(card: ModelCard) -> Expected | None:
    standing = STANDING.get(card.classifier)
    for name in (BENCHMARK, standing.preset if standing else ""):
        figures = card.metrics.get(name)
        if not isinstance(figures, dict):
            continue
        kept = completeness(figures)
        if kept is not None:
            ones = sum(figures["confusion_matrix"][1])
            return Expected(card.version, figures.get("dataset", name), ones, kept)
    return None


def _sum(told: Expected) -> float:
    return sum(kept.share for kept in told.kept)
