"""The interval of a proportion."""

from math import sqrt
from statistics import NormalDist

from core.errors import InvalidRequest


def wilson_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, JASA 22, 209); 0 to 1 where nothing was counted.

    Raises InvalidRequest unless 0 <= hits <= n.
    """
    if not 0 <= hits <= n:
        raise InvalidRequest(f"{hits} hits of {n}; expected 0 to {n}")
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * sqrt(hits * (n - hits) / n + z * z / 4)
    return 0.0 if hits == 0 else max(0.0, middle - half), 1.0 if hits == n else min(1.0, middle + half)
