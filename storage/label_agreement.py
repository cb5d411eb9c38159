"""What people say of the items of a data set, and what it comes to: by most people, or settled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.agreement import Agreement, agreements
from core.label_event import Label
from core.project import LabelDataset, LabelItem
from cutouts.datasets.consensus import consensus
from cutouts.datasets.votes import Vote
from storage.record import Record
from storage.settlements import Settlement


@dataclass(frozen=True, slots=True)
class Standing:
    """An item that somebody has labelled: what each person says of it, by name, and what was settled."""

    dataset: LabelDataset
    item: LabelItem
    said: Mapping[str, str]
    settled: Settlement | None

    @property
    def is_open(self) -> bool:
        """Whether people disagree, and nobody has settled it."""
        return self.settled is None and len(set(self.said.values())) > 1

    def decided(self, *, min_votes: int = 1) -> str | None:
        """What was settled, or else what most of at least `min_votes` people say; None for neither."""
        if self.settled is not None:
            return " ".join(self.settled.classes)
        names = sorted(set(self.said.values()))
        votes = (Vote(self.item.id, person, names.index(name)) for person, name in self.said.items())
        found = consensus(votes, min_votes=min_votes)
        return None if found is None else names[found]


def standings(record: Record, dataset: LabelDataset) -> list[Standing]:
    """Every item that has a label, in the order of their names. Several classes at once count as one."""
    said: dict[str, dict[str, str]] = {}
    for label in record.label_events.labels(dataset.id):
        said.setdefault(label.item, {})[label.person] = _name(label)
    settled = record.settlements.of_dataset(dataset.id)
    return [
        Standing(dataset, item, said[item.id], settled.get(item.id))
        for item in record.label_datasets.items(dataset)
        if item.id in said
    ]


def agreements_of(found: Iterable[Standing]) -> list[Agreement]:
    """How far each two people agree over these items."""
    labels: dict[str, dict[str, str]] = {}
    for standing in found:
        for person, name in standing.said.items():
            labels.setdefault(person, {})[f"{standing.dataset.id}/{standing.item.id}"] = name
    return agreements(labels)


def _name(label: Label) -> str:
    return " ".join(label.classes)
