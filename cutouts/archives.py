"""Uploaded zip archives: their images one by one, and nothing of an archive that is not to be trusted."""

import errno
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from core.errors import InvalidRequest, TooLarge, Unsafe
from core.job import Rejection
from core.settings import Limits

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".fits", ".fits.gz", ".fits.fz")
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"^[A-Za-z]:")
_ENTRY = b"PK\x01\x02"  # each member begins so in the archive's directory
_LOCAL_HEADER_BYTES = 30
# What zipfile raises for bytes that are no whole zip. ValueError: names that are no UTF-8, negative places.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError),
)
_CHUNK = 65536
_RATIO_FROM_BYTES = 65536  # below that nothing is a bomb


@dataclass(frozen=True)
class Member:
    """An image of an archive: its bytes, or why this one, and no other, can't be had."""

    name: str
    data: bytes | None
    rejection: Rejection | None = None


class ImageArchive:
    """A zip file whose members were checked before the first is read.

    Parameters
    ----------
    file : seekable; read where it is, never unpacked to disk, and left open. Where it is closed
        while it is read, that raises ValueError and is no damage.
    limits : of a member's size, all members' size, their ratio and their number.

    Raises InvalidRequest for what is not a zip, TooLarge for too many members, and Unsafe for names that lead
    out of a folder, links, encryption, and members that unpack to far more than is allowed.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(_CountingFile(file, limits.cutouts_per_job))
        except (*DAMAGE, OSError) as error:
            if not is_damage(error):
                raise
            raise InvalidRequest(f"the archive can't be read: {error}; expected a zip file") from error
        members = [m for m in self._zip.infolist() if not m.filename.endswith("/")]  # is_dir wants a name
        for member in members:
            _check(member, limits)
        _check_overlaps(members)
        _check_total(members, limits)
        wanted = [member for member in members if not _is_litter(member.filename)]
        self._images = [member for member in wanted if _is_image(member.filename)]
        self.ignored = tuple(member.filename for member in wanted if not _is_image(member.filename))

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Member]:
        """The images in the archive's order; a member that is too large or damaged comes without its bytes.

        Raises Unsafe where the bytes that come out are more than the headers made believe.
        """
        for info in self._images:
            yield self._read(info, self._limits.cutout_bytes)

    def document(self, name: str, *, max_bytes: int) -> Member:
        """One of `ignored`, with the checks that an image gets."""
        return self._read(self._zip.getinfo(name), max_bytes)

    def _read(self, info: zipfile.ZipInfo, largest: int) -> Member:
        if info.file_size > largest:
            return _rejected(info, "too_large", f"{info.file_size} bytes; expected at most {largest}")
        data = bytearray()
        try:
            with self._zip.open(info) as file:
                while chunk := file.read(_CHUNK):
                    data += chunk
                    self._count(info, len(chunk), len(data))
                    if len(data) > largest:
                        return _rejected(info, "too_large", f"over {largest} bytes, which are allowed")
        except (*DAMAGE, OSError) as error:
            if self._file.closed or not is_damage(error):
                raise
            return _rejected(info, "damaged", f"{error}; expected a whole member of the archive")
        return Member(info.filename, bytes(data))

    def _count(self, info: zipfile.ZipInfo, chunk: int, member: int) -> None:
        self._unpacked += chunk
        if self._unpacked > self._limits.unpacked_bytes:
            raise _bomb(f"its members unpack to more than {self._limits.unpacked_bytes} bytes")
        if _is_bomb(member, info.compress_size, self._limits):
            raise _bomb(
                f"member {info.filename!r} unpacks to over {self._limits.unpack_ratio} times its size"
            )


def is_damage(error: Exception) -> bool:
    """Whether an error tells of the zip's bytes, and not of the disk that they are on."""
    return not isinstance(error, OSError) or error.errno == errno.EINVAL  # a seek to where no file can be


class _CountingFile:
    """A file for zipfile to read, which refuses a directory of too many members before it is taken apart."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """As the file's own; raises TooLarge."""
        data = self._file.read(size)
        if data.count(_ENTRY) > self._most:
            raise TooLarge(f"the archive has over {self._most} members; expected at most {self._most}")
        return data


def _check(member: zipfile.ZipInfo, limits: Limits) -> None:
    name = member.orig_filename.replace("\\", "/")
    leads_out = name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/")
    if leads_out or "\0" in name or not name:
        raise Unsafe(f"the archive has a member called {member.orig_filename!r}; expected paths inside it")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise Unsafe(f"the archive's member {name!r} is a link or a special file; expected plain files")
    if member.flag_bits & _ENCRYPTED:
        raise Unsafe(f"the archive's member {name!r} is encrypted; expected plain files")
    if member.compress_type not in _COMPRESSIONS:
        raise InvalidRequest(
            f"member {name!r} has compression {member.compress_type}; expected stored or deflated"
        )
    if _is_bomb(member.file_size, member.compress_size, limits):
        raise _bomb(f"member {name!r} unpacks {member.compress_size} bytes to {member.file_size}")


def _check_overlaps(members: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes, the trick of archives that unpack to petabytes."""
    end = 0
    for member in sorted(members, key=lambda info: info.header_offset):
        if member.header_offset < end:
            raise _bomb(f"member {member.filename!r} overlaps another one")
        end = member.header_offset + _LOCAL_HEADER_BYTES + len(member.filename) + member.compress_size


def _check_total(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    total = sum(member.file_size for member in members)
    if total > limits.unpacked_bytes:
        raise _bomb(f"its members unpack to {total} bytes; expected at most {limits.unpacked_bytes}")


def _is_bomb(unpacked: int, packed: int, limits: Limits) -> bool:
    return unpacked > _RATIO_FROM_BYTES and unpacked > packed * limits.unpack_ratio


def _bomb(what: str) -> Unsafe:
    return Unsafe(f"the archive is refused as a bomb: {what}")


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)


def _is_litter(name: str) -> bool:
    """What macOS and file managers put beside people's files."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name in (".DS_Store", "Thumbs.db", "desktop.ini")


def _rejected(info: zipfile.ZipInfo, reason: str, detail: str) -> Member:
    return Member(info.filename, None, Rejection("submit", reason, detail))
