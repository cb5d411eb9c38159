"""What a version changes against another one, on cutouts whose truth is known."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutouts.simulator import Truth
from models.evaluation.comparison import compare
from models.evaluation.figures import Scores
from models.training.labelled_images import LabelledImages

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
WORST = 10


def changes(
    before: Scores,
    after: Scores,
    data: LabelledImages,
    *,
    threshold_before: float = 0.5,
    threshold_after: float = 0.5,
) -> dict[str, Any]:
    """How scores, (n,) each in the order of the data, moved, and which decisions flipped; plain JSON.

    `delta` is after minus before. `worst` are the cutouts whose score moved farthest from their truth, with
    the kind and the seed that draw each again. The p-value is of McNemar's exact test that as many decisions
    are mended as are broken. Raises InvalidRequest as `compare` does.
    """
    found = compare(
        before, after, threshold_before=threshold_before, threshold_after=threshold_after, labels=data.labels
    )
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    delta, truth = new - old, data.labels == 1
    to_1, to_0 = flips(old, new, threshold_before, threshold_after)
    answer: dict[str, Any] = {
        "n": found.n,
        "thresholds": {"before": threshold_before, "after": threshold_after},
        "delta": {
            "mean": _rounded(found.mean_delta),
            "mean_absolute": _rounded(found.mean_absolute_delta),
            "max_absolute": _rounded(found.max_absolute_delta),
            "quantiles": {f"{q:g}": _rounded(np.quantile(delta, q)) for q in QUANTILES},
        },
        "flipped": {
            "to_1": {"true_0": int((to_1 & ~truth).sum()), "true_1": int((to_1 & truth).sum())},
            "to_0": {"true_0": int((to_0 & ~truth).sum()), "true_1": int((to_0 & truth).sum())},
        },
        "by_kind": _by_kind(delta, truth, to_1, to_0, data.truths),
        "worst": _worst(old, new, data, to_1 | to_0),
    }
    if found.against_truth is not None:
        told = found.against_truth
        answer["mcnemar"] = {"mended": told.mended, "broken": told.broken, "p_value": told.p_value}
        for figure in ("auc", "tpr", "tnr"):
            answer[figure] = {
                when: _rounded(getattr(told, f"{figure}_{when}")) for when in ("before", "after")
            }
    return answer


def lines_of(found: dict[str, Any]) -> list[str]:
    """What `changes` told, with the other version's name as `model`, for people."""
    delta, test = found["delta"], found["mcnemar"]
    quantiles = ", ".join(f"{q}: {value:+.4f}" for q, value in delta["quantiles"].items())
    ways = found["flipped"].items()
    return [
        f"against {found['model']}:",
        f"  scores moved by {delta['mean']:+.4f} on average, by {delta['mean_absolute']:.4f} either way",
        f"  quantiles of the delta  {quantiles}",
        *(f"  called {way[-1]} now: {n['true_0']} true 0, {n['true_1']} true 1" for way, n in ways),
        f"  {test['mended']} decisions mended, {test['broken']} broken, p = {test['p_value']:.3g} (McNemar)",
        *(
            f"  {figure.upper()} {found[figure]['before']:.4f} before, {found[figure]['after']:.4f} now"
            for figure in ("auc", "tpr", "tnr")
        ),
        *(
            f"  {_called(worst)}, true {worst['truth']}: from {worst['before']:.4f} "
            f"to {worst['after']:.4f}{', flipped' if worst['flipped'] else ''}"
            for worst in found["worst"]
        ),
    ]


def _called(worst: dict[str, Any]) -> str:
    return worst["name"] if worst["kind"] is None else f"{worst['kind']}, seed {worst['seed']}"


def flips(
    before: NDArray[np.float64], after: NDArray[np.float64], threshold_before: float, threshold_after: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which decisions, (n,), went from 0 to 1, and which from 1 to 0."""
    called_before, called_after = before >= threshold_before, after >= threshold_after
    return ~called_before & called_after, called_before & ~called_after


def _by_kind(
    delta: NDArray[np.float64],
    truth: NDArray[np.bool_],
    to_1: NDArray[np.bool_],
    to_0: NDArray[np.bool_],
    truths: Sequence[Truth],
) -> dict[str, Any]:
    kinds = np.array([told.kind for told in truths])
    mended, broken = np.where(truth, to_1, to_0), np.where(truth, to_0, to_1)
    return {
        kind: {
            "n": int(chosen.sum()),
            "mean_delta": _rounded(delta[chosen].mean()),
            "mended": int(mended[chosen].sum()),
            "broken": int(broken[chosen].sum()),
        }
        for kind in sorted(set(kinds.tolist()))
        for chosen in [kinds == kind]
    }


def _worst(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    data: LabelledImages,
    flipped: NDArray[np.bool_],
) -> list[dict[str, Any]]:
    """Farthest from the truth first; none of those that did not move away from it."""
    away = (after - before) * np.where(data.labels == 1, -1, 1)
    farthest = [int(i) for i in np.argsort(-away, kind="stable")[:WORST] if away[i] > 0]
    return [
        {
            **_what_is(data, i),
            "truth": int(data.labels[i]),
            "before": _rounded(before[i]),
            "after": _rounded(after[i]),
            "delta": _rounded(after[i] - before[i]),
            "flipped": bool(flipped[i]),
        }
        for i in farthest
    ]


def _what_is(data: LabelledImages, i: int) -> dict[str, Any]:
    """What finds an image again: its name, and what drew it, where it was simulated."""
    if not data.truths:
        return {"name": data.names[i] if data.names else str(i), "kind": None, "seed": None}
    truth = data.truths[i]
    return {"name": truth.name, "kind": truth.kind, "seed": truth.seed}


def _rounded(value: float) -> float | None:
    """To 5 decimals; what is no number becomes null, which is what JSON has for it."""
    return round(float(value), 5) if isfinite(value) else None
