"""Bytes by their sha256, on any fsspec file system, flushed before they are spoken of."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from core.disk_room import DiskRoom
from core.errors import Misconfigured, NotFound, Unavailable
from core.flushing import flush_folder
from storage.api_files import ApiFiles

_NAME = re.compile("[0-9a-f]{64}")


def sha256_of(data: bytes) -> str:
    """The 64 lower-case hex digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


class BlobStore:
    """A content-addressed store under an fsspec URL, such as `file:///srv/blobs` or `s3://bucket/blobs`.

    Under `https://HOST/v1/blobs` it is another service's, by its API: with `token` and the `authority` that
    its certificate is held to.
    """

    def __init__(self, url: str, *, token: str = "", authority: Path | None = None) -> None:
        self._files: Any
        try:
            if url.startswith("https://"):
                self._files, self._root = ApiFiles(url, token=token, authority=authority), url
            else:
                self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise Misconfigured(f"blob store {url!r}: {error}; expected an fsspec URL") from error
        self.is_local = "file" in self._files.protocol
        self.url = url

    def put(self, data: bytes) -> str:
        """Store bytes and return their sha256; on return they survive a power cut.

        The same bytes are stored once, however often they are put. Raises Unavailable where the store is away
        or its disk is full; nothing is left of them then.
        """
        sha256 = sha256_of(data)
        path = self._path(sha256)
        with _reachable("written"):
            if self.is_local:
                _write_flushed(Path(path), data)
            elif not self._files.exists(path):
                self._files.pipe_file(path, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes; raises NotFound when they are not there, or are no longer what was put."""
        try:
            with _reachable("read"):
                data = cast(bytes, self._files.cat_file(self._path(sha256)))
        except FileNotFoundError as error:
            raise NotFound(f"blob {sha256} is not in the store") from error
        if sha256_of(data) != sha256:
            raise NotFound(f"blob {sha256} is damaged: its bytes have another sha256")
        return data

    def open(self, sha256: str) -> tuple[BinaryIO, int]:
        """The bytes as an open file, not checked, and how many they are; raises as `get` does."""
        path = self._path(sha256)
        try:
            with _reachable("read"):
                return cast(BinaryIO, self._files.open(path, "rb")), int(self._files.size(path))
        except FileNotFoundError as error:
            raise NotFound(f"blob {sha256} is not in the store") from error

    def get_range(self, sha256: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of a blob, not checked, fewer where it ends early; raises as `get` does."""
        try:
            with _reachable("read"):
                return cast(bytes, self._files.cat_file(self._path(sha256), start=start, end=end))
        except FileNotFoundError as error:
            raise NotFound(f"blob {sha256} is not in the store") from error

    def put_file(self, path: Path) -> str:
        """Store a file's bytes as `put` does, without holding them in memory."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with _reachable("written"):
            if self.is_local:
                _copy_flushed(path, Path(self._path(sha256)))
            elif sha256 not in self:
                self._files.put_file(str(path), self._path(sha256))
        return sha256

    def get_file(self, sha256: str, path: Path) -> None:
        """Write the bytes to a file, without holding them in memory; raises as `get` does."""
        try:
            with _reachable("read"):
                self._files.get_file(self._path(sha256), str(path))
        except FileNotFoundError as error:
            raise NotFound(f"blob {sha256} is not in the store") from error
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise NotFound(f"blob {sha256} is damaged: its bytes have another sha256")

    def stored(self) -> Iterator[str]:
        """The sha256 of every blob, in order; at most the names of one folder of 256 are in memory.

        Raises Misconfigured for another service's store, which is not listed.
        """
        if isinstance(self._files, ApiFiles):
            raise Misconfigured(f"the blobs at {self.url} are another service's; they are listed there only")
        self._files.invalidate_cache()
        for n in range(256):
            try:
                with _reachable("listed"):
                    paths = self._files.ls(f"{self._root}/{n:02x}", detail=False)
            except FileNotFoundError:
                continue
            names = (str(path).rpartition("/")[2] for path in paths)
            yield from sorted(name for name in names if _NAME.fullmatch(name))

    def disk(self) -> DiskRoom | None:
        """The disk that the blobs lie on; None for a store that is no folder here."""
        if not self.is_local:
            return None
        folder = Path(self._root)
        while not folder.exists():
            folder = folder.parent
        found = shutil.disk_usage(folder)
        return DiskRoom(found.total, found.free)

    def delete(self, sha256: str) -> None:
        """Remove a blob that nobody names any more; harmless when it is not there."""
        with suppress(FileNotFoundError), _reachable("written"):
            self._files.rm_file(self._path(sha256))

    def __contains__(self, sha256: str) -> bool:
        with _reachable("read"):
            return bool(self._files.exists(self._path(sha256)))

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"


@contextmanager
def _reachable(done: str) -> Iterator[None]:
    """Raises Unavailable where a store is away; what is not there is for the caller."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(f"the blob store can't be {done}: {error.strerror or error}") from error


def _write_flushed(path: Path, data: bytes) -> None:
    if path.exists() and path.read_bytes() == data:
        flush_folder(path.parent)  # whoever wrote it may not have come to that yet
        return
    with _flushed(path) as file:
        file.write(data)


def _copy_flushed(source: Path, path: Path) -> None:
    with source.open("rb") as given, _flushed(path) as file:
        shutil.copyfileobj(given, file, 2**20)


@contextmanager
def _flushed(path: Path) -> Iterator[BinaryIO]:
    """A file that is at its path, whole and safe from a power cut, when the block has ended."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flush_folder(path.parent.parent)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    flush_folder(path.parent)
