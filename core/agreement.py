"""How far people agree on what they both labelled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True)
class Agreement:
    """Two people: how many items both labelled, on how many they agree, and Cohen's kappa.

    `kappa` is None where there is nothing to compare, or both gave one class to everything: agreement by
    chance is then complete, and kappa not defined.
    """

    people: tuple[str, str]
    both: int
    agreed: int
    kappa: float | None


def agreements(labels: Mapping[str, Mapping[str, str]]) -> list[Agreement]:
    """Of each two people that labelled an item in common; `labels` by person, by item."""
    found = []
    for one, other in combinations(sorted(labels), 2):
        common = labels[one].keys() & labels[other].keys()
        if common:
            pairs = [(labels[one][item], labels[other][item]) for item in common]
            agreed = sum(a == b for a, b in pairs)
            found.append(Agreement((one, other), len(pairs), agreed, cohens_kappa(pairs)))
    return found


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance, 1 at most (Cohen 1960, Educational and Psychological Measurement 20, 37).

    `pairs` are two people's classes, item by item, of any number of classes. None where it is not defined.
    """
    if not pairs:
        return None
    n = len(pairs)
    one, other = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(one[name] * other[name] for name in one)
    if by_chance == n * n:
        return None
    agreed = sum(a == b for a, b in pairs)
    return (n * agreed - by_chance) / (n * n - by_chance)
