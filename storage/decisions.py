"""Decisions on record: `plausible` follows the thresholds, whenever they are moved.

Each cutout notes the setting of the thresholds that its `plausible` was decided by. One that notes another
than today's is decided again: a pass may be killed anywhere, and who decided by older ones is made good.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from core.decision import best_members, is_plausible
from storage.cutouts import Decision
from storage.database import Document
from storage.model_registry import ModelRegistry
from storage.record import Record

AT_ONCE = 1000
"""Cutouts that are held in memory."""


def production_fields(
    models: ModelRegistry, scores: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, object]]:
    """The production fields, by cutout, of scores by cutout and version.

    A family's field is its highest score and `versions` says whose; `scores` holds those of every member.
    """
    setting = models.setting()
    thresholds = models.thresholds({version for found in scores.values() for version in found})
    now = datetime.now(UTC)
    fields: dict[str, dict[str, object]] = {}
    for cutout, found in scores.items():
        best = best_members(found)
        fields[cutout] = {family: score for family, (_, score) in best.items()} | {
            "plausible": is_plausible(found, _of(found, thresholds)),
            "versions": {family: version for family, (version, _) in best.items()},
            "scores": dict(found),
            "decided_by": setting,
            "last_modified": now,
        }
    return fields


def set_production(
    record: Record, versions: Sequence[str], scores: Mapping[str, Mapping[str, float]]
) -> None:
    """Bring the production fields up to date with scores, by cutout, of the versions of one job.

    Where the job has other versions than those in production, and some of them, what it lacks is looked for
    on record. Scores of versions that a promotion has replaced since the job was accepted fill in where there
    are no fields: `versions` says whose they are, and they give way to those in production now, also where
    the promotion came while they were written.
    """
    if not scores:
        return
    turn, overtaken = record.models.turn(), False
    while _write_production(record, versions, scores, overtaken=overtaken):
        now = record.models.turn()
        if now == turn:
            return
        turn, overtaken = now, True  # and its pass may have come by these cutouts already


def _write_production(
    record: Record, versions: Sequence[str], scores: Mapping[str, Mapping[str, float]], *, overtaken: bool
) -> bool:
    """Whether there was anything to write; where a promotion has `overtaken` it, what is on record counts."""
    production = record.models.production()
    shared = set(versions) & set(production)
    current = scores if set(versions) == set(production) else {}
    if not current and (shared or overtaken):
        current = complete_scores(record, production, scores)
    record.cutouts.set_production(production_fields(record.models, current) if current else {})
    rest = {cutout: found for cutout, found in scores.items() if cutout not in current}
    if not rest or not record.models.were_production(versions):
        return bool(current)
    record.cutouts.set_production(production_fields(record.models, rest), where_none=True)
    return True


def complete_scores(
    record: Record, versions: Sequence[str], scores: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Scores by these versions of those cutouts that all of them have scored.

    `scores` names the cutouts, with those of their scores that are known; the others are read.
    """
    known = {version for found in scores.values() for version in found}
    read = record.outcomes.find(scores, [version for version in versions if version not in known])
    found = {cutout: dict(given) for cutout, given in scores.items()}
    for (cutout, version), outcome in read.items():
        if outcome.score is not None:
            found[cutout][version] = outcome.score
    return {
        cutout: {version: of_cutout[version] for version in versions}
        for cutout, of_cutout in found.items()
        if versions and all(version in of_cutout for version in versions)
    }


def decide_again(record: Record, *, for_s: float, at_once: int = AT_ONCE) -> int:
    """Decide cutouts by today's thresholds until all are, or the time is over; returns how many were.

    To be called again until it returns 0. Two at the same time do no harm.
    """
    end = time.monotonic() + for_s
    decided = 0
    while True:
        setting = record.models.setting()
        cutouts = record.cutouts.undecided(setting, limit=at_once)
        if cutouts:
            decided += record.cutouts.decide(_decisions(record.models, cutouts), setting=setting)
        if len(cutouts) < at_once or time.monotonic() >= end:
            return decided


def plausible_now(models: ModelRegistry, cutout: Document) -> bool | None:
    """What today's thresholds make of a cutout's document, whether or not it was decided again yet."""
    scores = _scores(cutout)
    return is_plausible(scores, models.thresholds(scores))


def _decisions(models: ModelRegistry, cutouts: list[Document]) -> list[Decision]:
    scores = [_scores(cutout) for cutout in cutouts]
    thresholds = models.thresholds({version for found in scores for version in found})
    return [
        Decision(cutout, is_plausible(found, _of(found, thresholds)))
        for cutout, found in zip(cutouts, scores, strict=True)
    ]


def _scores(cutout: Document) -> dict[str, float]:
    """By version; empty for a cutout without production fields."""
    return dict(cutout.get("scores", {}))


def _of(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> dict[str, float]:
    return {version: threshold for version, threshold in thresholds.items() if version in scores}
