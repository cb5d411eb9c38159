"""References to files, and to members of zip archives, below the folders that the settings allow."""

import os
import stat
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from core.errors import CutoutRejected, Unavailable, Unsafe
from core.settings import References
from cutouts.archives import DAMAGE, is_damage


def allowed_path(reference: str, policy: References) -> Path:
    """The path of a `file:` reference, symlinks followed; raises Unsafe when no allowed root holds it."""
    url = urlsplit(reference)
    if url.scheme != "file" or url.netloc not in ("", "localhost"):
        raise Unsafe(f"reference {reference!r}; expected file:///absolute/path")
    path = unquote(url.path)
    if not path.startswith("/") or "\0" in path:
        raise Unsafe(f"reference {reference!r}; expected file:///absolute/path")
    try:
        resolved = Path(path).resolve()
    except (OSError, RuntimeError) as error:  # a loop of symlinks
        raise Unsafe(f"reference {reference!r} can't be resolved: {error}") from error
    roots = [root.resolve() for root in policy.roots]
    if not any(resolved.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots)) or "none"
        raise Unsafe(f"reference {reference!r} is outside the allowed folders; allowed: {allowed}")
    return resolved


def read_file(reference: str, policy: References, *, max_bytes: int) -> bytes:
    """The bytes of a `file:` reference."""
    path = allowed_path(reference, policy)
    with _open(path, reference) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise CutoutRejected("fetch", "too_large", f"{reference}: more than {max_bytes} bytes")
    return data


def split_member(reference: str) -> tuple[str, str]:
    """(member, archive) of `zip://member::file:///archive.zip`."""
    member, separator, archive = reference.removeprefix("zip://").partition("::")
    if not separator or not member or not archive.startswith("file:"):
        raise Unsafe(f"reference {reference!r}; expected zip://member::file:///path/of/archive.zip")
    return unquote(member), archive


def read_member(reference: str, policy: References, *, max_bytes: int) -> bytes:
    """The bytes of one member, counted as they are inflated and not believed from its header."""
    member, archive = split_member(reference)
    path = allowed_path(archive, policy)
    try:
        status = path.stat()
        _refuse_irregular(status, archive)
        opened = _opened(path, status.st_mtime_ns, status.st_size)
        with opened.open(member) as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, KeyError) as error:
        raise CutoutRejected("fetch", "not_found", f"{reference}: no such archive or member") from error
    except (*DAMAGE, OSError) as error:
        if is_damage(error):
            raise CutoutRejected("fetch", "damaged", f"{reference}: {error}; expected a whole zip") from error
        raise Unavailable(f"{reference}: {error}") from error
    if len(data) > max_bytes:
        raise CutoutRejected("fetch", "too_large", f"{reference}: more than {max_bytes} bytes unpacked")
    return data


@lru_cache(maxsize=4)
def _opened(path: Path, _mtime_ns: int, _size: int) -> zipfile.ZipFile:
    """An archive whose directory is read once for all its members; a changed file is opened anew."""
    return zipfile.ZipFile(path)


def _open(path: Path, reference: str) -> BinaryIO:
    """Open a regular file: never a pipe or a device, which could block for ever, nor a link set since."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CutoutRejected("fetch", "not_found", f"{reference}: no such file") from error
    except PermissionError as error:
        raise CutoutRejected("fetch", "not_allowed", f"{reference}: the service may not read it") from error
    except OSError as error:
        raise Unavailable(f"{reference}: {error.strerror}") from error
    try:
        _refuse_irregular(os.fstat(descriptor), reference)
    except CutoutRejected:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _refuse_irregular(status: os.stat_result, reference: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CutoutRejected("fetch", "not_a_file", f"{reference}: expected a regular file")
