"""Bytes by their sha256, on any fsspec file system, flushed before they are spoken of."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import cast

import fsspec

from core.errors import Misconfigured, NotFound, Unavailable


def sha256_of(data: bytes) -> str:
    """The 64 lower-case hex digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


class BlobStore:
    """A content-addressed store under an fsspec URL, such as `file:///srv/blobs` or `s3://bucket/blobs`."""

    def __init__(self, url: str) -> None:
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise Misconfigured(f"blob store {url!r}: {error}; expected an fsspec URL") from error
        self._local = "file" in self._files.protocol
        self.url = url

    def put(self, data: bytes) -> str:
        """Store bytes and return their sha256; on return they survive a power cut.

        The same bytes are stored once, however often they are put.
        """
        sha256 = sha256_of(data)
        path = self._path(sha256)
        if self._local:
            _write_flushed(Path(path), data)
        elif not self._files.exists(path):
            self._files.pipe_file(path, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes; raises NotFound when they are not there, or are no longer what was put."""
        try:
            data = cast(bytes, self._files.cat_file(self._path(sha256)))
        except FileNotFoundError as error:
            raise NotFound(f"blob {sha256} is not in the store") from error
        except OSError as error:
            raise Unavailable(f"the blob store can't be read: {error.strerror or error}") from error
        if sha256_of(data) != sha256:
            raise NotFound(f"blob {sha256} is damaged: its bytes have another sha256")
        return data

    def __contains__(self, sha256: str) -> bool:
        return bool(self._files.exists(self._path(sha256)))

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"


def _write_flushed(path: Path, data: bytes) -> None:
    if path.exists() and path.read_bytes() == data:
        _flush_folder(path.parent)  # whoever wrote it may not have come to that yet
        return
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _flush_folder(path.parent.parent)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
