"""Pictures of labelling data sets: each name once, and never other bytes under it."""

from datetime import UTC, datetime

import pytest

from core.errors import Conflict, NotFound
from core.project import LabelDataset, LabelItem, new_id
from storage.label_datasets import Added, item_id
from storage.record import Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def added(record: Record, project: str = "p") -> LabelDataset:
    dataset = LabelDataset(
        id=new_id(), project=project, name="night", description="", origin="", created=NOW, last_modified=NOW
    )
    record.label_datasets.add(dataset)
    return dataset


def items(*names: str, content: str = "0") -> list[LabelItem]:
    return [LabelItem(item_id(name), name, f"{content}-{name}", content * 64) for name in names]


def test_items_are_read_by_name(record: Record) -> None:
    dataset, other = added(record), added(record)
    names = [f"{n:03}.jpg" for n in range(50)]
    assert record.label_datasets.add_items(dataset, items(*reversed(names))) == Added(50, 0, ())
    assert [item.name for item in record.label_datasets.items(dataset)] == names
    page = record.label_datasets.items(dataset, after="009.jpg", limit=3)
    assert [item.name for item in page] == ["010.jpg", "011.jpg", "012.jpg"]
    assert record.label_datasets.count([dataset.id, other.id]) == {dataset.id: 50}
    (wanted,) = items("007.jpg")
    assert record.label_datasets.find_items(dataset, [wanted.id, "none"]) == {wanted.id: wanted}


def test_the_same_again_changes_nothing_and_other_bytes_are_a_conflict(record: Record) -> None:
    dataset = added(record)
    record.label_datasets.add_items(dataset, items("a.jpg", "b.jpg"))
    again = [*items("a.jpg"), *items("b.jpg", content="1"), *items("c.jpg")]
    assert record.label_datasets.add_items(dataset, again) == Added(1, 1, ("b.jpg",))
    assert [i.sha256 for i in record.label_datasets.items(dataset)] == ["0" * 64] * 3


def test_one_name_twice_in_one_upload(record: Record) -> None:
    dataset = added(record)
    twice = [*items("a.jpg"), *items("a.jpg"), *items("a.jpg", content="1")]
    assert record.label_datasets.add_items(dataset, twice) == Added(1, 1, ("a.jpg",))


def test_a_fault_stands_until_a_file_of_its_name_was_taken_in(record: Record) -> None:
    dataset = added(record)
    record.label_datasets.note_faults(dataset, [("b.jpg", "truncated"), ("a.svg", "no image")])
    record.label_datasets.note_faults(dataset, [("b.jpg", "flat")])
    assert [(f.name, f.fault) for f in record.label_datasets.faults(dataset)] == [
        ("a.svg", "no image"),
        ("b.jpg", "flat"),
    ]
    record.label_datasets.add_items(dataset, items("b.jpg"))
    assert [f.name for f in record.label_datasets.faults(dataset)] == ["a.svg"]


def test_another_projects_data_set_is_not_found(record: Record) -> None:
    dataset = added(record, "p")
    assert record.label_datasets.get("p", dataset.id) == dataset
    with pytest.raises(NotFound, match="in this project"):
        record.label_datasets.get("q", dataset.id)


def test_a_removed_data_set_is_not_found_and_its_id_stays_taken(record: Record) -> None:
    dataset = added(record)
    record.label_datasets.add_items(dataset, items("a.jpg"))
    record.label_datasets.remove(dataset)
    with pytest.raises(NotFound):
        record.label_datasets.get("p", dataset.id)
    with pytest.raises(NotFound):
        record.label_datasets.remove(dataset)
    with pytest.raises(Conflict, match="there is or was a data set"):
        record.label_datasets.add(dataset)
    assert record.label_datasets.of_projects(["p"]) == []
    assert record.label_datasets.count([dataset.id]) == {dataset.id: 1}
