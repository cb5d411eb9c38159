"""Pictures that parse, stay inside their frames and tell their figures in words."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidRequest
from cutouts.simulator import Truth, write_night
from models.__main__ import main
from models.evaluation.plots import completeness_by_peak, precision_recall, roc, score_histogram, write_plots
from models.training.fit import Plan
from models.training.labelled_images import LabelledImages
from models.training.run import run

SVG = "{http://www.w3.org/2000/svg}"
NAMES = {
    "roc",
    "roc_log",
    "precision_recall",
    "reliability",
    "scores",
    "completeness_peak",
    "completeness_length",
}


def judged(n: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], LabelledImages]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 3 > 0).astype(np.uint8)
    scores = 1 / (1 + np.exp(-rng.normal(4.0 * labels - 2, 1.2)))
    truths = [
        Truth(name="", kind="short", rb=1, sl=1, seed=0, length_px=length, angle_deg=0.0, peak_sigma=peak)
        if label
        else Truth(name="", kind="blank", rb=0, sl=None, seed=0)
        for label, length, peak in zip(
            labels, rng.uniform(5, 110, n), np.exp(rng.uniform(0.5, 4, n)), strict=True
        )
    ]
    return scores, LabelledImages(np.zeros((0, 144, 144, 1), np.uint8), labels, truths)


def words(picture: str) -> list[str | None]:
    return [element.text for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_every_picture_is_well_formed_and_inside_its_frame(tmp_path: Path) -> None:
    scores, data = judged()
    files = write_plots(
        tmp_path / "new" / "plots", scores, data, title='<rb@2> & "night"\x07', strict_threshold=0.9
    )
    assert {file.stem for file in files} == NAMES
    for file in files:
        root = ET.fromstring(file.read_text("utf-8"))
        assert root.tag == f"{SVG}svg"
        told = [element.text for element in root.iter(f"{SVG}text")]
        assert any('<rb@2> & "night"' in str(text) for text in told)
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.get("x", "-1")) <= 640
            assert 0 <= float(text.get("y", "-1")) <= 460
        for dot in root.iter(f"{SVG}circle"):
            assert 76 <= float(dot.get("cx", "0")) <= 620
            assert 40 <= float(dot.get("cy", "0")) <= 396
        assert "nan" not in file.read_text().lower().replace("name", "")


def test_pictures_have_no_ground_and_take_the_page_s_colour() -> None:
    scores, data = judged()
    picture = roc(scores, data.labels, title="rb@1")
    assert 'fill="currentColor"' in picture
    assert "background" not in picture
    assert 'fill="white"' not in picture


def test_pictures_tell_their_figures_in_words() -> None:
    scores, labels = np.array([0.1, 0.2, 0.7, 0.5, 0.3, 0.9]), np.array([0, 0, 0, 1, 1, 1], np.uint8)
    told = " ".join(map(str, words(roc(scores, labels, title="rb@1"))))
    assert "AUC 0.7778" in told
    assert "TPR 0.6667" in told
    assert "false positive rate" in told
    told = " ".join(map(str, words(precision_recall(scores, labels, title="rb@1"))))
    assert "average precision 0.8056; 50.0 % of these cutouts are ones" in told
    told = " ".join(map(str, words(score_histogram(scores, labels, title="x", classes=("bogus", "real")))))
    assert "1 of 3 bogus at 0.5 or above, 1 of 3 real below" in told


def test_extreme_scores_are_drawn_too(tmp_path: Path) -> None:
    _, data = judged()
    for scores in (data.labels.astype(float), 1.0 - data.labels, np.full(len(data.labels), 0.5)):
        assert len(write_plots(tmp_path, scores, data, title="x")) == len(NAMES)
        assert len(write_plots(tmp_path, scores, data, title="x", threshold=1.0)) == len(NAMES)


def test_completeness_without_streaks_says_so() -> None:
    labels = np.array([0, 1], np.uint8)
    truths = [Truth(name="", kind="blank", rb=0, sl=None, seed=0)] * 2
    data = LabelledImages(np.zeros((0, 144, 144, 1), np.uint8), labels, truths)
    told = words(completeness_by_peak(np.array([0.1, 0.9]), data, title="x"))
    assert "no streaks with a known length and peak" in told


def test_a_folder_that_can_t_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scores, data = judged()
    with pytest.raises(InvalidRequest, match="plots can't be written"):
        write_plots(tmp_path / "file", scores, data, title="x")


def test_evaluate_writes_figures_and_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one test of a whole network: trained for a step, evaluated on a folder by the command line."""
    monkeypatch.setattr("models.training.run.VALIDATION_COUNT", 8)
    plan = Plan(classifier="rb", dataset="sample", seed=2, count=8, epochs=1, batch_size=8)
    bundle, night = str(tmp_path / "rb"), str(tmp_path / "night")
    run(plan, version="rb@4", folder=tmp_path / "rb")
    write_night(tmp_path / "night", "sample", count=24, seed=9)
    capsys.readouterr()
    plots = tmp_path / "plots"
    assert main(["evaluate", bundle, night, "--seed", "1", "--plots", str(plots), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {
        *(
            "model",
            "dataset",
            "seed",
            "fingerprint",
            "n",
            "threshold",
            "confusion_matrix",
            "auc",
            "tpr",
            "tnr",
            "command",
        ),
        *(
            "by_kind",
            "streaks_by_peak_sigma",
            "average_precision",
            "auc_interval",
            "tpr_interval",
            "tnr_interval",
        ),
        *(
            "calibration",
            "thresholds",
            "ones_by_threshold",
            "at_prevalence",
            "by_length",
            "by_peak",
            "completeness",
            "plots",
        ),
    } == set(found)
    assert (found["model"], found["dataset"], found["n"]) == ("rb@4", night, 24)
    assert {path.stem for path in plots.iterdir()} == NAMES
    assert main(["evaluate", bundle, night, "--seed", "1", "--record"]) == 1
    assert "expected a preset" in capsys.readouterr().err
    assert main(["evaluate", bundle, "nonsense", "--seed", "1"]) == 1
    assert "no preset and no folder 'nonsense'" in capsys.readouterr().err
