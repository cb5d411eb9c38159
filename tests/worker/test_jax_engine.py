"""What every engine promises, on JAX: `KERAS_BACKEND=jax python -m pytest tests/worker/test_jax_engine.py`.

Where JAX is not installed, or Keras runs on another library, all of it is skipped.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if os.environ.get("KERAS_BACKEND") != "jax":
    pytest.skip("KERAS_BACKEND is not jax", allow_module_level=True)
pytest.importorskip(
    "jax", reason="KERAS_BACKEND is jax, and jax is not installed; expected requirements-gpu.txt"
)

import keras

from core.errors import Misconfigured
from core.model_card import ModelCard
from core.settings import Settings
from cutouts.recipes import Pixels
from models.architectures import build
from models.bundle import read_weights, write_bundle
from tests.worker.conformance import (
    VERSIONS,
    test_a_dropped_network_is_gone_and_the_others_stay,  # noqa: F401
    test_a_score_does_not_depend_on_its_batch_or_order,  # noqa: F401
    test_a_score_does_not_depend_on_which_versions_run_beside_it,  # noqa: F401
    test_a_score_per_cutout_and_version_within_0_and_1,  # noqa: F401
    test_batches_begun_one_behind_the_other_score_as_each_alone,  # noqa: F401
    test_no_cutouts_give_no_scores,  # noqa: F401
)
from tests.worker.networks import random_bundle
from worker.admission import probes
from worker.admitted_engine import AdmittedEngine
from worker.engines import make_engine
from worker.jax_engine import JaxEngine, Precision
from worker.seat import Seat
from worker.split_convolution import whole_kernel

SEAT = Seat("cpu", "cpu", "-1", allow_cpu=False, token="t", faults="f", pulse="p")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[ModelCard, bytes]]:
    folder = tmp_path_factory.mktemp("bundles")
    return [random_bundle(folder, version, seed=seed) for seed, version in enumerate(VERSIONS)]


@pytest.fixture(scope="module", params=["float32", "tf32x2"])
def engine(request: pytest.FixtureRequest, bundles: list[tuple[ModelCard, bytes]]) -> JaxEngine:
    return held(JaxEngine((1, 4, 16), precision=request.param), bundles)


def held(engine: JaxEngine, bundles: list[tuple[ModelCard, bytes]]) -> JaxEngine:
    for card, weights in bundles:
        engine.load(card, weights)
    engine.warm(engine.versions)
    return engine


@pytest.fixture(scope="module")
def batch() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (23, 144, 144, 1), dtype=np.uint8)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("architecture", ["vgg6", "resnet50"])
def test_split_convolutions_give_the_scores_of_float32(
    architecture: str, dtype: str, batch: Pixels, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(5)
    card = write_bundle(tmp_path, build(architecture), version="rb@7", architecture=architecture, dtype=dtype)
    bundle = [(card, read_weights(tmp_path))]
    ways: tuple[Precision, ...] = ("float32", "tf32x2")
    exact, split = (held(JaxEngine((8,), precision=one), bundle).score(batch[:8], ["rb@7"]) for one in ways)
    assert np.ptp(exact) > 0
    np.testing.assert_allclose(split, exact, atol=1e-5)


def test_a_kernel_of_more_than_11_bits_is_refused_by_the_layer_s_name() -> None:
    kernel = np.random.default_rng(2).normal(size=(3, 3, 4, 5)).astype(np.float32)
    with pytest.raises(Misconfigured, match="the kernel of conv7 has more than 11 bits"):
        whole_kernel(kernel, "conv7")
    kernel[..., 1] = 0
    whole, scale = whole_kernel(kernel.astype(np.float16).astype(np.float32), "conv7")
    np.testing.assert_array_equal(whole * scale, kernel.astype(np.float16))


def test_a_network_is_admitted_where_its_scores_stay(bundles: list[tuple[ModelCard, bytes]]) -> None:
    engine = held(AdmittedEngine((4,), precision="tf32x2", strict=True, count=32), bundles)
    assert engine.precision == "tf32x2"


def test_a_network_that_is_not_admitted_is_scored_in_float32_with_all_others_or_refused(
    bundles: list[tuple[ModelCard, bytes]], batch: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras.utils.set_random_seed(6)
    card = write_bundle(tmp_path, build("vgg6"), version="kd@7", architecture="vgg6", dtype="float32")
    wide = card, read_weights(tmp_path)
    engine = held(AdmittedEngine((4,), precision="tf32x2", strict=False, count=32), bundles)
    engine.load(*wide)
    assert engine.precision == "float32"
    plain = held(JaxEngine((4,)), [*bundles, wide])
    everything = [*VERSIONS, "kd@7"]
    np.testing.assert_array_equal(engine.score(batch[:4], everything), plain.score(batch[:4], everything))
    strict = AdmittedEngine((4,), precision="tf32x2", strict=True, count=32)
    with pytest.raises(Misconfigured, match="kd@7 is not scored in tf32x2: the kernel of conv1"):
        strict.load(*wide)
    monkeypatch.setattr("worker.admission.DELTA", 0.0)
    with pytest.raises(Misconfigured, match=r"scores differ from float32's by up to .*; at most 0 and 0"):
        strict.load(*bundles[0])
    assert strict.versions == ()


def test_probes_are_as_many_different_cutouts() -> None:
    found = probes(40)
    assert found.shape == (40, 144, 144, 1)
    assert len({one.tobytes() for one in found}) == 40


class SmallDevice(JaxEngine):
    """Has memory for three cutouts."""

    def _start(self, run: Any, batch: Pixels) -> Any:
        if len(batch) > 3:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return super()._start(run, batch)


def test_a_batch_that_does_not_fit_is_halved(bundles: list[tuple[ModelCard, bytes]], batch: Pixels) -> None:
    assert held(SmallDevice((1, 4, 16)), bundles).score(batch, VERSIONS).shape == (23, 2)


def test_a_precision_that_the_device_lacks_is_refused_and_auto_is_float32(tmp_path: Path) -> None:
    def wanted(precision: str) -> Settings:
        return Settings.model_validate(
            {"state_dir": tmp_path, "scoring": {"engine": "jax", "precision": precision}}
        )

    with pytest.raises(Misconfigured, match=r"compute capability 8\.0 or newer; JAX scores on cpu here"):
        make_engine(wanted("tf32x2"), SEAT)
    engine, _ = make_engine(wanted("auto"), SEAT)
    assert (engine.precision, engine.device) == ("float32", "cpu")
