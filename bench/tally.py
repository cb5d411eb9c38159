"""What a run left on record and what users are told of it, to be compared with another run."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cli.client import Client
from storage.record import Record

TOLERANCE = 1e-5
Value = tuple[object, ...]
Tally = Mapping[tuple[Hashable, ...], Sequence[Value]]


@dataclass(frozen=True)
class Differences:
    """What a disturbed run lacks of an undisturbed one, what it has more often, and which values differ."""

    lost: list[str]
    double: list[str]
    different: list[str]


def tally(record: Record, client: Client, jobs: Sequence[str]) -> Tally:
    """Everything that a run came to, by names that are the same in each run.

    The results of the jobs as the API gives them, their counts, how many jobs there are, and of each cutout
    the production fields and the outcome by each version.
    """
    told: dict[tuple[Hashable, ...], list[Value]] = defaultdict(list)
    for n, job in enumerate(jobs):
        view = client.jobs.get(job)
        told["counts", n].append((view["items"], view["scored"], view["rejected"]))
        for result in client.jobs.results(job):
            rejection = result["rejection"] or {}
            fields = (result["rb"], result["sl"], result["plausible"], rejection.get("reason"))
            told["result", n, result["file"]].append(fields)
    database = record.database
    for n in range(database["jobs"].count_documents({})):
        told["job", n].append(())
    for cutout in database["cutouts"].find():
        told["cutout", cutout["_id"]].append(tuple(map(cutout.get, ("sha256", "rb", "sl", "plausible"))))
    for outcome in database["outcomes"].find():
        value = (outcome.get("score"), outcome.get("rejection", {}).get("reason"))
        told["outcome", *outcome["_id"].values()].append(value)
    return told


def owed(told: Tally, files: Sequence[Iterable[str]], versions: Iterable[str]) -> list[str]:
    """What a run lacks by itself: results of each job's files, outcomes of each cutout by each version."""
    results = [("result", n, file) for n, names in enumerate(files) for file in names]
    cutouts = [key[1] for key, values in told.items() if key[0] == "cutout" and values[0][0] is not None]
    outcomes = [("outcome", cutout, version) for version in versions for cutout in cutouts]
    return [_said(key) for key in (*results, *outcomes) if key not in told]


def compare(calm: Tally, rough: Tally) -> Differences:
    """How a disturbed run differs from an undisturbed one; scores by more than 1e-5."""
    counts = [Counter({key: len(values) for key, values in run.items()}) for run in (calm, rough)]
    pairs = ((key, one, other) for key in calm if key in rough for one, other in [(calm[key], rough[key])])
    return Differences(
        lost=[_said(key) for key in counts[0] - counts[1]],
        double=[_said(key) for key in counts[1] - counts[0]],
        different=[
            f"{_said(key)}: {other[0]} instead of {one[0]}"
            for key, one, other in pairs
            if not all(map(_agree, one[0], other[0]))
        ],
    )


def _agree(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE
    return one == other


def _said(key: Iterable[Hashable]) -> str:
    return " ".join(map(str, key))
