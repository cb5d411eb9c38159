"""From images and votes to the contents of a data set, and a word on everything that is not in it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.dataset import SPLITS, LabelledCutout, Reason, Reserved, Split
from core.errors import InvalidRequest
from cutouts.datasets.classes import Classes
from cutouts.datasets.consensus import consensus
from cutouts.datasets.split import DEFAULT_SHARES, Labelled, split_by_night
from cutouts.datasets.votes import Image, Told, Vote


@dataclass(frozen=True)
class Frozen:
    """The items of a data set by sha256, and by reason what was left out, by name."""

    items: tuple[LabelledCutout, ...]
    left_out: Mapping[Reason, Sequence[str]]

    def counts(self, classes: tuple[str, str]) -> dict[Split, dict[str, int]]:
        """How many there are, by split and class."""
        found = Counter((item.split, item.label) for item in self.items)
        return {split: {name: found[split, label] for label, name in enumerate(classes)} for split in SPLITS}

    def nights(self) -> dict[Split, int]:
        """How many nights there are, by split."""
        found = {(item.split, item.night) for item in self.items if item.night}
        return {split: sum(own == split for own, _ in found) for split in SPLITS}


def freeze(
    images: Iterable[Image],
    told: Told,
    *,
    classes: Classes,
    seed: int,
    min_votes: int = 1,
    shares: tuple[float, float, float] = DEFAULT_SHARES,
    reserved: Reserved | None = None,
) -> Frozen:
    """One item for each content that has a label, in a split; the same whatever the order of the images.

    Without `reserved` it is a benchmark: all of it is test. With it, what benchmarks hold back is left out.
    Raises InvalidRequest when one class is left, or a split would have one class.
    """
    left_out: dict[Reason, list[str]] = defaultdict(
        list, {r: list(names) for r, names in told.left_out.items()}
    )
    votes: dict[str, list[Vote]] = defaultdict(list)
    for vote in told.votes:
        votes[vote.image].append(vote)
    labelled: list[tuple[Image, int]] = []
    for first, given in _contents(images, votes, left_out):
        label = told.settled.get(first.name, consensus(given, min_votes=min_votes))
        if label is None:
            left_out["disputed"].append(f"{first.name}: {_tally(given)}")
        elif reserved is not None and reserved.holds(str(first.sha256), first.night):
            left_out["benchmark"].append(first.name)
        else:
            labelled.append((first, label))
    _refuse_one_class(labelled, classes, left_out)
    triples: list[Labelled] = [(str(image.sha256), image.night, label) for image, label in labelled]
    splits = {} if reserved is None else split_by_night(triples, seed=seed, shares=shares)
    items = [_item(image, label, splits.get(str(image.sha256), "test")) for image, label in labelled]
    return Frozen(tuple(sorted(items, key=lambda item: item.sha256)), dict(left_out))


def _contents(
    images: Iterable[Image], votes: Mapping[str, list[Vote]], left_out: dict[Reason, list[str]]
) -> Iterator[tuple[Image, list[Vote]]]:
    """Each content once: its first name that has votes, and the votes on all its names.

    Of two contents under one streak id the first that has votes is in.
    """
    contents: dict[str, list[Image]] = defaultdict(list)
    owners: dict[str, str] = {}
    for image in sorted(images, key=lambda image: (image.name not in votes, image.name, image.sha256 or "")):
        known = image.streak_id or image.name
        if image.sha256 is None:
            left_out["unreadable"].append(f"{image.name}: {image.fault}")
        elif owners.setdefault(known, image.sha256) != image.sha256:
            left_out["conflict"].append(f"{image.name}: other bytes than the first {known}")
        else:
            contents[image.sha256].append(image)
    for same in contents.values():
        names = list(dict.fromkeys(image.name for image in same))
        voted = [image for image in same if image.name in votes]
        if not voted:
            left_out["no_label"] += names
            continue
        left_out["duplicate"] += [f"{n}: the bytes of {voted[0].name}" for n in names if n != voted[0].name]
        yield voted[0], [vote for name in names for vote in votes.get(name, ())]


def _item(image: Image, label: int, split: Split) -> LabelledCutout:
    sha256 = str(image.sha256)
    return LabelledCutout(image.streak_id or sha256, sha256, label, split, image.night)


def _tally(votes: Sequence[Vote]) -> str:
    ones = sum(vote.label for vote in votes)
    return f"{len(votes) - ones} votes for 0, {ones} for 1"


def _refuse_one_class(
    labelled: Sequence[tuple[Image, int]], classes: Classes, left_out: Mapping[Reason, Sequence[str]]
) -> None:
    found = Counter(label for _, label in labelled)
    if found[0] and found[1]:
        return
    zero, one = classes.names
    without = ", ".join(f"{len(names)} {reason}" for reason, names in left_out.items() if names)
    raise InvalidRequest(
        f"{found[0]} images of {zero} and {found[1]} of {one}; expected both classes"
        + (f" (left out: {without})" if without else "")
    )
