"""What to evaluate on: a simulated preset, or a folder of cutouts with their truth or in folders by class."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np

from core.errors import CutoutRejected, InvalidRequest, TooLarge, Unsafe
from cutouts.datasets.classes import KNOWN, Classes, classes_of
from cutouts.datasets.folder import folder_votes
from cutouts.datasets.votes import Image
from cutouts.decode import DecodeLimits, decode
from cutouts.recipes import SIZE_PX
from cutouts.simulator import PRESETS, STREAK_KINDS, Kind, Truth
from cutouts.simulator.night import TRUTH_COLUMNS
from models.training.labelled_images import LabelledImages
from models.training.preset_images import CLASSIFIERS, preset_images

TRUTH_FILE = "truth.csv"
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_NAMED = 5

Labelled = TypeVar("Labelled", bound=tuple[Path, object])


def dataset_images(
    classifier: str,
    dataset: str,
    *,
    classes: tuple[str, str],
    count: int | None,
    seed: int,
    on_part: Callable[[], None] = lambda: None,
) -> LabelledImages:
    """A preset, a folder that `simulate` wrote, or one with a folder for each class, as a classifier sees it.

    Of what was simulated sl gets the streaks only. The folders of classes are called as the classifier's
    `classes`, or as `cutouts.datasets` knows them. The seed draws a preset's cutouts, or, with `count`, that
    many of a folder's. `on_part` is called as by `preset_images`, for a preset alone.

    Raises InvalidRequest for neither preset nor folder, a truth and files that do not match, folders that are
    no class, files that can't be decoded, or one class only.
    """
    if dataset in PRESETS:
        return preset_images(classifier, dataset, count=count, seed=seed, on_part=on_part)
    root, known = Path(dataset), classes_of(classifier, None if classifier in KNOWN else classes)
    if not (root / TRUTH_FILE).exists() and _is_by_class(root, known):
        by_class = _chosen(_files_by_class(root, known), dataset, count=count, seed=seed)
        return _read(classifier, dataset, [path for path, _ in by_class], [label for _, label in by_class])
    if classifier not in CLASSIFIERS:
        raise InvalidRequest(f"no known truth for {classifier!r}; expected one of {', '.join(CLASSIFIERS)}")
    files = labelled_files(dataset, count=count, seed=seed)
    if classifier == "sl":
        files = [(path, truth) for path, truth in files if truth.sl is not None]
    paths, truths = [path for path, _ in files], [truth for _, truth in files]
    labels = [truth.rb if classifier == "rb" else int(truth.sl or 0) for truth in truths]
    return _read(classifier, dataset, paths, labels, truths)


def _read(
    classifier: str, dataset: str, files: Sequence[Path], told: Sequence[int], truths: Sequence[Truth] = ()
) -> LabelledImages:
    """Files decoded, with their labels; raises InvalidRequest for one class only and for damaged files."""
    labels = np.array(told, np.uint8)
    if len(set(labels.tolist())) < 2:
        raise InvalidRequest(
            f"{dataset} with {len(files)} cutouts of {classifier} holds one class of it; expected both"
        )
    images = np.empty((len(files), SIZE_PX, SIZE_PX, 1), np.uint8)
    unreadable = []
    for n, path in enumerate(files):
        try:
            images[n] = decode(read_image(path))
        except CutoutRejected as error:
            unreadable.append(f"{path.name} ({error})")
    _refuse(unreadable, f"of {len(files)} files of {dataset} can't be decoded", expected="whole cutouts")
    return LabelledImages(images, labels, list(truths), [path.name for path in files])


def _is_by_class(root: Path, classes: Classes) -> bool:
    return root.is_dir() and any(
        folder.is_dir() and classes.label_of(folder.name) is not None for folder in root.iterdir()
    )


def _files_by_class(root: Path, classes: Classes) -> list[tuple[Path, int]]:
    """The images below folders that are called as classes, with their labels, by name.

    Raises InvalidRequest for images in other folders, or beside those of the classes.
    """
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if _is_image(path))
    votes = folder_votes([Image(name, None) for name in names], classes).votes
    told = {vote.image for vote in votes}
    _refuse(
        [name for name in names if name not in told],
        f"of {len(names)} images in {root} are in no folder of a class",
        expected=classes.expected,
    )
    return [(root / vote.image, vote.label) for vote in votes]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def labelled_files(folder: str, *, count: int | None = None, seed: int = 0) -> list[tuple[Path, Truth]]:
    """A folder's images and their truths, in the order of its truth.csv; with `count`, that many by the seed.

    Raises InvalidRequest when there is no such folder or truth, when a row is malformed, or when the truth
    names files that are not there or images are there without a truth, counted and named; Unsafe when the
    truth names a file outside the folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidRequest(
            f"no preset and no folder {folder!r}; expected one of {', '.join(PRESETS)}, "
            f"or a folder with a {TRUTH_FILE} or with a folder for each class"
        )
    found = [(_inside(root, file), truth) for file, truth in _rows(root / TRUTH_FILE)]
    images = {path for path in root.rglob("*") if _is_image(path)}
    told = {path for path, _ in found}
    what = f"named in {root / TRUTH_FILE}"
    _refuse([p.name for p, _ in found if not p.is_file()], f"of {len(found)} files {what} are missing")
    _refuse(
        sorted(path.name for path in images - told), f"of {len(images)} images in {folder} are not {what}"
    )
    if len(told) < len(found):
        raise InvalidRequest(
            f"{len(found)} rows for {len(told)} files in {root / TRUTH_FILE}; expected one each"
        )
    return _chosen(found, folder, count=count, seed=seed)


def _chosen(found: list[Labelled], folder: str, *, count: int | None, seed: int) -> list[Labelled]:
    """All, or `count` of them by the seed, in their order."""
    if count is None:
        return found
    if not 1 <= count <= len(found):
        raise InvalidRequest(f"count is {count}; {folder} has 1 to {len(found)}")
    chosen = np.random.default_rng(seed).permutation(len(found))[:count]
    return [found[index] for index in sorted(chosen.tolist())]


def read_image(path: Path) -> bytes:
    """A file's bytes; raises TooLarge over the decoder's limit, InvalidRequest when it can't be read."""
    most = DecodeLimits().max_bytes
    try:
        size = path.stat().st_size
        if size > most:
            raise TooLarge(f"{path} has {size} bytes; expected at most {most}")
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} can't be read: {error.strerror}") from error


def _rows(path: Path) -> list[tuple[str, Truth]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in TRUTH_COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise InvalidRequest(
                    f"{path} lacks the columns {', '.join(missing)}; expected {', '.join(TRUTH_COLUMNS)}"
                )
            rows = [_truth(row, f"{path}, line {reader.line_num}") for row in reader]
    except FileNotFoundError as error:
        raise InvalidRequest(
            f"no {TRUTH_FILE} in {path.parent}; expected a folder that `simulate` wrote"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{path} can't be read: {error}; expected a CSV file in UTF-8") from error
    if not rows:
        raise InvalidRequest(f"{path} has no rows; expected one for each cutout")
    return rows


def _truth(row: dict[str, str | None], where: str) -> tuple[str, Truth]:
    told = {column: (row[column] or "").strip() for column in TRUTH_COLUMNS}
    kind: Kind | None = next((known for known in get_args(Kind) if known == told["kind"]), None)
    streak = kind in STREAK_KINDS
    if kind is None or told["rb"] != str(int(streak)) or told["sl"] not in (("0", "1") if streak else ("",)):
        raise InvalidRequest(
            f"{where}: kind {told['kind']!r}, rb {told['rb']!r}, sl {told['sl']!r}; expected rb 1 and "
            f"sl 0 or 1 for {', '.join(STREAK_KINDS)}, rb 0 and no sl for the other kinds of the simulator"
        )
    try:
        return told["file"], Truth(
            name=told["id"],
            kind=kind,
            rb=int(told["rb"]),
            sl=int(told["sl"]) if told["sl"] else None,
            seed=int(told["seed"]),
            length_px=_number(told["length_px"]),
            angle_deg=_number(told["angle_deg"]),
            peak_sigma=_number(told["peak_sigma"]),
        )
    except ValueError as error:
        raise InvalidRequest(f"{where}: {error}; expected numbers as `simulate` writes them") from error


def _number(text: str) -> float | None:
    value = float(text) if text else None
    if value is not None and not np.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _inside(root: Path, file: str) -> Path:
    path = root / file
    if not file or "\0" in file or not path.resolve().is_relative_to(root.resolve()):
        raise Unsafe(f"{TRUTH_FILE} names {file!r}; expected a file inside {root}")
    return path


def _refuse(named: Sequence[str], said: str, *, expected: str = "one row of truth for each image") -> None:
    if named:
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        raise InvalidRequest(f"{len(named)} {said}: {', '.join(named[:_NAMED])}{more}; expected {expected}")
