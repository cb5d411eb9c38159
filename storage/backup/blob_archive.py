"""The blobs of a backup: tar files of at most a quarter of a gigabyte, each member named by its sha256."""

import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import IO, BinaryIO, cast

from core.errors import Damaged, NotFound
from storage.backup.manifest import HashedFile, KeptBlobs, KeptFile
from storage.blobs import BlobStore

ARCHIVE_BYTES = 2**28
NAMED = 100
WRITERS = 8  # a disk flushes several files in hardly more time than one
SMALL = 2**20
_CHUNK = 2**20


def archive_blobs(
    blobs: BlobStore,
    names: Iterator[str],
    folder: Path,
    *,
    tick: Callable[[], None],
    tell: Callable[[str], None],
) -> tuple[KeptBlobs, dict[str, KeptFile]]:
    """Write every blob of these names that is what its name says into `blobs/0001.tar`, and so on.

    Those that are not there, can't be read, or have other bytes, are counted and named in what is returned.
    One is in memory up to a megabyte, else in a file beside. Raises Unavailable where the store is away.
    """
    files: dict[str, KeptFile] = {}
    left_out: dict[str, str] = {}
    count = size = unreadable = 0
    while (first := next(names, None)) is not None:
        name = f"blobs/{len(files) + 1:04}.tar"
        tell(f"writing {name}")
        with _Archive(folder / name) as archive:
            for sha256 in chain([first], names):
                tick()
                fault = _add(blobs, sha256, archive, scratch=folder)
                unreadable += fault is not None
                if fault is not None and len(left_out) < NAMED:
                    left_out[sha256] = fault
                if archive.bytes >= ARCHIVE_BYTES:
                    break
            files[name] = archive.close()
        count, size = count + files[name].holds, size + archive.content_bytes
    return KeptBlobs(count=count, bytes=size, unreadable=unreadable, left_out=left_out), files


def unpack_blobs(archives: Iterable[Path], blobs: BlobStore, *, tell: Callable[[str], None]) -> int:
    """Put the blobs of these archives into a store, several at a time; returns how many.

    Those that are there already stay. Raises Damaged for a member that is not what its name says.
    """
    count = 0
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="blobs") as writers:
        for path in archives:
            tell(f"unpacking {path.name}")
            members = _members(path)
            while some := list(islice(members, 8 * WRITERS)):
                list(writers.map(lambda member: _put(blobs, *member), some))  # raises what one raised
                count += len(some)
    return count


def _put(blobs: BlobStore, sha256: str, content: bytes | Path) -> None:
    if isinstance(content, Path):
        found = blobs.put_file(content)
        content.unlink()
    else:
        found = blobs.put(content)
    if found != sha256:
        raise Damaged(f"a blob of the backup is called {sha256}, and its bytes have the sha256 {found}")


def _members(path: Path) -> Iterator[tuple[str, bytes | Path]]:
    """(sha256, the bytes or, of a large one, a file with them, which is for the caller to remove)."""
    with tarfile.open(path, "r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None:
                raise Damaged(f"{path} holds {member.name!r}, which is no file")
            if member.size <= SMALL:
                yield member.name, content.read()
            else:
                yield member.name, _large(content)
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all


def _large(content: IO[bytes]) -> Path:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)
    return Path(file.name)


def _add(blobs: BlobStore, sha256: str, archive: "_Archive", *, scratch: Path) -> str | None:
    """Copy a blob into an archive; returns why not, where it is not there or has other bytes."""
    digest, length = hashlib.sha256(), 0
    try:
        file, _ = blobs.open(sha256)
    except NotFound as error:
        return str(error)
    with file, tempfile.SpooledTemporaryFile(SMALL, dir=str(scratch)) as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            length += len(chunk)
        if digest.hexdigest() != sha256:
            return f"it is damaged: its {length:,} bytes have the sha256 {digest.hexdigest()}"
        copy.seek(0)
        archive.add(sha256, copy, length)
    return None


class _Archive(HashedFile):
    """A tar file that grows."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.content_bytes = 0
        self._tar = tarfile.open(fileobj=cast(BinaryIO, self), mode="w:", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def add(self, sha256: str, content: IO[bytes], length: int) -> None:
        """Append a blob."""
        member = tarfile.TarInfo(sha256)
        member.size, member.mode = length, 0o600
        self._tar.addfile(member, content)
        self._tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
        self.content_bytes += length
        self.holds += 1

    def close(self) -> KeptFile:
        """Complete it and flush it to the disk; returns what the manifest says of it."""
        self._tar.close()
        return super().close()
