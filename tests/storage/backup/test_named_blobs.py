"""A blob that the record names and the store has lost is told by the backup."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.settings import Settings
from storage.backup.restore import restore
from storage.backup.write import back_up
from storage.blobs import sha256_of
from storage.record import Record
from tests.storage.backup.filled import fill

NAMING: dict[str, Callable[[str], dict[str, Any]]] = {
    "packs": lambda sha256: {"_id": sha256},
    "trainings": lambda sha256: {"_id": "open", "state": "leased", "checkpoint": {"sha256": sha256}},
    "shards": lambda sha256: {"_id": {"job": "open"}, "state": "waiting", "items": [{"sha256": sha256}]},
    "datasets": lambda sha256: {"_id": "d", "report": sha256},
    "dataset_items": lambda sha256: {"_id": {"dataset": "d", "n": 0}, "sha256": sha256},
    "label_items": lambda sha256: {"_id": {"dataset": "d", "item": "i"}, "sha256": sha256},
}
"""A document that names a blob, by collection; cutouts and versions are of `fill`."""


def test_a_blob_that_is_gone_is_told_once_and_one_that_is_kept_elsewhere_is_not(
    record: Record, tmp_path: Path
) -> None:
    record.check_blobs()
    gone, elsewhere = sha256_of(b"gone"), sha256_of(b"elsewhere")
    record.database["cutouts"].insert_many(
        [
            {"_id": "lost", "sha256": gone},
            {"_id": "lost, too", "sha256": gone},
            {"_id": "there", "sha256": record.blobs.put(b"there")},
            {"_id": "kept by a reference", "sha256": elsewhere, "reference": "https://x/y.png"},
            {"_id": "never read", "sha256": None},
        ]
    )
    folder = tmp_path / "backup"
    found = back_up(record, folder, release="v1").blobs
    assert found is not None
    assert (found.count, found.unreadable) == (2, 1)
    assert found.left_out == {gone: f"blob {gone} is not in the store"}
    assert {p.name for p in folder.iterdir()} == {"collections", "blobs", "changes.bson", "manifest.json"}


def test_a_store_that_has_lost_everything_is_told_by_all_that_name_blobs(
    record: Record, settings: Settings, target: Record, tmp_path: Path
) -> None:
    fill(record, settings)
    database = record.database
    lost = {name: sha256_of(name.encode()) for name in ("plots", *NAMING)}
    database["models"].update_one({"_id": "rb@7"}, {"$set": {"plots": {"roc.svg": lost["plots"]}}})
    for name, naming in NAMING.items():
        database[name].insert_one(naming(lost[name]))
    spent = {"_id": "ended", "state": "done", "checkpoint": {"sha256": sha256_of(b"spent")}}
    database["trainings"].insert_one(spent)
    database["models"].insert_one({"_id": "legacy_rb@1", "weights": {"sha256": sha256_of(b"")}})
    stored = set(record.blobs.stored())
    for sha256 in stored:
        record.blobs.delete(sha256)

    def come_late(sentence: str) -> None:
        if sentence == "reading trainings":  # cutouts were read
            database["cutouts"].insert_one({"_id": "late", "sha256": sha256_of(b"late")})

    found = back_up(record, tmp_path / "backup", release="v1", tell=come_late).blobs
    assert found is not None
    assert set(found.left_out) == {*stored, *lost.values(), sha256_of(b"late")}
    assert (found.count, found.unreadable) == (0, len(found.left_out))
    restore(target, tmp_path / "backup")
