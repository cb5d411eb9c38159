"""What a killed training goes on from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.errors import Misconfigured

FILE = "checkpoint.npz"


@dataclass(slots=True)
class Progress:
    """How far a training has come.

    Parameters
    ----------
    plan : what is being trained, to refuse going on with something else.
    epochs_done, seconds : so far.
    best_loss : the lowest validation loss.
    history : the figures of each epoch.
    """

    plan: dict[str, Any]
    epochs_done: int
    seconds: float
    best_loss: float
    history: list[dict[str, float]]


def save_checkpoint(folder: Path, network: keras.Model, best: list[Any], progress: Progress) -> None:
    """Write the state of network, optimiser and dropout, the best weights and the progress, in one step."""
    arrays = {f"state_{n:04d}": v.numpy() for n, v in enumerate(_state(network))}
    arrays |= {f"best_{n:04d}": value for n, value in enumerate(best)}
    told = json.dumps(
        {
            "plan": progress.plan,
            "epochs_done": progress.epochs_done,
            "seconds": progress.seconds,
            "best_loss": progress.best_loss,
            "history": progress.history,
        }
    )
    arrays["progress"] = np.frombuffer(told.encode(), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{FILE}.partial"
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    partial.replace(folder / FILE)


def load_checkpoint(
    folder: Path, network: keras.Model, plan: dict[str, Any]
) -> tuple[list[Any], Progress] | None:
    """Set the network and its optimiser to the saved state; returns the best weights and the progress.

    Returns None when there is no checkpoint. Another precision, as another device has, may go on with it;
    raises Misconfigured when it belongs to another plan.
    """
    path = folder / FILE
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as archive:
        progress = Progress(**json.loads(archive["progress"].tobytes()))
        if {**progress.plan, "precision": ""} != {**plan, "precision": ""}:  # weights are float32 in any
            raise Misconfigured(
                f"{path} belongs to {progress.plan}; this training is {plan}: choose another folder"
            )
        progress.plan = plan
        state = _state(network)
        for n, variable in enumerate(state):
            variable.assign(archive[f"state_{n:04d}"])
        best = [archive[f"best_{n:04d}"] for n in range(len(network.weights))]
    return best, progress


def _state(network: keras.Model) -> list[Any]:
    return [*network.variables, *network.optimizer.variables]
