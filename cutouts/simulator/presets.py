"""Presets: which kinds, in which numbers."""

import numpy as np

from core.errors import InvalidRequest
from cutouts.simulator.bogus import COUNTS
from cutouts.simulator.truth import STREAK_KINDS, Kind


def _with_bogus(streaks: dict[Kind, float], bogus: float) -> dict[Kind, float]:
    total = sum(COUNTS.values())
    return {**streaks, **{kind: bogus * n / total for kind, n in COUNTS.items()}}


PRESETS: dict[str, dict[Kind, float]] = {
    "rb-2018.9": _with_bogus({"long": 905, "short": 8270, "short_hard": 669}, 5000),
    "sl-2018.9": {"long": 905, "short": 905, "short_hard": 669},
    "night": _with_bogus({"long": 728, "short": 42, "short_hard": 10}, 25220),
    "rb-balanced": {
        "long": 3000,
        "short": 12000,
        "short_hard": 3000,
        "masked_star": 6000,
        "blank": 3500,
        "yin_yang": 4500,
        "ghost": 4500,
        "flash": 2000,
        "cosmic_ray": 1500,
    },
    "sl-balanced": {"long": 8000, "short": 6000, "short_hard": 2000},
    "sample": {
        "short": 60,
        "short_hard": 30,
        "long": 30,
        "masked_star": 48,
        "blank": 20,
        "yin_yang": 24,
        "ghost": 14,
        "flash": 7,
        "cosmic_ray": 7,
    },
}
"""The numbers of each kind at the preset's own size.

`rb-2018.9` and `sl-2018.9` are the make-up of the 2018 data sets of those names; `night` is 26,000 cutouts at
serving prevalence, 3 % streaks of which 0.2 % are asteroid-like; the balanced ones are for training, with
more of what is rare and hard; `sample` is stratified.
"""


def kinds_of(preset: str, *, count: int | None, seed: int) -> list[Kind]:
    """The kinds of a preset's cutouts in their (shuffled) order, scaled to `count`.

    Raises InvalidRequest for an unknown preset or a count below 1.
    """
    if preset not in PRESETS:
        raise InvalidRequest(f"no preset {preset!r}; expected one of {', '.join(PRESETS)}")
    if count is not None and count < 1:
        raise InvalidRequest(f"count is {count}; expected at least 1")
    numbers = PRESETS[preset]
    wanted = np.array(list(numbers.values()), np.float64)
    total = round(wanted.sum()) if count is None else count
    wanted *= total / wanted.sum()
    whole = np.floor(wanted).astype(int)
    whole[np.argsort(whole - wanted, kind="stable")[: total - whole.sum()]] += 1
    order = np.random.default_rng(np.random.SeedSequence([seed, 0])).permutation(total)
    kinds = list(numbers)
    index = np.repeat(np.arange(len(kinds)), whole)[order]
    return [kinds[i] for i in index]


def is_streak(kind: Kind) -> bool:
    """Whether rb should call it real."""
    return kind in STREAK_KINDS
