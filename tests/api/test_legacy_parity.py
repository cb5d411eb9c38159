"""A published network, imported from its files, gives cutouts the scores that its predecessor gave them."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymongo import MongoClient

from cli.__main__ import main
from core.settings import Scoring
from cutouts.decode import decode
from models.bundle import read_weights
from models.legacy import import_published
from storage.record import Record
from tests.api.server import ROOT, ApiServer, as_admin
from tests.legacy_documents import legacy_document
from tests.models.published_network import NumpyNetwork, vgg6_as_keras_2_wrote_it, write_h5
from tests.nights import streak
from tests.record import settings_for
from worker.readers import open_reader
from worker.scorer import ShardScorer
from worker.tensorflow_engine import TensorFlowEngine

NETWORK = "abc_VGG6_20181207_151757"
CUTOUTS = 6
NUMBERS = range(900, 900 + CUTOUTS)


@pytest.fixture
def cutouts() -> dict[str, bytes]:
    """Cutouts of the sample night, as files of streaks that the predecessor knows."""
    files = sorted((ROOT / "sample" / "night" / "stamps").rglob("*.jpg"))
    chosen = files[:: len(files) // CUTOUTS][:CUTOUTS]
    return {streak(n): file.read_bytes() for n, file in zip(NUMBERS, chosen, strict=True)}


@pytest.fixture
def network(cutouts: dict[str, bytes], tmp_path: Path) -> tuple[Path, dict[str, float]]:
    """The folder of a VGG6 as Keras 2.2.4 wrote it, and its scores by numpy, in float64."""
    images = np.array([decode(data) for data in cutouts.values()], np.float32) / np.float32(255)
    network = NumpyNetwork(vgg6_as_keras_2_wrote_it(), seed=12)
    scores = network(images)[:, 0]
    assert np.ptp(scores) > 0.2
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / f"{NETWORK}.architecture.json").write_text(json.dumps(network.description))
    write_h5(folder / f"{NETWORK}.weights.h5", network.description, network.weights)
    return folder, dict(zip(cutouts, map(float, scores), strict=True))


@pytest.fixture
def theirs(mongo_url: str, network: tuple[Path, dict[str, float]]) -> Iterator[str]:
    """The database of the predecessor, whose scores come from that network."""
    name = f"test_theirs_{secrets.token_hex(4)}"
    _, scores = network
    with MongoClient[dict[str, Any]](mongo_url) as client:
        client[name]["streaks"].insert_many([legacy_document(n, rb_vgg6=scores[streak(n)]) for n in NUMBERS])
        yield name
        client.drop_database(name)


def test_scores_of_the_worker_equal_those_on_the_predecessor_s_record(
    api: ApiServer,
    api_record: Record,
    cutouts: dict[str, bytes],
    network: tuple[Path, dict[str, float]],
    theirs: str,
    tmp_path: Path,
    mongo_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = network
    version = api_record.models.next_version("rb")
    files = [folder / f"{NETWORK}.{ending}" for ending in ("architecture.json", "weights.h5")]
    card = import_published(*files, version=version, folder=tmp_path / "bundle")
    api_record.models.register(card, read_weights(tmp_path / "bundle"))
    as_admin(monkeypatch)
    uploads = [("files", (f"{name}_scimref.jpg", data)) for name, data in cutouts.items()]
    job = api.ask("POST", "/v1/jobs/score", files=uploads, data={"models": version}).json()["job"]
    settings = settings_for(
        mongo_url, redis_url, api_record.database.name, tmp_path, scoring=Scoring(batch_sizes=(1, 4))
    )
    reader = open_reader(settings, api_record, name="live", from_packs=False)
    engine = TensorFlowEngine(settings.scoring.batch_sizes)
    scorer = ShardScorer(
        api_record, engine, {"live": reader, "bulk": reader}, settings.scoring, worker="test"
    )
    for n in range(api.ask("GET", f"/v1/jobs/{job}").json()["shards"]):
        scorer.score_shard(job, n)
    capsys.readouterr()
    where = ["--database", theirs, "--collection", "streaks", "--as", f"t{secrets.token_hex(4)}"]
    where += ["--model", f"rb_vgg6=rb:{NETWORK}"]
    assert main(["--server", api.url, "--json", "import", "deepstreaks", mongo_url, *where]) == 0
    (parity,) = json.loads(capsys.readouterr().out)["parity"]
    assert (parity["after"], parity["network"]) == (version, NETWORK)
    assert (parity["n"], parity["without"]) == (CUTOUTS, 0)
    assert (parity["to_1"], parity["to_0"], parity["within"]["0.001"]) == (0, 0, 1)
    assert parity["largest"] < 1e-4
    assert parity["correlation"] > 0.9999
