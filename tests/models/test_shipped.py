"""The networks that ship: cards, figures, real cutouts."""

import hashlib
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from core.model_card import ModelCard
from cutouts.decode import decode
from cutouts.recipes import RECIPES
from models.bundle import SHIPPED, find_bundle, load_network, read_card, read_weights
from models.evaluation import figures, score_images
from models.training.preset_images import preset_images
from tests.simulated_cutouts import VERSION, simulated_cutouts

REAL = Path(__file__).parents[2].parent / "shared" / "real-cutouts"
Shipped = tuple[str, ModelCard, keras.Model]


@pytest.fixture(scope="module", params=sorted(path.name.replace("-", "@") for path in SHIPPED.iterdir()))
def shipped(request: pytest.FixtureRequest) -> Shipped:
    folder = find_bundle(request.param)
    card = read_card(folder)
    return request.param, card, load_network(card, read_weights(folder))


def test_a_shipped_card_tells_what_ships(shipped: Shipped) -> None:
    version, card, network = shipped
    data = read_weights(find_bundle(version))
    assert card.version == version
    assert card.weights.sha256 == hashlib.sha256(data).hexdigest()
    assert card.weights.bytes == len(data) < 20_000_000
    assert card.weights.dtype == ("int8" if card.architecture == "resnet50" else "float16")
    assert card.parameters == network.count_params()
    assert {"seed", "epochs", "hardware", "seconds", "command"} <= card.training.keys()
    assert card.training.keys() & {"preset", "dataset"}


def test_every_figure_of_a_shipped_card_has_its_command(shipped: Shipped) -> None:
    version, card, _ = shipped
    assert card.metrics
    for preset, found in card.metrics.items():
        words = shlex.split(found["command"])
        assert words[:6] == ["python", "-m", "models", "evaluate", version, preset]
        assert words[words.index("--seed") + 1] == str(found["seed"]) != str(card.training["seed"])
        assert words[-1] == "--json"


def test_a_shipped_network_separates_fresh_cutouts(shipped: Shipped) -> None:
    _, card, network = shipped
    data = preset_images(card.classifier, f"{card.classifier}-2018.9", count=300, seed=77)
    found = figures(score_images(network, data.images), data)
    assert found["auc"] > 0.97


def test_the_scores_that_labelling_is_tested_with_are_those_of_their_network() -> None:
    folder = find_bundle(VERSION)
    network = load_network(read_card(folder), read_weights(folder))
    cutouts = simulated_cutouts()[::10]
    scores = score_images(network, np.stack([decode(cutout.data) for cutout in cutouts]))
    assert scores == pytest.approx([cutout.score for cutout in cutouts], abs=1e-3)


def test_a_shipped_network_holds_on_real_cutouts(shipped: Shipped) -> None:
    _, card, network = shipped
    files = sorted(REAL.glob("*.*g"))
    if not files:
        pytest.skip("the real cutouts are not in ../shared/real-cutouts")
    images = np.stack([RECIPES[card.recipe](Image.open(file)) for file in files])
    scores = dict(zip([file.name for file in files], score_images(network, images), strict=True))
    streaks = {name: score for name, score in scores.items() if not name.startswith("bogus")}
    if card.classifier == "rb":
        assert min(streaks.values()) >= 0.5, scores
        assert max(score for name, score in scores.items() if name.startswith("bogus")) < 0.2, scores
    else:
        assert streaks.pop("long_satellite_trail.png") < 0.5
        assert sum(score >= 0.5 for score in streaks.values()) >= 8, scores
