"""Freezing a data set on the record: what is asked, and the card that comes of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.dataset import CLASSIFIER, MOST_NAMED, NAME, DataSetCard, LeftOut, Reason, Source
from cutouts.datasets.classes import Classes, classes_of
from cutouts.datasets.consensus import rule
from cutouts.datasets.fingerprint import fingerprint
from cutouts.datasets.freeze import freeze
from cutouts.datasets.split import DEFAULT_SHARES
from cutouts.datasets.votes import Image, Told
from cutouts.simulator.presets import PRESETS
from storage.record import Record

_LONGEST = 500  # characters of a name in a report
_TAKEN = (*PRESETS, "benchmark")  # what `train` and `evaluate` understand otherwise


def _free(name: str) -> str:
    if name in _TAKEN:
        raise ValueError(f"{name!r} is a preset's name; expected another one")
    return name


def _split(value: object) -> object:
    """Accept `80,10,10` as well as a list."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


class Wanted(BaseModel):
    """What decides a data set, beside images and labels."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=NAME.pattern), AfterValidator(_free)]
    classifier: str = Field(pattern=CLASSIFIER.pattern)
    classes: Annotated[tuple[str, str] | None, BeforeValidator(_split)] = Field(
        None, description="what 0 and 1 are called, such as ditch,keep; known for rb, sl and kd"
    )
    seed: int = Field(0, ge=0, lt=2**53)
    min_votes: int = Field(1, ge=1, le=1000)
    shares: Annotated[tuple[float, float, float], BeforeValidator(_split)] = Field(
        DEFAULT_SHARES, description="of train, validation and test"
    )
    benchmark: bool = Field(False, description="hold it back from every later training; one per classifier")

    def known_classes(self) -> Classes:
        """The classes by all their names; raises InvalidRequest where nobody said what they are."""
        return classes_of(self.classifier, self.classes)


def freeze_dataset(
    record: Record, wanted: Wanted, source: Source, images: Sequence[Image], told: Told, *, owner: str
) -> tuple[DataSetCard, bool]:
    """Freeze what came; returns the card, and whether the same contents were on record already.

    Raises InvalidRequest where no data set can be made of it, Conflict where it contradicts the record.
    """
    classes = wanted.known_classes()
    frozen = freeze(
        images,
        told,
        classes=classes,
        seed=wanted.seed,
        min_votes=wanted.min_votes,
        shares=wanted.shares,
        reserved=None if wanted.benchmark else record.datasets.reserved(),
    )
    named = {reason: [_shown(name) for name in names] for reason, names in frozen.left_out.items() if names}
    card = DataSetCard(
        name=wanted.name,
        classifier=wanted.classifier,
        classes=classes.names,
        fingerprint=fingerprint(
            frozen.items, classifier=wanted.classifier, classes=classes.names, seed=wanted.seed
        ),
        seed=wanted.seed,
        shares=wanted.shares,
        counts=frozen.counts(classes.names),
        nights=frozen.nights(),
        source=source,
        consensus=rule(wanted.min_votes),
        min_votes=wanted.min_votes,
        left_out=tuple(LeftOut(reason, len(n), tuple(n[:MOST_NAMED])) for reason, n in named.items()),
        report=record.blobs.put(_report(named)),
        benchmark=wanted.benchmark,
        created=datetime.now(UTC),
        owner=owner,
    )
    return record.datasets.freeze(card, frozen.items)


def _report(named: Mapping[Reason, Sequence[str]]) -> bytes:
    return "".join(f"{reason}\t{name}\n" for reason, names in named.items() for name in names).encode()


def _shown(name: str) -> str:
    return "".join(c for c in name if c.isprintable())[:_LONGEST]
