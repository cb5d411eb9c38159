"""What every engine promises, on each; TensorFlow is the reference."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from core.errors import Misconfigured
from core.model_card import ModelCard
from core.settings import Settings
from cutouts.recipes import Pixels
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
from worker.batch_engine import BatchEngine
from worker.engine import Engine, Scores
from worker.engines import check_processor, make_engine
from worker.openvino_engine import OpenVinoEngine
from worker.seat import Seat
from worker.tensorflow_engine import TensorFlowEngine
from worker.watched_engine import WatchedEngine


def openvino(sizes: tuple[int, ...], graphs: Path) -> Engine:
    return OpenVinoEngine(sizes, graphs=graphs)


def tensorflow(sizes: tuple[int, ...], graphs: Path) -> Engine:
    return TensorFlowEngine(sizes)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[ModelCard, bytes]]:
    folder = tmp_path_factory.mktemp("bundles")
    return [random_bundle(folder, version, seed=seed) for seed, version in enumerate(VERSIONS)]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module", params=[openvino, tensorflow])
def engine(request: pytest.FixtureRequest, bundles: list[tuple[ModelCard, bytes]], graphs: Path) -> Engine:
    make: Callable[[tuple[int, ...], Path], Engine] = request.param
    engine = make((1, 4, 16), graphs)
    for card, weights in bundles:
        engine.load(card, weights)
    engine.warm(VERSIONS)
    return engine


@pytest.fixture(scope="module")
def batch() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (23, 144, 144, 1), dtype=np.uint8)


class LostDevice(BatchEngine):
    """A device without a network, which answers until it is gone."""

    name, precision, device = "lost-1", "float32", "gpu"
    gone = False

    def _network(self, card: ModelCard, weights: bytes) -> None:
        return None

    def _function(self, versions: tuple[str, ...]) -> None:
        return None

    def _compile(self, networks: Sequence[Any]) -> None:
        return None

    def _start(self, run: Any, batch: Pixels) -> int:
        return len(batch)

    def _finish(self, started: int) -> Scores:
        if self.gone:
            raise RuntimeError("the device is lost")
        return np.full((started, 1), 0.5, np.float32)

    def _out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)


class SmallDevice(TensorFlowEngine):
    """Has memory for three cutouts."""

    memory = 3

    def _start(self, run: Any, batch: Pixels) -> Any:
        if len(batch) > self.memory:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return super()._start(run, batch)


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_is_not_tried_whole_again(
    bundles: list[tuple[ModelCard, bytes]], batch: Pixels
) -> None:
    small = SmallDevice((1, 4, 16))
    for card, weights in bundles:
        small.load(card, weights)
    assert small.score(batch, VERSIONS).shape == (23, 2)
    assert small._sizes == (1, 2)
    small.memory = 0
    with pytest.raises(tf.errors.ResourceExhaustedError):
        small.score(batch, VERSIONS)


def test_engines_agree(bundles: list[tuple[ModelCard, bytes]], batch: Pixels, graphs: Path) -> None:
    scores = []
    for make in (openvino, tensorflow):
        engine = make((16,), graphs)
        for card, weights in bundles:
            engine.load(card, weights)
        scores.append(engine.score(batch, VERSIONS))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_a_network_is_frozen_once_and_a_damaged_graph_is_made_anew(
    bundles: list[tuple[ModelCard, bytes]], batch: Pixels, graphs: Path
) -> None:
    card, weights = bundles[0]
    OpenVinoEngine((16,), graphs=graphs).load(card, weights)
    (kept,) = graphs.glob("rb@1-*.pb")
    made = kept.stat().st_mtime_ns
    OpenVinoEngine((16,), graphs=graphs).load(card, weights)
    assert kept.stat().st_mtime_ns == made
    kept.write_bytes(kept.read_bytes()[:1000])
    engine = OpenVinoEngine((16,), graphs=graphs)
    engine.load(card, weights)
    assert engine.score(batch[:2], ["rb@1"]).shape == (2, 1)


def test_networks_are_frozen_side_by_side_and_one_that_can_not_be_does_not_keep_the_others_from_it(
    bundles: list[tuple[ModelCard, bytes]], batch: Pixels, tmp_path: Path
) -> None:
    (card, weights), whole = bundles
    engine = OpenVinoEngine((16,), graphs=tmp_path)
    with pytest.raises(Misconfigured, match="says 7 parameters; vgg6 has 2114033"):
        engine.prepare([(card.model_copy(update={"parameters": 7}), weights), whole])
    (kept,) = tmp_path.glob("*.pb")
    made = kept.stat().st_mtime_ns
    assert engine.versions == ()
    engine.prepare(bundles)
    assert len(list(tmp_path.glob("*.pb"))) == 2
    for bundle in bundles:
        engine.load(*bundle)
    assert kept.stat().st_mtime_ns == made
    assert engine.score(batch[:2], ["rb@1", "sl@1"]).shape == (2, 2)


def test_a_graph_of_another_network_is_refused(
    bundles: list[tuple[ModelCard, bytes]], graphs: Path, tmp_path: Path
) -> None:
    for card, weights in bundles:
        OpenVinoEngine((16,), graphs=graphs).load(card, weights)
    (rb,), (sl,) = graphs.glob("rb@1-*.pb"), graphs.glob("sl@1-*.pb")
    (tmp_path / rb.name).write_bytes(sl.read_bytes())
    (tmp_path / rb.name).with_suffix(".npz").write_bytes(rb.with_suffix(".npz").read_bytes())
    with pytest.raises(Misconfigured, match="off what TensorFlow does"):
        OpenVinoEngine((16,), graphs=tmp_path).load(*bundles[0])


def test_weights_of_another_architecture_are_refused_with_both_named(
    bundles: list[tuple[ModelCard, bytes]], tmp_path: Path
) -> None:
    card, weights = bundles[0]
    with pytest.raises(Misconfigured, match="says 7 parameters; vgg6 has 2114033"):
        OpenVinoEngine((16,), graphs=tmp_path).load(card.model_copy(update={"parameters": 7}), weights)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_can_not_hold_graphs_is_named(
    bundles: list[tuple[ModelCard, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("no folder")
    with pytest.raises(Misconfigured, match="taken: File exists; expected a writable folder"):
        OpenVinoEngine((16,), graphs=tmp_path / "taken").load(*bundles[0])
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Misconfigured, match=r"1 MiB are free in .*; the graph of rb@1 wants 16"):
        OpenVinoEngine((16,), graphs=tmp_path / "graphs").load(*bundles[0])


def test_a_processor_without_avx2_is_refused_and_others_are_not(tmp_path: Path) -> None:
    check_processor()
    told = tmp_path / "cpuinfo"
    told.write_text("model name\t: Old Chip\nflags\t\t: fpu sse4_2 avx\n")
    with pytest.raises(Misconfigured, match=r"\(Old Chip\) has no AVX2"):
        check_processor(told)
    told.write_text("processor\t: 0\nFeatures\t: fp asimd\n")  # as ARM tells it
    check_processor(told)


def test_a_device_that_is_lost_in_the_middle_fails_the_batch_and_is_reported(batch: Pixels) -> None:
    lost = LostDevice((4,))
    watched = WatchedEngine(lost, room=4)
    assert watched.score(batch[:4], ["rb@1"]).shape == (4, 1)
    lost.gone = True
    with pytest.raises(RuntimeError, match="device is lost"):
        watched.score(batch, ["rb@1"])
    assert watched.failed.is_set()


def test_a_worker_on_a_cpu_loads_no_tensorflow() -> None:
    told = (
        "import sys, worker.process, worker.openvino_engine; print({'tensorflow', 'keras'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


SEAT = Seat("cpu", "cpu", "-1", allow_cpu=False, token="t", faults="f", pulse="p")


@pytest.mark.parametrize(
    ("wanted", "seat", "said"),
    [
        ("jax", SEAT, "'jax', which is not installed; here are openvino, tensorflow"),
        (
            "openvino",
            Seat("gpu0", "gpu0", "0", allow_cpu=False, token="t", faults="f", pulse="p"),
            "scores on the CPU",
        ),
    ],
)
def test_an_engine_that_can_t_run_is_refused_not_changed(wanted: str, seat: Seat, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        make_engine(Settings.model_validate({"scoring": {"engine": wanted}}), seat)


def test_a_cpu_s_seat_gets_openvino(tmp_path: Path) -> None:
    engine, _ = make_engine(Settings(state_dir=tmp_path), SEAT)
    assert engine.name.startswith("openvino-20")
    assert (engine.precision, engine.device) == ("float32", "cpu")


def test_a_precision_that_an_engine_lacks_is_refused(tmp_path: Path) -> None:
    wanted = {"state_dir": tmp_path, "scoring": {"engine": "openvino", "precision": "tf32x2"}}
    with pytest.raises(Misconfigured, match="only 'jax' has; the engine here is 'openvino'"):
        make_engine(Settings.model_validate(wanted), SEAT)
