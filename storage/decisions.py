"""Decisions on record: `plausible` follows the thresholds, whenever they are moved.

Each cutout notes the setting of the thresholds that its `plausible` was decided by. One that notes another
than today's is decided again: a pass may be killed anywhere, and who decided by older ones is made good.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from core.decision import best_members, is_plausible
from storage.cutouts import Decision
from storage.database import Document
from storage.model_registry import ModelRegistry
from storage.record import Record

AT_ONCE = 1000
"""Cutouts that are held in memory."""


def production_fields(
    models: ModelRegistry, scores: Mapping[str, Mapping[str, float]], *, versions: Sequence[str] = ()
) -> dict[str, dict[str, object]]:
    """The production fields, by cutout, of scores by cutout and version.

    A family's field is its highest score and `versions` says whose; `scores` holds those of every member.
    Those of `versions` that have no score were not run.
    """
    setting = models.setting()
    thresholds = models.thresholds({*versions, *(version for found in scores.values() for version in found)})
    now = datetime.now(UTC)
    fields: dict[str, dict[str, object]] = {}
    for cutout, found in scores.items():
        best = best_members(found)
        not_run = [version for version in versions if version not in found]
        fields[cutout] = {family: score for family, (_, score) in best.items()} | {
            "plausible": is_plausible(found, _of([*found, *not_run], thresholds), not_run=not_run),
            "versions": {family: version for family, (version, _) in best.items()},
            "scores": dict(found),
            "decided_by": setting,
            "last_modified": now,
        }
        if not_run:
            fields[cutout]["not_run"] = not_run
    return fields


def set_production(
    record: Record, versions: Sequence[str], scores: Mapping[str, Mapping[str, float]]
) -> None:
    """Bring the production fields up to date with scores, by cutout, of the versions of one job.

    Versions without a score were not run, by the job's cascade.

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
    record.cutouts.set_production(
        production_fields(record.models, current, versions=production) if current else {}
    )
    rest = {cutout: found for cutout, found in scores.items() if cutout not in current}
    if not rest or not record.models.were_production(versions):
        return bool(current)
    record.cutouts.set_production(production_fields(record.models, rest, versions=versions), where_none=True)
    return True


def complete_scores(
    record: Record, versions: Sequence[str], scores: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Scores by these versions of those cutouts that all of them have scored, or were not to score.

    `scores` names the cutouts, with those of their scores that are known; the others are read.
    """
    known = {version for found in scores.values() for version in found}
    read = record.outcomes.find(scores, [version for version in versions if version not in known])
    found = {cutout: dict(given) for cutout, given in scores.items()}
    for (cutout, version), outcome in read.items():
        if outcome.score is not None:
            found[cutout][version] = outcome.score
    lacking = [c for c, of_cutout in found.items() if any(version not in of_cutout for version in versions)]
    if known and lacking:  # what is known was given without what it says of the others
        read = record.outcomes.find(lacking, versions)
    not_run = {(o.cutout, version) for o in read.values() for version in o.not_run}
    return {
        cutout: {version: of_cutout[version] for version in versions if version in of_cutout}
        for cutout, of_cutout in found.items()
        if versions and all(v in of_cutout or (cutout, v) in not_run for v in versions)
        if any(version in of_cutout for version in versions)
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
    scores, not_run = _scores(cutout), cutout.get("not_run", ())
    return is_plausible(scores, models.thresholds([*scores, *not_run]), not_run=not_run)


def _decisions(models: ModelRegistry, cutouts: list[Document]) -> list[Decision]:
    scores = [_scores(cutout) for cutout in cutouts]
    not_run = [cutout.get("not_run", ()) for cutout in cutouts]
    thresholds = models.thresholds({version for found in (*scores, *not_run) for version in found})
    return [
        Decision(cutout, is_plausible(found, _of([*found, *without], thresholds), not_run=without))
        for cutout, found, without in zip(cutouts, scores, not_run, strict=True)
    ]


def _scores(cutout: Document) -> dict[str, float]:
    """By version; empty for a cutout without production fields."""
    return dict(cutout.get("scores", {}))


def _of(versions: Collection[str], thresholds: Mapping[str, float]) -> dict[str, float]:
    return {version: threshold for version, threshold in thresholds.items() if version in versions}
