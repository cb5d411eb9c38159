"""Data sets to evaluate on: presets, folders with their truth, and what is said of those that won't do."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidRequest, ServiceError, Unsafe
from cutouts.simulator import write_night
from models.evaluation.datasets import dataset_images as read_dataset
from models.evaluation.datasets import labelled_files
from models.training.labelled_images import LabelledImages

CLASSES = {"rb": ("bogus", "real"), "sl": ("long", "short"), "kd": ("ditch", "keep")}


def dataset_images(classifier: str, dataset: str, *, count: int | None, seed: int) -> LabelledImages:
    return read_dataset(
        classifier, dataset, classes=CLASSES.get(classifier, ("0", "1")), count=count, seed=seed
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_night(tmp_path / "night", "sample", count=24, seed=4)
    return tmp_path / "night"


def rewrite(folder: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Change the rows of the folder's truth."""
    with (folder / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = change(rows)
    with (folder / "truth.csv").open("w", newline="") as file:
        written = csv.DictWriter(file, list(rows[0]))
        written.writeheader()
        written.writerows(rows)


def test_a_folder_is_read_with_its_truth(folder: Path) -> None:
    found = dataset_images("rb", str(folder), count=None, seed=0)
    preset = dataset_images("rb", "sample", count=24, seed=4)
    assert [t.seed for t in found.truths] == [t.seed for t in preset.truths]
    assert np.array_equal(found.labels, preset.labels)
    assert np.abs(found.images.astype(int) - preset.images).mean() < 1.5  # JPEG at quality 100
    streaks = dataset_images("sl", str(folder), count=None, seed=0)
    assert len(streaks.labels) == int(preset.labels.sum())


def test_some_of_a_folder_are_drawn_by_the_seed(folder: Path) -> None:
    some = labelled_files(str(folder), count=9, seed=1)
    assert len(some) == 9
    assert (
        some == labelled_files(str(folder), count=9, seed=1) != labelled_files(str(folder), count=9, seed=2)
    )
    with pytest.raises(InvalidRequest, match="count is 25"):
        labelled_files(str(folder), count=25)


def broken(name: str) -> tuple[Callable[[Path], object], str]:
    """A way to break a folder, and what is said of it."""

    def images(folder: Path) -> list[Path]:
        return sorted(folder.rglob("*.jpg"))

    def missing(folder: Path) -> None:
        for path in images(folder)[:7]:
            path.unlink()

    def untold(folder: Path) -> None:
        for n in range(2):
            (folder / f"extra{n}.PNG").write_bytes(b"")

    def cut_short(folder: Path) -> None:
        images(folder)[3].write_bytes(images(folder)[3].read_bytes()[:900])

    def column(name: str, value: str) -> Callable[[Path], object]:
        return lambda folder: rewrite(folder, lambda rows: [{**rows[0], name: value}, *rows[1:]])

    return {
        "missing": (missing, r"7 of 24 files named in .* are missing: strkid.* and 2 more"),
        "untold": (untold, r"2 of 26 images in .* are not named in .*truth.csv: extra0.PNG, extra1.PNG"),
        "cut short": (cut_short, r"1 of 24 files of .* can't be decoded: strkid.*truncated"),
        "no truth": (lambda f: (f / "truth.csv").unlink(), "no truth.csv in"),
        "no rows": (lambda f: (f / "truth.csv").write_text("file,id\n"), "lacks the columns kind, rb"),
        "binary": (lambda f: (f / "truth.csv").write_bytes(b"\xff\xfe\x00"), "expected a CSV file in UTF-8"),
        "unknown kind": (column("kind", "ufo"), "line 2: kind 'ufo'"),
        "wrong label": (column("rb", "2"), "line 2: kind .* rb '2'"),
        "no number": (column("seed", "x"), "line 2: invalid literal"),
        "twice": (lambda f: rewrite(f, lambda rows: [*rows, rows[0]]), "25 rows for 24 files"),
        "one class": (only_bogus, "holds one class of it; expected both"),
        "outside": (column("file", "../../secret.jpg"), r"names '../../secret.jpg'"),
    }[name]


def only_bogus(folder: Path) -> None:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        for row in rows:
            if row["rb"] == "1":
                (folder / row["file"]).unlink()
        return [row for row in rows if row["rb"] == "0"]

    rewrite(folder, change)


@pytest.mark.parametrize(
    "name",
    [
        *("missing", "untold", "cut short", "no truth", "no rows", "binary", "unknown kind"),
        *("wrong label", "no number", "twice", "one class", "outside"),
    ],
)
def test_a_folder_that_can_t_be_judged_on_says_why(folder: Path, name: str) -> None:
    harm, said = broken(name)
    harm(folder)
    with pytest.raises(Unsafe if name == "outside" else InvalidRequest, match=said):
        dataset_images("rb", str(folder), count=None, seed=0)


@pytest.mark.parametrize(("classifier", "dataset"), [("rb", "nonsense"), ("kd", "sample"), ("kd", ".")])
def test_an_unknown_data_set_or_classifier_names_what_is_known(classifier: str, dataset: str) -> None:
    with pytest.raises(ServiceError, match="expected one of"):
        dataset_images(classifier, dataset, count=None, seed=0)


def by_class(folder: Path, names: dict[str, str]) -> Path:
    """The images of a folder with its truth, in folders called as their class."""
    root = folder.parent / "by-class"
    for path, truth in labelled_files(str(folder)):
        place = root / names[str(truth.rb)]
        place.mkdir(parents=True, exist_ok=True)
        (place / path.name).write_bytes(path.read_bytes())
    return root


@pytest.mark.parametrize("names", [{"0": "bogus", "1": "real"}, {"0": "No-Streak", "1": "streak"}])
def test_folders_called_as_the_classes_are_read(folder: Path, names: dict[str, str]) -> None:
    told = dataset_images("rb", str(folder), count=None, seed=0)
    found = dataset_images("rb", str(by_class(folder, names)), count=None, seed=0)
    order = np.argsort(told.names)
    assert sorted(found.names) == [told.names[i] for i in order]
    again = np.argsort(found.names)
    assert np.array_equal(found.images[again], told.images[order])
    assert np.array_equal(found.labels[again], told.labels[order])
    assert found.truths == []


def test_some_of_folders_by_class_are_drawn_by_the_seed(folder: Path) -> None:
    root = str(by_class(folder, {"0": "bogus", "1": "real"}))
    some = dataset_images("rb", root, count=15, seed=1)
    assert len(some.labels) == 15
    assert some.names == dataset_images("rb", root, count=15, seed=1).names
    with pytest.raises(InvalidRequest, match="count is 25"):
        dataset_images("rb", root, count=25, seed=1)


def test_a_folder_that_is_no_class_is_refused(folder: Path) -> None:
    root = by_class(folder, {"0": "bogus", "1": "real"})
    (root / "ufo").mkdir()
    (root / "ufo" / "x.jpg").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="'ufo' with 1 images; expected bogus or"):
        dataset_images("rb", str(root), count=None, seed=0)


def test_an_image_beside_the_folders_of_the_classes_is_refused(folder: Path) -> None:
    root = by_class(folder, {"0": "bogus", "1": "real"})
    (root / "x.jpg").write_bytes(b"")
    with pytest.raises(InvalidRequest, match=r"1 of 25 images in .* are in no folder of a class: x.jpg"):
        dataset_images("rb", str(root), count=None, seed=0)
