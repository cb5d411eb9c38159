"""Uploaded tarballs, plain or gzipped: their files one by one, never unpacked to disk."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from core.errors import InvalidRequest, TooLarge, Unsafe
from core.job import Rejection
from core.settings import Limits
from cutouts.nights.fault import Fault
from cutouts.nights.layout import plain_name

_GZIP = b"\x1f\x8b"
_CHUNK = 65536
_HEADER_BYTES = 2**20  # of what tarfile reads at once: names and extended headers
_RATIO_FROM_BYTES = 2**20  # below that nothing is a bomb
_FILES_PER_CUTOUT = 3
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError)


@dataclass(frozen=True)
class TarMember:
    """A plain file in a tarball: its bytes, or the fault for which this one, and no other, can't be had."""

    name: str
    data: bytes | None
    rejection: Rejection | None = None

    @property
    def fault(self) -> Fault:
        """The rejection as a fault."""
        found = self.rejection or Rejection("submit", "unreadable", "no bytes came")
        return Fault(plain_name(self.name), None, found.reason, found.detail)


def read_tar(file: BinaryIO, limits: Limits, *, max_bytes: Callable[[str], int]) -> Iterator[TarMember]:
    """The files in a tarball, in its order; one over `max_bytes(name)` comes without its bytes.

    Raises InvalidRequest for what is no whole tarball, TooLarge for too many members, and Unsafe for names
    that lead out of a folder, links, special files, and what unpacks to far more than is allowed. It is found
    out while it is read: what came before was whole.
    """
    packed = _size(file)
    zipped = file.read(2) == _GZIP
    file.seek(0)
    counted = _Counted(
        cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb")) if zipped else file, packed, limits
    )
    try:
        with tarfile.TarFile(fileobj=cast(BinaryIO, counted), mode="r") as archive:
            seen = 0
            while (member := archive.next()) is not None:
                seen += 1
                if seen > limits.cutouts_per_job * _FILES_PER_CUTOUT:
                    raise TooLarge(f"the archive has over {seen - 1} members; expected at most that many")
                _check(member)
                if member.isreg():
                    yield _read(archive, member, max_bytes(member.name))
                archive.members = []  # type: ignore[attr-defined]  # else it keeps each one's header
    except _DAMAGE as error:
        raise InvalidRequest(f"the archive can't be read: {error}; expected a whole tarball") from error


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, max_bytes: int) -> TarMember:
    if member.size > max_bytes:
        detail = f"{member.size} bytes; expected at most {max_bytes}"
        return TarMember(member.name, None, Rejection("submit", "too_large", detail))
    content = archive.extractfile(member)
    data = bytearray()
    while content is not None and (chunk := content.read(_CHUNK)):
        data += chunk
    if len(data) != member.size:
        raise EOFError(f"{member.name!r} ends after {len(data)} of {member.size} bytes")
    return TarMember(member.name, bytes(data))


def _check(member: tarfile.TarInfo) -> None:
    name = member.name.replace("\\", "/")
    if name.startswith("/") or ".." in PurePosixPath(name).parts or "\0" in name or name[1:2] == ":":
        raise Unsafe(f"the archive has a member called {member.name!r}; expected paths inside it")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise Unsafe(f"the archive's member {name!r} is a link or a special file; expected plain files")


class _Counted:
    """What tarfile reads from, which refuses to give more than the limits allow."""

    def __init__(self, file: BinaryIO, packed: int, limits: Limits) -> None:
        self._file, self._packed, self._limits = file, packed, limits
        self.tell = file.tell
        self.close = file.close

    def read(self, size: int = -1) -> bytes:
        if size > _HEADER_BYTES or size < 0:
            raise Unsafe(f"the archive has a header of {size} bytes; expected at most {_HEADER_BYTES}")
        data = self._file.read(size)
        self._refuse_bomb()
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        """Forwards in steps, each of which is counted."""
        while whence == 0 and place > self._file.tell():
            if not self.read(min(place - self._file.tell(), _CHUNK)):
                return self._file.tell()
        return self._file.seek(place, whence)

    def _refuse_bomb(self) -> None:
        place, ratio = self._file.tell(), self._limits.unpack_ratio
        if place > self._limits.unpacked_bytes:
            raise _bomb(f"over {self._limits.unpacked_bytes} bytes")
        if place > _RATIO_FROM_BYTES and place > self._packed * ratio:
            raise _bomb(f"over {ratio} times its size")


def _bomb(what: str) -> Unsafe:
    return Unsafe(f"the archive is refused as a bomb: it unpacks to {what}")


def _size(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size
