"""Blobs: what is put is what is got, once, and damage is noticed."""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import Misconfigured, NotFound
from storage.blobs import BlobStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(folder: Path) -> BlobStore:
    return BlobStore(f"file://{folder}")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_bytes_come_back_by_their_sha256(blobs: BlobStore) -> None:
    sha256 = blobs.put(b"bytes")
    assert sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert blobs.get(sha256) == b"bytes"
    assert sha256 in blobs
    assert "0" * 64 not in blobs


def test_the_same_bytes_are_stored_once(blobs: BlobStore, folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(blobs.put, [b"same"] * 40))) == 1
    assert len(files(folder)) == 1


def test_the_disk_of_a_folder_is_told_before_it_is_there_and_that_of_another_store_is_not(
    blobs: BlobStore, folder: Path
) -> None:
    before = blobs.disk()
    blobs.put(b"bytes")
    after = blobs.disk()
    assert before is not None
    assert after is not None
    assert before.size == after.size == shutil.disk_usage(folder).total
    assert 0 < after.free < after.size
    assert BlobStore("memory://blobs").disk() is None


def test_a_blob_that_is_missing_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound, match="not in the store"):
        blobs.get("0" * 64)


def test_a_part_of_a_blob_is_read_as_far_as_it_goes(blobs: BlobStore) -> None:
    sha256 = blobs.put(b"bytes")
    assert blobs.get_range(sha256, 1, 3) == b"yt"
    assert blobs.get_range(sha256, 3, 9) == b"es"
    assert blobs.get_range(sha256, 9, 10) == b""
    with pytest.raises(NotFound, match="not in the store"):
        blobs.get_range("0" * 64, 0, 1)


def test_a_blob_that_was_damaged_is_not_given_out(blobs: BlobStore, folder: Path) -> None:
    sha256 = blobs.put(b"bytes")
    (file,) = files(folder)
    file.write_bytes(b"other")
    with pytest.raises(NotFound, match="damaged"):
        blobs.get(sha256)


def test_a_blob_that_a_crash_left_short_is_written_again(blobs: BlobStore, folder: Path) -> None:
    sha256 = blobs.put(b"bytes")
    (file,) = files(folder)
    file.write_bytes(b"by")
    assert blobs.put(b"bytes") == sha256
    assert blobs.get(sha256) == b"bytes"


def test_another_file_system_serves_as_well() -> None:
    blobs = BlobStore("memory://blobs-of-a-test")
    assert blobs.get(blobs.put(b"bytes")) == b"bytes"
    with pytest.raises(NotFound):
        blobs.get("0" * 64)


def test_a_wrong_url_is_the_operators_fault() -> None:
    with pytest.raises(Misconfigured, match="expected an fsspec URL"):
        BlobStore("nothing://x")
