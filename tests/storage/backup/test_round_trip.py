"""backup, wipe, restore: every count, outcome, label and weight is equal."""

import os
import signal
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import bson
import pytest
from pymongo.write_concern import WriteConcern

from core.errors import Conflict, Misconfigured, ServiceError
from core.settings import Settings
from core.subscription import Subscription
from storage.backup.dump import FEW, dump
from storage.backup.manifest import read_manifest, verify
from storage.backup.restore import restore
from storage.backup.write import back_up
from storage.blob_hold import BlobHold, blobs_are_held
from storage.database import ensure_indexes
from storage.record import Record
from storage.restoring import refuse_half_restored
from storage.schema import SCHEMA, prepare, schema_of
from tests.small_disk import disk_or_skip
from tests.storage.backup.conftest import Kept
from tests.storage.backup.filled import OURS, blobs, everything, fill, indexes

ROOT = Path(__file__).parents[3]


def test_everything_comes_back_into_an_empty_database_and_store(
    kept: Kept, target: Record, record: Record
) -> None:
    restore(target, kept.folder)
    found = everything(target.database)
    assert {name: found.get(name, {}) for name in kept.documents} == kept.documents
    assert not any(found[name] for name in found.keys() - kept.documents.keys())
    assert blobs(target) == kept.blobs
    assert {n: kept.manifest.collections[n].count for n in ("outcomes", "labels", "audit")} == {
        "outcomes": 60,
        "labels": 5,
        "audit": 2,
    }
    restored = target.models.get("rb@7")
    assert restored is not None
    assert target.models.weights(restored) == OURS
    assert target.models.production() == ["rb@7", "sl@1"]
    assert target.check_blobs() in kept.blobs
    refuse_half_restored(target.database)
    wanted = indexes(record.database)
    assert {name: found for name, found in indexes(target.database).items() if name in wanted} == wanted


def test_a_capped_collection_stays_capped_and_without_blobs_none_are_kept(
    record: Record, target: Record, tmp_path: Path
) -> None:
    record.check_blobs()
    record.database.create_collection("recent", capped=True, size=8192, max=5)
    record.database["recent"].insert_many([{"_id": n} for n in range(3)])
    assert back_up(record, tmp_path / "backup", release="v1", with_blobs=False).blobs is None
    restore(target, tmp_path / "backup")
    assert list(target.blobs.stored()) == []
    options = target.database["recent"].options()
    assert (options["capped"], options["max"]) == (True, 5)
    assert [document["_id"] for document in target.database["recent"].find()] == [0, 1, 2]


def test_what_is_in_a_backup_is_for_its_owner_only(kept: Kept) -> None:
    files = [path for path in kept.folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700


def test_what_changes_while_it_is_read_is_as_it_was_at_one_moment(
    record: Record, settings: Settings, target: Record, tmp_path: Path
) -> None:
    fill(record, settings)
    database = record.database
    jobs, outcomes, cutouts = database["jobs"], database["outcomes"], database["cutouts"]

    def meddle(sentence: str) -> None:
        if sentence == "reading models":  # cutouts and jobs were read, outcomes and shards were not
            jobs.update_one({}, {"$set": {"rank": 9}})
            cutouts.delete_one({"_id": cutouts.find_one({}, sort=[("_id", 1)])["_id"]})  # type: ignore[index]
            cutouts.insert_one({"_id": "new", "sha256": None})
            outcomes.insert_one({"_id": {"cutout": "new", "version": "rb@7"}, "score": 0.5})
            database["fresh"].insert_many([{"_id": n} for n in range(FEW + 1)])
        if sentence == "reading trainings":
            cutouts.delete_one({"_id": "new"})
            outcomes.delete_one({"_id": {"cutout": "new", "version": "rb@7"}})

        if sentence.endswith("again, which were changed meanwhile"):
            jobs.update_one({}, {"$set": {"rank": 10}})
            database["fresh"].delete_one({"_id": 0})

    manifest = back_up(record, tmp_path / "backup", release="v1", tell=meddle)
    restore(target, tmp_path / "backup")
    assert everything(target.database) == everything(database)
    assert manifest.collections["fresh"].count == FEW
    assert manifest.files["changes.bson"].holds > FEW


def test_no_half_of_a_transaction_is_in_a_backup(record: Record, target: Record, tmp_path: Path) -> None:
    """One thread moves documents from the first collection to the last, as fast as it can."""
    database = record.database
    first, last = database["aa"], database["zz"]
    first.insert_many([{"_id": n, "fill": "x" * 2000} for n in range(1000)])
    last.insert_one({"_id": "here"})
    stop = threading.Event()

    def move() -> None:
        for n in range(1000):
            if stop.is_set():
                return
            with database.client.start_session() as session, session.start_transaction():
                first.delete_one({"_id": n}, session=session)
                last.insert_one({"_id": n}, session=session)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        back_up(record, tmp_path / "backup", release="v1")
    finally:
        stop.set()
        mover.join()
    restore(target, tmp_path / "backup")
    left = {document["_id"] for document in target.database["aa"].find()}
    moved = {document["_id"] for document in target.database["zz"].find()} - {"here"}
    assert left | moved == set(range(1000))
    assert not left & moved


def test_what_was_removed_just_before_the_reading_began_is_not_kept(record: Record, tmp_path: Path) -> None:
    """It is not in the journal yet: who reads at once what is in there still sees it."""
    hasty = record.database["aa"].with_options(write_concern=WriteConcern(w=1, j=False))
    hasty.insert_many([{"_id": n} for n in range(20)])
    BlobHold(record.database).renew()
    for n in range(20):
        folder = tmp_path / str(n)
        (folder / "collections").mkdir(parents=True)
        hasty.delete_one({"_id": n})
        counts, _ = dump(record.database, folder, tick=lambda: None, tell=lambda _: None)
        read = bson.decode_all((folder / "collections" / "aa.bson").read_bytes())
        told = {change["k"] for change in bson.decode_all((folder / "changes.bson").read_bytes())}
        assert len({document["_id"] for document in read} - told) == counts["aa"].count == 19 - n


def test_blobs_are_not_removed_while_a_backup_is_made(record: Record, tmp_path: Path) -> None:
    held = []
    back_up(record, tmp_path / "b", release="v1", tell=lambda _: held.append(blobs_are_held(record.database)))
    assert all(held)
    assert not blobs_are_held(record.database)


def test_a_blob_that_is_damaged_is_told_and_not_kept(record: Record, tmp_path: Path) -> None:
    record.check_blobs()
    whole, damaged = record.blobs.put(b"whole"), record.blobs.put(b"damaged")
    path = tmp_path / "blobs" / damaged[:2] / damaged
    assert path.exists()
    path.write_bytes(b"dam")
    found = back_up(record, tmp_path / "backup", release="v1").blobs
    assert found is not None
    assert (found.count, found.unreadable) == (2, 1)
    assert "damaged" in found.left_out[damaged]
    assert whole not in found.left_out


def test_a_backup_that_is_killed_leaves_what_no_restore_takes_and_the_next_removes(
    record: Record, settings: Settings, target: Record, tmp_path: Path
) -> None:
    fill(record, settings)
    dies = (
        "import os, signal, sys; from pathlib import Path; from core.settings import load_settings;"
        "from storage.backup.write import back_up; from storage.record import open_record;"
        "tell = lambda s: s.startswith('writing blobs') and os.kill(os.getpid(), signal.SIGKILL);"
        "back_up(open_record(load_settings()), Path(sys.argv[1]), release='v1', tell=tell)"
    )
    servers = {
        "DA_MONGO_URL": settings.required_mongo_url(),
        "DA_MONGO_DATABASE": settings.mongo_database,
        "DA_STATE_DIR": str(settings.state_dir),
    }
    folder = tmp_path / "backup"
    command = [sys.executable, "-c", dies, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | servers, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not folder.exists()
    partial = tmp_path / "backup.partial"
    with pytest.raises(ServiceError, match="cut short"):
        restore(target, partial)
    assert target.database.list_collection_names() == []
    assert blobs_are_held(record.database)  # for five minutes
    back_up(record, folder, release="v1")
    assert not partial.exists()
    verify(folder, read_manifest(folder))


def test_an_empty_database_is_not_taken_for_a_backup(target: Record, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"is empty; expected DA_MONGO_DATABASE"):
        back_up(target, tmp_path / "backup", release="v1")
    assert not list(tmp_path.glob("backup*"))


def test_a_folder_that_exists_or_is_being_written_is_refused(
    kept: Kept, record: Record, tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="exists"):
        back_up(record, kept.folder, release="v1")

    def meanwhile(_: str) -> None:
        with pytest.raises(Conflict, match="another backup"):
            back_up(record, tmp_path / "backup", release="v1")

    back_up(record, tmp_path / "backup", release="v1", tell=meanwhile)
    (tmp_path / "mine.partial").mkdir()
    (tmp_path / "mine.partial" / "thesis.tex").touch()
    with pytest.raises(Conflict, match=r"thesis\.tex"):
        back_up(record, tmp_path / "mine", release="v1")


def test_a_full_disk_leaves_nothing_of_a_backup(record: Record, settings: Settings, tmp_path: Path) -> None:
    fill(record, settings)
    with disk_or_skip(tmp_path / "disk", kib=2000) as disk:
        with pytest.raises(OSError, match=r"No space left.*/disk/backup"):
            back_up(record, disk / "backup", release="v1")
        assert list(disk.iterdir()) == []


def test_a_restore_that_dies_at_any_step_goes_on_and_services_refuse_meanwhile(
    kept: Kept, target: Record
) -> None:
    """Each try dies one step later than the one before it."""
    steps: list[str] = []

    def die(sentence: str) -> None:
        if not sentence.startswith("checking") and sentence not in steps:
            steps.append(sentence)
            raise KeyboardInterrupt

    while True:
        try:
            restore(target, kept.folder, tell=die)
        except KeyboardInterrupt:
            with pytest.raises(Misconfigured, match="goes on"):
                refuse_half_restored(target.database)
            with pytest.raises(Misconfigured, match="goes on"):
                back_up(target, kept.folder.parent / "of-a-half", release="v1")
        else:
            break
    assert len(steps) > 10
    assert {n: d for n, d in everything(target.database).items() if d} == {
        n: d for n, d in kept.documents.items() if d
    }
    assert blobs(target) == kept.blobs
    refuse_half_restored(target.database)


def test_what_expires_while_it_is_restored_comes_back_and_no_index_removes_it(
    record: Record, target: Record, tmp_path: Path
) -> None:
    """As where a store takes long to unpack, and where a try died after it had built the indexes."""
    record.check_blobs()
    record.database["sessions"].insert_one({"_id": "s", "expires": datetime(2026, 11, 1, tzinfo=UTC)})
    back_up(record, tmp_path / "backup", release="v1")
    steps: list[str] = []

    def look(sentence: str) -> None:
        steps.append(sentence)
        if sentence.startswith("unpacking"):
            assert list(target.database["sessions"].index_information()) == ["_id_"]
            assert target.database["sessions"].count_documents({}) == 1

    def die(sentence: str) -> None:
        if sentence == "building indexes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(target, tmp_path / "backup", tell=die)
    ensure_indexes(target.database)
    target.database["sessions"].delete_one({"_id": "s"})  # as MongoDB does, once a minute
    restore(target, tmp_path / "backup", tell=look)
    assert steps[-2:] == ["unpacking 0001.tar", "building indexes"]
    assert "expires_1" in target.database["sessions"].index_information()


def test_a_restore_says_that_subscribers_will_be_told(record: Record, target: Record, tmp_path: Path) -> None:
    to = Subscription(
        id="s", name="s", owner="ann", event="jobs", channel="webhook", target="https://example.org"
    )
    record.deliveries.add_trial(record.subscriptions.add(to))
    record.database["deliveries"].insert_one({"_id": "sent", "state": "delivered"})
    back_up(record, tmp_path / "backup", release="v1")
    told: list[str] = []
    restore(target, tmp_path / "backup", tell=told.append)
    assert "once the service starts: 1, with messages that waited: 1; where this is a copy" in told[-1]


def test_a_service_that_starts_meanwhile_notes_no_schema_and_the_backups_counts(
    record: Record, target: Record, tmp_path: Path
) -> None:
    service = target.database["service"]
    record.database["service"].delete_one({"_id": "schema"})
    record.database["audit"].insert_one({"_id": "old"})
    back_up(record, tmp_path / "backup", release="v1")
    met: list[set[str]] = []

    def start(sentence: str) -> None:
        if sentence.startswith("filling") and not met:  # nothing is there by which it would not count as new
            met.append({document["_id"] for document in service.find()})
            with pytest.raises(Misconfigured, match="has not ended"):
                prepare(target.database)
            met.append({document["_id"] for document in service.find()})
            service.insert_one({"_id": "schema", "version": SCHEMA})  # by one that had looked before the mark

    restore(target, tmp_path / "backup", tell=start)
    assert met == [{"restoring"}, {"restoring"}]
    assert schema_of(target.database) == 0
