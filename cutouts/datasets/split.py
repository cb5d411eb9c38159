"""Training, validation and test: whole nights to one of them."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from core.dataset import SPLITS, Split
from core.errors import InvalidRequest

DEFAULT_SHARES = (0.8, 0.1, 0.1)

Labelled = tuple[str, str | None, int]
"""sha256, night, label."""


def split_by_night(
    cutouts: Iterable[Labelled], *, seed: int, shares: tuple[float, float, float] = DEFAULT_SHARES
) -> dict[str, Split]:
    """The split of each cutout by its sha256: a night is never in two of them, in whatever order they come.

    A cutout without a night is a group of its own. From the largest group to the smallest, the seed deciding
    between equals, each goes to where its classes are rarest for the share; then the smallest groups are
    moved to where a class would be missing. Raises InvalidRequest for shares that are none, and where one
    class is missing all the same.
    """
    targets = {split: share for split, share in zip(SPLITS, _checked(shares), strict=True) if share > 0}
    groups: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for sha256, night, label in cutouts:
        groups[night or sha256].append((sha256, label))
    counts = {key: Counter(label for _, label in group) for key, group in groups.items()}
    order = sorted(groups, key=lambda key: (-len(groups[key]), _draw(seed, key)))
    placed = _place(order, counts, targets)
    _fill_gaps(order[::-1], counts, placed, targets)
    _refuse_gaps(counts, placed, targets)
    return {sha256: placed[key] for key, group in groups.items() for sha256, _ in group}


def _checked(shares: tuple[float, float, float]) -> tuple[float, ...]:
    total = sum(shares)
    if not all(math.isfinite(share) and share >= 0 for share in shares) or shares[0] <= 0:
        raise InvalidRequest(
            f"shares {shares}; expected those of {', '.join(SPLITS)}, 0 or more, and some for training"
        )
    return tuple(share / total for share in shares)


def _draw(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def _place(
    order: Iterable[str], counts: Mapping[str, Counter[int]], targets: Mapping[Split, float]
) -> dict[str, Split]:
    total = sum(counts.values(), Counter[int]())
    filled: dict[Split, Counter[int]] = {split: Counter() for split in targets}
    placed: dict[str, Split] = {}
    for key in order:
        fullness = {s: _fullness(counts[key], filled[s], total) / share for s, share in targets.items()}
        placed[key] = min(fullness, key=fullness.__getitem__)
        filled[placed[key]].update(counts[key])
    return placed


def _fullness(group: Counter[int], split: Counter[int], total: Counter[int]) -> float:
    """How much of each class a split would hold with a group, weighed by what the group has of it."""
    return sum(n / total[label] * (split[label] + n) / total[label] for label, n in group.items())


def _fill_gaps(
    smallest_first: Iterable[str],
    counts: Mapping[str, Counter[int]],
    placed: dict[str, Split],
    targets: Mapping[Split, float],
) -> None:
    """Move the smallest group that can be spared to where a class is missing."""
    order = list(smallest_first)
    holders = Counter((placed[key], label) for key, own in counts.items() for label in own)
    for split in targets:
        for label in (0, 1):
            if holders[split, label]:
                continue
            spare = next(
                (
                    key
                    for key in order
                    if counts[key][label] and all(holders[placed[key], other] > 1 for other in counts[key])
                ),
                None,
            )
            if spare is not None:
                holders.subtract((placed[spare], other) for other in counts[spare])
                holders.update((split, other) for other in counts[spare])
                placed[spare] = split


def _refuse_gaps(
    counts: Mapping[str, Counter[int]], placed: Mapping[str, Split], targets: Iterable[Split]
) -> None:
    found: dict[Split, Counter[int]] = defaultdict(Counter)
    for key, split in placed.items():
        found[split].update(counts[key])
    for split in targets:
        if not found[split][0] or not found[split][1]:
            raise InvalidRequest(
                f"{split} would have {found[split][0]} of class 0 and {found[split][1]} of class 1, of "
                f"{len(counts)} nights and cutouts without a night; expected both: label more nights, or set "
                "its share to 0"
            )
