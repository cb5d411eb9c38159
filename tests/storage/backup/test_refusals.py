"""What is no whole backup, and where none may go: refused before anything is touched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import Conflict, Damaged, ServiceError
from storage.backup.manifest import Manifest
from storage.backup.restore import restore
from storage.backup.write import back_up
from storage.record import Record
from storage.schema import SCHEMA
from storage.workers import WorkerInfo
from tests.storage.backup.conftest import Kept
from tests.storage.backup.filled import everything

MANIFEST = "manifest.json"


def cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-2])


def alter(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def rewrite(**fields: object) -> Callable[[Path], None]:
    """A manifest with other fields and a checksum that fits them."""

    def change(folder: Path) -> None:
        values = json.loads((folder / MANIFEST).read_text())
        del values["checksum"]
        manifest = Manifest.model_validate(values).model_copy(update=fields)
        (folder / MANIFEST).write_text(manifest.to_json())

    return change


def miscount(folder: Path) -> None:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"count": 60', '"count": 59'))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut("collections/outcomes.bson"), "outcomes.bson has .* bytes; expected"),
        (alter("collections/outcomes.bson"), "outcomes.bson was altered"),
        (remove("collections/labels.bson"), "labels.bson is missing"),
        (cut("blobs/0001.tar"), "0001.tar has"),
        (alter("blobs/0001.tar"), "0001.tar was altered"),
        (remove("changes.bson"), "changes.bson is missing"),
        (cut(MANIFEST), "manifest.json"),
        (remove(MANIFEST), "holds no manifest.json"),
        (miscount, "manifest.json was altered"),
        (lambda folder: (folder / MANIFEST).write_text("{}"), "of format None"),
        (rewrite(format=2), "of format 2"),
        (rewrite(schema_version=SCHEMA + 1), f"of schema {SCHEMA + 1}"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_touched(
    kept: Kept, target: Record, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    folder = tmp_path / "backup"
    shutil.copytree(kept.folder, folder)
    damage(folder)
    with pytest.raises(ServiceError, match=told):
        restore(target, folder, replace=True)
    assert target.database.list_collection_names() == []
    assert list(target.blobs.stored()) == []


def test_a_folder_that_is_none_is_refused(target: Record, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere", tmp_path / "file", tmp_path):
        with pytest.raises(ServiceError, match="no backup"):
            restore(target, path)


def test_a_database_that_holds_anything_is_refused_unless_it_is_to_be_replaced(
    kept: Kept, target: Record
) -> None:
    target.accounts.add("bob", "a long enough password", "viewer")
    before = everything(target.database)
    with pytest.raises(Conflict, match=r"not empty \(users\).*--replace"):
        restore(target, kept.folder)
    assert everything(target.database) == before
    restore(target, kept.folder, replace=True)
    assert {n: d for n, d in everything(target.database).items() if d} == {
        n: d for n, d in kept.documents.items() if d
    }


def test_a_database_that_workers_are_at_work_on_is_refused(kept: Kept, target: Record) -> None:
    target.workers.report(WorkerInfo("host:gpu0", "mean-grey", "cpu", ("rb@1",), 0, 0), token="t")
    for replace in (False, True):
        with pytest.raises(Conflict, match=r"host:gpu0.*stop the service"):
            restore(target, kept.folder, replace=replace)
    assert set(everything(target.database)) <= {"workers"}


def test_half_of_another_restore_is_not_mixed_with_this_one(
    kept: Kept, target: Record, record: Record, tmp_path: Path
) -> None:
    def die(sentence: str) -> None:
        if sentence.startswith("filling"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(target, kept.folder, tell=die)
    back_up(record, tmp_path / "other", release="v1")
    with pytest.raises(Conflict, match=f"another backup, made {kept.manifest.made.replace('+', '.')}"):
        restore(target, tmp_path / "other")
    restore(target, tmp_path / "other", replace=True)
    found = everything(target.database)
    assert {n for n, documents in found.items() if documents} == {"service"}  # whose schema is noted


def test_what_got_into_a_half_restored_database_is_told_and_replaced(kept: Kept, target: Record) -> None:
    def meddle(sentence: str) -> None:
        if sentence.startswith("unpacking"):
            target.database["jobs"].insert_one({"_id": "foreign"})

    with pytest.raises(Damaged, match="jobs has 2 documents; expected 1"):
        restore(target, kept.folder, tell=meddle)
    with pytest.raises(Damaged, match="jobs has 2 documents; expected 1"):
        restore(target, kept.folder)
    restore(target, kept.folder, replace=True)
    assert target.database["jobs"].find_one({"_id": "foreign"}) is None
