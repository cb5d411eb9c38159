"""What is wrong with a record: found by reading, mended by nobody here."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import Misconfigured, NotFound, Unavailable
from core.job import JobState
from core.legacy import is_legacy
from core.model_card import ModelCard
from storage.blobs import BlobStore
from storage.database import INDEXES, Document, Mongo
from storage.record import Record

NAMED = 5
SAMPLE = 200
_NEWEST = 200
_CHUNK = 2**20
_PLANNED = [JobState.ACCEPTED, JobState.RUNNING]


@dataclass(frozen=True)
class CheckedBlobs:
    """How many blobs were read, and of those that are not what was put, why: the first of them."""

    read: int
    wrong: int
    why: tuple[str, ...]


def missing_indexes(database: Mongo) -> list[str]:
    """Indexes that this release wants and that are not there, as `collection.name`."""
    missing = []
    for name, wanted in INDEXES.items():
        there = database[name].index_information()
        missing += [f"{name}.{i.document['name']}" for i in wanted if i.document["name"] not in there]
    return missing


def jobs_without_shards(record: Record) -> list[str]:
    """Of jobs that are not planned any more, open or new: those with fewer shards than they had, in words."""
    jobs, shards = record.database["jobs"], record.database["shards"]
    fields = {"shards": True}
    scoring = {"kind": {"$in": ["score", "rescore"]}}
    found = {d["_id"]: d for d in jobs.find(scoring | {"state": {"$in": _PLANNED}}, fields)}
    ended = jobs.find(scoring | {"state": JobState.FINISHED}, fields).sort("_id", -1).limit(_NEWEST)
    found |= {d["_id"]: d for d in ended}
    told = []
    for job, document in found.items():
        there = shards.count_documents({"_id.job": job})
        if there < document["shards"]:
            told.append(f"{job} has {there:,} of {document['shards']:,}")
    return told


def damaged_weights(record: Record) -> dict[str, str]:
    """By version, what is wrong with its weights; reads all of them."""
    found = {}
    for card, _ in record.models.all():
        fault = None if is_legacy(card.version) else _fault_of_weights(record.blobs, card)
        if fault is not None:
            found[card.version] = fault
    return found


def check_cutouts(record: Record, *, at_most: int | None) -> CheckedBlobs:
    """Read the bytes of cutouts on record: so many, drawn at random, or all; one is in memory at a time."""
    drawn: list[Document] = [] if at_most is None else [{"$sample": {"size": at_most}}]
    kept: Document = {"$match": {"sha256": {"$type": "string"}, "reference": None}}
    found = record.database["cutouts"].aggregate([*drawn, kept, {"$project": {"sha256": True}}])
    return _checked(record.blobs, ((str(d["_id"]), str(d["sha256"])) for d in found))


def check_store(record: Record) -> str | None:
    """What is wrong with where the blobs are; None where they are this record's and can be read."""
    mark = record.database["service"].find_one({"_id": "blobs"})
    try:
        if mark is not None:
            record.check_blobs()
    except (Misconfigured, Unavailable) as error:
        return str(error)
    return None


def fault_of(blobs: BlobStore, sha256: str) -> str | None:
    """What is wrong with one blob, read in parts; None where it is what was put."""
    digest, length = hashlib.sha256(), 0
    try:
        file, _ = blobs.open(sha256)
    except NotFound:
        return "is not in the store"
    with file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
    return None if digest.hexdigest() == sha256 else f"is altered: its {length:,} bytes have another sha256"


def _fault_of_weights(blobs: BlobStore, card: ModelCard) -> str | None:
    fault = fault_of(blobs, card.weights.sha256)
    if fault is not None and fault.startswith("is altered"):
        return f"{fault}; expected {card.weights.bytes:,} bytes"
    return fault


def _checked(blobs: BlobStore, named: Iterator[tuple[str, str]]) -> CheckedBlobs:
    read = wrong = 0
    why: list[str] = []
    for name, sha256 in named:
        read += 1
        fault = fault_of(blobs, sha256)
        if fault is not None:
            wrong += 1
            why += [f"{name} ({sha256[:12]}…) {fault}"] if len(why) < NAMED else []
    return CheckedBlobs(read, wrong, tuple(why))
