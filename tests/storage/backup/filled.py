"""A record with something of everything that has to come back, and what is on record, to compare."""

import hashlib
import random
from datetime import UTC, datetime
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from core.job import Item
from core.settings import Settings
from storage.backup.changes import LEFT_OUT
from storage.database import Mongo
from storage.labels import Label
from storage.record import Record
from tasks.app import app
from tasks.messenger import Messenger
from tasks.submit import Submitter
from tests.api.scoring import score_job
from tests.record import card, register

OURS = random.Random(6).randbytes(3_000_000)
"""The weights of a user's own version, of a size that no backup holds in memory."""


def fill(record: Record, settings: Settings) -> str:
    """A scored job, labels, accounts, versions of which one was promoted, the audit of that; the job's id."""
    record.check_blobs()
    register(record, "rb@1", "sl@1")
    record.models.register(card("rb@7", OURS), OURS)
    record.models.promote("rb@7", by="ada", even_if_worse=True)
    record.accounts.add("ada", "a long enough password", "operator")
    items = [Item(f"{n}.png", sha, sha) for n in range(30) if (sha := record.blobs.put(b"cutout %d" % n))]
    small = settings.scoring.model_copy(update={"shard_size": 7})
    submitter = Submitter(record, Messenger(app, settings.required_redis_url()), small)
    job = submitter.submit_score(items, owner="ada")
    score_job(record, job.id, {"rb@7": 0.75, "sl@1": 0.25})
    for n, item in enumerate(items[:5]):
        record.labels.put(Label(str(item.cutout), "rb", "ada", n % 2, datetime(2026, 11, n + 1, tzinfo=UTC)))
    return job.id


def everything(database: Mongo) -> dict[str, dict[bytes, bytes]]:
    """By collection and key, the bytes of every document that a backup keeps."""
    raw = database.with_options(codec_options=CodecOptions(document_class=RawBSONDocument))
    names = [name for name in database.list_collection_names() if name not in LEFT_OUT]
    return {n: {_bytes(d["_id"]): bytes(d.raw) for d in raw[n].find()} for n in names}


def blobs(record: Record) -> dict[str, str]:
    """By name, the sha256 of the bytes of every blob."""
    return {name: hashlib.sha256(record.blobs.get(name)).hexdigest() for name in record.blobs.stored()}


def indexes(database: Mongo) -> dict[str, Any]:
    """Every index with its options, by collection."""
    return {name: database[name].index_information() for name in database.list_collection_names()}


def _bytes(key: Any) -> bytes:
    return bson.encode({"": key})
