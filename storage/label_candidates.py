"""The items of a labelling data set as one person finds them: their labels, others', and networks' scores."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.label_event import Label
from core.label_queue import Candidate
from core.model_card import ModelCard
from core.project import LabelDataset, LabelItem, Project
from cutouts.datasets.classes import KNOWN, classes_of
from storage.record import Record

_AT_ONCE = 5000


def read_candidates(
    record: Record, project: Project, dataset: LabelDataset, person: str, cards: Sequence[ModelCard]
) -> tuple[list[Candidate], Mapping[str, LabelItem]]:
    """Every item with the scores of up to two networks; and the items by their ids."""
    items = {item.id: item for item in record.label_datasets.items(dataset)}
    labels: dict[str, list[Label]] = defaultdict(list)
    for label in record.label_events.labels(dataset.id):
        labels[label.item].append(label)
    scores = [read_scores(record, list(items.values()), card.version) for card in cards]
    values = values_of(project, cards[0]) if cards else {}
    candidates = []
    for item in items:
        own = next((label for label in labels[item] if label.person == person), None)
        name = None if own is None else " ".join(own.classes)
        candidates.append(
            Candidate(
                item,
                label=name,
                value=None if name is None else values.get(name),
                when_s=0.0 if own is None else own.at.timestamp(),
                people=len(labels[item]) - (own is not None),
                score=scores[0].get(item) if scores else None,
                other=scores[1].get(item) if len(scores) > 1 else None,
            )
        )
    return candidates, items


def read_scores(record: Record, items: Sequence[LabelItem], version: str) -> dict[str, float]:
    """The scores that a version has given, by item."""
    found: dict[str, float] = {}
    for start in range(0, len(items), _AT_ONCE):
        batch = items[start : start + _AT_ONCE]
        outcomes = record.outcomes.find([item.cutout for item in batch], [version])
        for item in batch:
            outcome = outcomes.get((item.cutout, version))
            if outcome is not None and outcome.score is not None:
                found[item.id] = outcome.score
    return found


def values_of(project: Project, card: ModelCard) -> dict[str, int]:
    """What a network calls those classes of a project that it knows: 0 or 1."""
    known = classes_of(card.classifier, None if card.classifier in KNOWN else card.classes)
    values = {name: known.label_of(name) for name in project.classes}
    return {name: value for name, value in values.items() if value is not None}
