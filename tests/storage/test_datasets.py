"""Data sets are written once; what a benchmark holds back no training reads."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.dataset import DataSetCard, LabelledCutout, LeftOut, Split
from core.errors import Conflict, InvalidRequest, NotFound
from cutouts.datasets.fingerprint import fingerprint
from storage.labels import Label
from storage.record import Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def items(*numbers: int, night: str | None = None, split: Split = "train") -> list[LabelledCutout]:
    return [LabelledCutout(f"{n:064x}", f"{n:064x}", n % 2, split, night) for n in numbers]


def card(
    name: str, contents: Sequence[LabelledCutout], *, benchmark: bool = False, classifier: str = "rb"
) -> DataSetCard:
    classes = ("bogus", "real")
    return DataSetCard(
        name=name,
        classifier=classifier,
        classes=classes,
        fingerprint=fingerprint(contents, classifier=classifier, classes=classes, seed=0),
        seed=0,
        shares=(0.8, 0.1, 0.1),
        counts={"train": {"bogus": 1, "real": 1}, "validation": {}, "test": {}},
        nights={"train": 1, "validation": 0, "test": 0},
        source="folder",
        consensus="everybody",
        min_votes=1,
        left_out=(LeftOut("no_label", 2, ("a.jpg", "b.jpg")),),
        report="0" * 64,
        benchmark=benchmark,
        created=NOW,
        owner="anna",
    )


def freeze(record: Record, name: str, contents: Sequence[LabelledCutout], **more: bool | str) -> DataSetCard:
    wanted = card(name, contents, **more)  # type: ignore[arg-type]
    found, existed = record.datasets.freeze(wanted, contents)
    assert not existed
    return found


def test_a_data_set_is_read_as_it_was_written(record: Record) -> None:
    contents = items(1, 2, 3, night="20181106") + items(4, 5, split="test")
    frozen = freeze(record, "first", contents)
    assert record.datasets.get("first") == frozen
    assert record.datasets.all() == [frozen]
    assert list(record.datasets.items("first")) == contents
    assert list(record.datasets.items("first", "test")) == contents[3:]
    assert list(record.datasets.items("first", "validation")) == []


def test_the_same_contents_are_the_same_data_set(record: Record) -> None:
    contents = items(1, 2)
    frozen = freeze(record, "first", contents)
    again = replace(card("first", contents), created=NOW + timedelta(days=1), owner="ben")
    assert record.datasets.freeze(again, contents) == (frozen, True)
    assert record.datasets.freeze(card("other-name", contents), contents) == (frozen, True)
    assert len(record.datasets.all()) == 1


def test_other_contents_under_a_name_are_a_conflict(record: Record) -> None:
    freeze(record, "first", items(1, 2))
    with pytest.raises(Conflict, match="'first' has other contents"):
        record.datasets.freeze(card("first", items(1, 2, 3)), items(1, 2, 3))
    assert list(record.datasets.items("first")) == items(1, 2)


def test_items_without_a_card_are_nobodys_until_the_same_come_again(record: Record) -> None:
    contents = items(*range(20))
    unfinished = card("first", contents)
    record.datasets._insert(unfinished.fingerprint, contents[:7])
    with pytest.raises(NotFound, match="there is no data set 'first'"):
        record.datasets.items("first")
    freeze(record, "first", contents)
    assert list(record.datasets.items("first")) == contents


def test_a_classifier_has_one_benchmark(record: Record) -> None:
    freeze(record, "standing", items(1, 2, split="test"), benchmark=True)
    freeze(record, "standing-sl", items(5, 6, split="test"), benchmark=True, classifier="sl")
    with pytest.raises(Conflict, match="the benchmark of rb is 'standing'"):
        record.datasets.freeze(card("second", items(3, 4), benchmark=True), items(3, 4))


def test_a_training_reads_nothing_of_a_benchmark(record: Record) -> None:
    """Not of the benchmark itself, and not what it shares with an older data set, by content or by night."""
    older = items(1, 2, 3) + items(4, 5, night="20181106") + items(6, 7, night="20181107")
    freeze(record, "older", older)
    assert record.datasets.training_items("older", "train") == (older, [])
    held_back = items(2, split="test") + items(90, 91, night="20181106", split="test")
    freeze(record, "standing", held_back, benchmark=True)
    kept, refused = record.datasets.training_items("older", "train")
    assert kept == [*items(1, 3), *items(6, 7, night="20181107")]
    assert refused == [*items(2), *items(4, 5, night="20181106")]
    with pytest.raises(Conflict, match="'standing' is the benchmark of rb"):
        record.datasets.training_items("standing", "test")


def label(value: int, person: str = "anna", minute: int = 0, cutout: str = "a") -> Label:
    return Label(cutout, "rb", person, value, NOW + timedelta(minutes=minute))


def test_the_last_label_of_each_person_counts(record: Record) -> None:
    for given in (label(1), label(0, minute=2), label(1, minute=1), label(1, "ben"), label(0, cutout="b")):
        record.labels.put(given)
    record.labels.put(Label("a", "sl", "anna", 1, NOW))
    assert list(record.labels.of_classifier("rb")) == [
        label(0, minute=2),
        label(1, "ben"),
        label(0, cutout="b"),
    ]


def test_what_a_person_said_before_is_kept(record: Record) -> None:
    for given in (label(1), label(0, minute=2), label(1, minute=1), label(1, minute=1)):
        record.labels.put(given)
    (document,) = record.database["labels"].find()
    assert [(said["value"], said["when"]) for said in document["said"]] == [
        (given.value, given.when) for given in (label(1), label(0, minute=2), label(1, minute=1))
    ]


@pytest.mark.parametrize("value", [2, -1, True, "1", None])
def test_a_label_is_0_or_1(record: Record, value: object) -> None:
    with pytest.raises(InvalidRequest, match="expected 0 or 1"):
        record.labels.put(Label("a", "rb", "anna", value, NOW))  # type: ignore[arg-type]
