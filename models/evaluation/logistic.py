"""Logistic regression, for what may be learned without a neural network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest

Matrix = NDArray[np.float64]

_ITERATIONS = 100
_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class LogisticRegression:
    """Weights, (d,), of standardised features, an intercept, and each feature's mean and spread, (d,)."""

    weights: Matrix
    intercept: float
    mean: Matrix
    spread: Matrix

    def logits(self, features: Matrix) -> Matrix:
        """Log odds of 1, (n,), of (n, d) features."""
        standard = (features - self.mean) / self.spread
        found: Matrix = standard @ self.weights + self.intercept
        return found


def fit_logistic(features: Matrix, labels: NDArray[np.bool_], *, l2: float = 1.0) -> LogisticRegression:
    """Fit (n, d) features to (n,) labels by Newton's method, halving steps that do not lower the loss.

    The loss is the sum of log losses + l2/2 |weights|^2 with each feature at mean 0 and spread 1 (iteratively
    reweighted least squares: Hastie, Tibshirani and Friedman 2009, section 4.4.1); a constant feature gets
    weight 0, and the intercept is not penalised. Raises InvalidRequest for features that are not finite, for
    one class only, or without a penalty.
    """
    if not np.isfinite(features).all():
        raise InvalidRequest("features that are not finite; expected numbers")
    if labels.all() or not labels.any() or l2 <= 0:
        raise InvalidRequest(
            f"{int(labels.sum())} ones of {len(labels)}, l2 {l2:g}; expected both classes and l2 above 0"
        )
    mean, spread = features.mean(axis=0), features.std(axis=0)
    constant = spread <= 1e-12 * np.maximum(1, np.abs(mean))
    spread = np.where(constant, 1, spread)
    design = np.column_stack([np.ones(len(features)), np.where(constant, 0, (features - mean) / spread)])
    penalty = np.full(design.shape[1], l2)
    penalty[0] = 0
    target = labels.astype(np.float64)
    found = np.zeros(design.shape[1])
    loss = _loss(design, target, found, penalty)
    for _ in range(_ITERATIONS):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -500, 500)))
        gradient = design.T @ (chance - target) + penalty * found
        hessian = (design.T * np.maximum(chance * (1 - chance), 1e-10)) @ design + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (lower := _loss(design, target, found - size * step, penalty)) > loss and size > 1e-6:
            size /= 2
        found, change, loss = found - size * step, loss - lower, lower
        if abs(change) <= _TOLERANCE * max(1.0, loss):
            break
    return LogisticRegression(found[1:], float(found[0]), mean, spread)


def _loss(design: Matrix, target: Matrix, weights: Matrix, penalty: Matrix) -> float:
    logits = design @ weights
    return float((np.logaddexp(0, logits) - target * logits).sum() + (penalty * weights**2).sum() / 2)
