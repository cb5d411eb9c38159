"""A record that was damaged on purpose: each fault is found, and said with what mends it."""

import socket
from pathlib import Path

import pytest

from cli.doctor import _ports, _secrets
from cli.local.suitability import Finding
from cli.record_doctor import examine_disks, examine_record
from core.job import Item, Job, new_job_id
from core.settings import Settings
from storage.cutouts import CutoutRecord
from storage.record import Record
from tests.record import card, register
from tests.small_disk import disk_or_skip


@pytest.fixture
def filled(record: Record) -> Record:
    """Two versions, an open job of two shards, three cutouts with their bytes."""
    record.check_blobs()
    register(record, "rb@1", "sl@1")
    job = Job(new_job_id(), ("rb@1",), "live", "me", items=2, shards=2)
    record.shards.insert(
        job.id, [[Item("a.jpg", "a", "1" * 64)], [Item("b.jpg", "b", "2" * 64)]], priority="live"
    )
    record.jobs.accept(job)
    record.cutouts.own([CutoutRecord(f"c{n}", record.blobs.put(b"bytes of %d" % n)) for n in range(3)])
    return record


def found(settings: Settings, *, all_blobs: bool = True) -> dict[str, Finding]:
    url = settings.required_mongo_url()
    return {f.what: f for f in examine_record(settings, url, all_blobs=all_blobs)}


def faults(settings: Settings) -> dict[str, str]:
    return {what: f"{f.found} | {f.cure}" for what, f in found(settings).items() if not f.well}


def blob(record: Record, sha256: str) -> Path:
    path = Path(record.blobs.url.removeprefix("file://")) / sha256[:2] / sha256
    assert path.exists()
    return path


def test_a_record_that_is_well_is_said_to_be(filled: Record, settings: Settings) -> None:
    assert faults(settings) == {}
    whole = found(settings)
    assert {"schema", "indexes", "jobs", "blob store", "weights", "cutouts"} == set(whole)
    assert whole["cutouts"].found == "3 read, 0 of them wrong"
    assert "--blobs" in found(settings, all_blobs=False)["cutouts"].found


def test_a_new_database_has_no_fault(settings: Settings, mongo_database: str) -> None:
    assert faults(settings) == {}


def test_bytes_of_cutouts_that_are_gone_or_altered(filled: Record, settings: Settings) -> None:
    cutouts = {d["_id"]: d["sha256"] for d in filled.database["cutouts"].find()}
    blob(filled, cutouts["c0"]).unlink()
    blob(filled, cutouts["c1"]).write_bytes(b"others")
    told = faults(settings)
    assert set(told) == {"cutouts"}
    assert "3 read, 2 of them wrong" in told["cutouts"]
    assert f"c0 ({cutouts['c0'][:12]}…) is not in the store" in told["cutouts"]
    assert "c1" in told["cutouts"]
    assert "is altered: its 6 bytes" in told["cutouts"]
    assert "submit these files again" in told["cutouts"]


def test_weights_that_were_cut(filled: Record, settings: Settings) -> None:
    weights = card("rb@1", b"rb@1").weights
    blob(filled, weights.sha256).write_bytes(b"rb")
    told = faults(settings)
    assert set(told) == {"weights"}
    assert "rb@1: the blob is altered: its 2 bytes have another sha256; expected 4 bytes" in told["weights"]
    assert "restore a backup" in told["weights"]


def test_a_store_that_is_another_one(filled: Record, settings: Settings, tmp_path: Path) -> None:
    told = faults(settings.model_copy(update={"blob_url": f"file://{tmp_path / 'elsewhere'}"}))
    assert set(told) == {"blob store"}
    assert "DA_BLOB_URL" in told["blob store"]


def test_a_job_whose_shards_are_missing(filled: Record, settings: Settings) -> None:
    filled.database["shards"].delete_one({"_id.n": 1})
    told = faults(settings)
    assert set(told) == {"jobs"}
    assert "has 1 of 2" in told["jobs"]


def test_an_index_that_is_missing(filled: Record, settings: Settings) -> None:
    filled.database["shards"].drop_index("next")
    told = faults(settings)
    assert set(told) == {"indexes"}
    assert told["indexes"].startswith("shards.next | restart the API")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"version": 99}, "upgrade this one"),
        ({"version": 0}, "./streaks migrate"),
        ({"version": 0, "migrating": 1}, "./streaks migrate goes on with it"),
    ],
)
def test_a_schema_that_is_not_this_releases(
    filled: Record, settings: Settings, schema: dict[str, int], told: str
) -> None:
    filled.database["service"].replace_one({"_id": "schema"}, schema)
    assert told in faults(settings)["schema"]


def test_a_restore_that_has_not_ended(filled: Record, settings: Settings) -> None:
    filled.database["service"].insert_one({"_id": "restoring", "made": "yesterday"})
    assert "./streaks restore goes on with it" in faults(settings)["schema"]


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    with disk_or_skip(tmp_path / "disk", kib=1024) as disk:
        full = list(examine_disks(Settings(state_dir=tmp_path, blob_url=f"file://{disk}/blobs")))
    assert [finding.what for finding in full if not finding.well] == ["disk of blobs"]
    assert str(disk) in full[-1].found


def test_secrets_that_are_missing_or_malformed_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    settings = Settings(state_dir=tmp_path, secrets_file=path)
    (missing,) = _secrets(settings)
    assert (missing.well, str(path) in missing.found) == (False, True)
    path.write_text('{"database": "sesame"}')
    (malformed,) = _secrets(settings)
    assert not malformed.well
    assert "sesame" not in str(malformed)


def test_ports_that_are_taken_are_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        api = Settings(state_dir=tmp_path, port=port)
        (note,) = _ports(api, None)
        assert (note.note, str(port) in note.found) == (True, True)
        beyond = Settings(state_dir=tmp_path, port=0, listen="127.0.0.1", listen_port=port - 1)
        (fault,) = _ports(beyond, None)
        assert not fault.well
        assert str(port) in fault.found
        assert "DA_LISTEN_PORT" in fault.cure
