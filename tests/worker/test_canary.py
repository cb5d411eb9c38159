"""The canary: the same pixels always, a score that is known, and what is said of another."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import pytest

from bench.weightless_engine import WeightlessEngine
from core.errors import Unavailable
from cutouts.canary import canary
from cutouts.recipes import Pixels
from storage.canaries import KnownScore
from storage.record import Record
from tests.record import card, register
from tests.worker.test_scorer import MeanGrey
from worker.canary import CanaryCheck
from worker.engine import Scores
from worker.networks import VERSIONS_HELD, Networks
from worker.watched_engine import WatchedEngine


class SetEngine(WeightlessEngine):
    name, precision, device = "set-1", "float32", "cpu"
    gives: float | Exception = 0.8

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        if isinstance(self.gives, Exception):
            raise self.gives
        return np.full((len(batch), len(versions)), self.gives, np.float32)


@pytest.fixture
def engine() -> SetEngine:
    return SetEngine()


@pytest.fixture
def check(record: Record, engine: SetEngine) -> CanaryCheck:
    watched = WatchedEngine(engine)
    for version in ("rb@1", "sl@1"):
        watched.load(card(version, b""), b"")
    watched.warm(("rb@1", "sl@1"))
    return CanaryCheck(record.canaries, watched, lambda: "host:gpu0")


def test_the_canary_is_the_same_everywhere() -> None:
    pixels = canary()
    assert pixels.shape == (1, 144, 144, 1)
    assert pixels.dtype == np.uint8
    assert hashlib.sha256((pixels // 4).tobytes()).hexdigest()[:12] == "c79e4d4ce97d"
    assert pixels.min() < 60
    assert 190 < np.median(pixels) < 215


def test_an_engine_is_held_to_the_score_that_the_first_one_gave(
    check: CanaryCheck, engine: SetEngine, record: Record
) -> None:
    assert check.fault() is None
    engine.gives = 0.805
    assert check.fault() is None
    engine.gives = 0.7
    said = "rb@1 gives the canary 0.7000 on set-1; expected 0.8000 within 0.01, as host:gpu0 gave it on set-1"
    assert check.fault() == said
    engine.precision = "bfloat16"
    engine.gives = 0.75
    assert check.fault() is None
    known = record.canaries.known("rb@1", else_note=KnownScore(0.1, "another", "float32", "w"))
    assert known.score == pytest.approx(0.8)
    assert known.worker == "host:gpu0"


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (math.nan, "rb@1 gives the canary nan; expected a number from 0 to 1"),
        (1.5, "rb@1 gives the canary 1.5; expected a number from 0 to 1"),
        (RuntimeError("CUDA_ERROR_ECC"), "the engine failed on the canary: RuntimeError: CUDA_ERROR_ECC"),
    ],
)
def test_nonsense_and_a_lost_device_are_told(
    check: CanaryCheck, engine: SetEngine, gives: float | Exception, said: str
) -> None:
    engine.gives = gives
    assert check.fault() == said


def test_an_engine_without_a_model_has_no_fault(record: Record, engine: SetEngine) -> None:
    assert CanaryCheck(record.canaries, WatchedEngine(engine), lambda: "w").fault() is None


def test_networks_that_made_room_for_others_are_not_asked(record: Record) -> None:
    versions = [f"rb@{n}" for n in range(1, VERSIONS_HELD + 2)]
    register(record, *versions)
    watched = WatchedEngine(MeanGrey())
    networks = Networks(record.models, watched)
    check = CanaryCheck(record.canaries, watched, lambda: "w")
    networks.load(versions[1:-1])
    networks.load(versions[:1])
    watched.score(canary(), versions[1:2])
    networks.load(versions[-1:])
    assert versions[1] not in watched.versions
    assert check.fault() is None


def test_a_network_that_makes_room_while_the_canary_waits_for_the_engine_is_no_fault(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(record, "rb@1")
    watched = WatchedEngine(MeanGrey())
    Networks(record.models, watched).load(["rb@1"])
    check, score = CanaryCheck(record.canaries, watched, lambda: "w"), watched.score

    def dropped_first(batch: Pixels, versions: Sequence[str]) -> Scores:
        watched.drop("rb@1")
        return score(batch, versions)

    monkeypatch.setattr(watched, "score", dropped_first)
    assert check.fault() is None


def test_a_batch_that_fails_wakes_who_looks_for_the_reason(engine: SetEngine) -> None:
    watched = WatchedEngine(engine)
    assert watched.doing == ("", 0.0)
    engine.gives = Unavailable("gone")
    with pytest.raises(Unavailable):
        watched.score(canary(), ("rb@1",))
    assert watched.failed.is_set()
    assert watched.doing == ("", 0.0)
