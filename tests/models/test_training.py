"""Training: killed and resumed, refused and failed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidRequest, Misconfigured
from models.architectures import build
from models.bundle import read_card
from models.evaluation import evaluate_bundle, score_images
from models.training.failures import OutOfMemory, TrainingFailed
from models.training.fit import Plan, Watch, train
from models.training.labelled_images import LabelledImages
from models.training.preset_images import preset_images
from models.training.recipes import RECIPES
from models.training.run import run

PLAN = Plan(classifier="rb", dataset="sample", seed=5, count=24, epochs=2, batch_size=8)


class Killed(BaseException):
    """Stands for the process's end: nothing may catch it."""


@pytest.fixture(scope="module")
def data() -> LabelledImages:
    return preset_images("rb", "sample", count=24, seed=5)


def test_a_killed_training_goes_on_from_its_last_epoch_to_the_same_weights(
    data: LabelledImages, tmp_path: Path
) -> None:
    def kill(figures: dict[str, float]) -> None:
        raise Killed

    undisturbed = train(PLAN, data, data, folder=tmp_path / "undisturbed")
    with pytest.raises(Killed):
        train(PLAN, data, data, folder=tmp_path / "killed", watch=Watch(on_epoch=kill))
    (tmp_path / "killed" / ".checkpoint.npz.partial").write_bytes(b"half a checkpoint")
    told: list[dict[str, float]] = []
    resumed = train(PLAN, data, data, folder=tmp_path / "killed", watch=Watch(on_epoch=told.append))
    assert [figures["epoch"] for figures in told] == [2]
    assert [figures["epoch"] for figures in resumed.history] == [1, 2]
    for a, b in zip(undisturbed.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_a_checkpoint_of_another_plan_is_refused(data: LabelledImages, tmp_path: Path) -> None:
    plan = Plan(classifier="rb", dataset="sample", seed=5, count=24, epochs=1, batch_size=8)
    train(plan, data, data, folder=tmp_path)
    with pytest.raises(Misconfigured, match="choose another folder"):
        train(PLAN, data, data, folder=tmp_path)


def test_a_training_goes_on_in_the_precision_of_another_device(data: LabelledImages, tmp_path: Path) -> None:
    def kill(figures: dict[str, float]) -> None:
        raise Killed

    with pytest.raises(Killed):
        train(replace(PLAN, precision="bfloat16"), data, data, folder=tmp_path, watch=Watch(on_epoch=kill))
    longer = train(replace(PLAN, precision="float32"), data, data, folder=tmp_path)
    assert [figures["epoch"] for figures in longer.history] == [1, 2]


def test_a_loss_that_is_not_a_number_ends_the_training_with_a_reason(
    data: LabelledImages, tmp_path: Path
) -> None:
    plan = Plan(classifier="rb", dataset="sample", seed=5, epochs=1, batch_size=8, learning_rate=float("nan"))
    with pytest.raises(TrainingFailed, match=r"epoch 1 ended with .*expected finite"):
        train(plan, data, data, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_writes_a_bundle_that_evaluates_and_records_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.run.VALIDATION_COUNT", 16)
    plan = Plan(classifier="sl", dataset="sl-2018.9", seed=2, count=16, epochs=1, batch_size=8)
    card = run(plan, version="sl@4", folder=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"card.json", "weights.npz"}
    assert card.training["command"].startswith(
        "python -m models train sl --dataset sl-2018.9 --seed 2 --count 16"
    )
    found = evaluate_bundle(str(tmp_path), "sample", seed=3, count=40, record=True)
    assert found["n"] == 20
    assert sum(map(sum, found["confusion_matrix"])) == 20
    assert read_card(tmp_path).metrics["sample"] == found


def test_scores_do_not_depend_on_the_batch(data: LabelledImages, tmp_path: Path) -> None:
    monkey = train(
        Plan(classifier="rb", dataset="sample", seed=5, epochs=1, batch_size=8), data, data, folder=tmp_path
    ).network
    whole = score_images(monkey, data.images)
    halves = np.concatenate([score_images(monkey, half, batch_size=7) for half in np.split(data.images, 2)])
    np.testing.assert_allclose(whole, halves, atol=1e-5)


def test_sl_sees_streaks_only() -> None:
    found = preset_images("sl", "sample", count=40, seed=1)
    assert len(found.images) == 20
    assert {truth.rb for truth in found.truths} == {1}
    assert set(found.labels.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("classifier", "preset", "count", "said"),
    [
        ("kd", "sample", 10, "no simulated labels for 'kd'"),
        ("rb", "sl-2018.9", 10, "one class of rb"),
        ("sl", "sample", 1, "one class of sl"),
        ("rb", "nonsense", 10, "no preset 'nonsense'"),
    ],
)
def test_data_that_can_t_be_trained_on_are_refused(
    classifier: str, preset: str, count: int, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        preset_images(classifier, preset, count=count, seed=1)


def test_a_training_stops_within_a_batch_and_goes_on_from_the_epoch_before(
    data: LabelledImages, tmp_path: Path
) -> None:
    batches = 0

    def stop() -> None:
        nonlocal batches
        batches += 1
        if batches == 4:
            raise Killed

    with pytest.raises(Killed):
        train(PLAN, data, data, folder=tmp_path, watch=Watch(on_batch=stop))
    assert batches == 4
    assert [figures["epoch"] for figures in train(PLAN, data, data, folder=tmp_path).history] == [1, 2]


def test_a_loss_that_stops_being_a_number_ends_a_long_epoch_early(
    data: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.fit.LOSS_CHECKED_EVERY", 2)
    plan = replace(PLAN, batch_size=2, learning_rate=float("nan"))
    with pytest.raises(TrainingFailed, match=r"epoch 1, batch 3: the loss is nan"):
        train(plan, data, data, folder=tmp_path)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 2 GiB")])
def test_a_batch_that_does_not_fit_says_what_would(
    error: Exception, data: LabelledImages, tmp_path: Path
) -> None:
    def exhaust() -> None:
        raise error

    with pytest.raises(OutOfMemory, match=r"vgg6 with batches of 8 .* batch size of 4 or less"):
        train(PLAN, data, data, folder=tmp_path, watch=Watch(on_batch=exhaust))


def test_it_stops_when_the_validation_no_longer_gets_better(
    data: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.7, 0.5, 0.6, 0.55, 0.9, 0.4])

    def figures(*_: object) -> dict[str, float]:
        return {"validation_loss": next(losses), "validation_accuracy": 0.5}

    monkeypatch.setattr("models.training.fit._figures", figures)
    patient = replace(RECIPES["default"], patience=2)
    monkeypatch.setattr("models.training.fit.RECIPES", {"default": patient})
    trained = train(replace(PLAN, epochs=6), data, data, folder=tmp_path)
    assert [figures["validation_loss"] for figures in trained.history] == [0.7, 0.5, 0.6, 0.55]
    assert trained.best_loss == 0.5


def test_what_is_kept_is_the_average_and_the_training_goes_on_from_the_weights(
    data: LabelledImages, tmp_path: Path
) -> None:
    averaged = train(PLAN, data, data, folder=tmp_path / "averaged").network.get_weights()
    checkpoint = np.load(tmp_path / "averaged" / "checkpoint.npz")
    names = [name for name in checkpoint.files if name.startswith("state_")][: len(averaged)]
    assert any(not np.allclose(a, checkpoint[n], atol=1e-6) for a, n in zip(averaged, names, strict=True))


def test_the_recipe_of_2018_is_plain(data: LabelledImages, tmp_path: Path) -> None:
    trained = train(replace(PLAN, recipe="2018", epochs=1), data, data, folder=tmp_path)
    assert [figures["epoch"] for figures in trained.history] == [1]


def test_a_training_starts_from_given_weights(data: LabelledImages, tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=1, learning_rate=0.0)
    first = [np.full_like(w, 0.01) for w in build("vgg6").get_weights()]
    kept = train(plan, data, data, folder=tmp_path, first_weights=first).network
    for a, b in zip(kept.trainable_variables, build("vgg6").trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), np.full(b.shape, 0.01), atol=1e-6)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    plan = Plan(
        classifier="sl",
        dataset="sl-2018.9",
        seed=2,
        count=16,
        architecture="resnet50",
        epochs=1,
        batch_size=8,
        start_from="sl@2",
    )
    with pytest.raises(InvalidRequest, match="sl@2 is a vgg6; expected a resnet50"):
        run(plan, version="sl@4", folder=tmp_path)
