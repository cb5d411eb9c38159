"""An image's file as it can be read at any place of it: what is gzipped is unpacked once, beside."""

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.errors import InvalidRequest
from cutouts.fits import GZIP_MAGIC

_AT_ONCE = 2**20


@contextmanager
def plain_file(path: Path, *, max_bytes: int) -> Iterator[Path]:
    """The file itself, or what it unpacks to as a temporary file, which is gone at the end.

    Raises InvalidRequest for a damaged gzip, for one of more than `max_bytes`, and where there is no room.
    """
    with path.open("rb") as file:
        zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    if not zipped:
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="deep-asteroids-", suffix=".fits") as plain:
        _unpack(path, plain.file, max_bytes)
        yield Path(plain.name)


def _unpack(path: Path, plain: IO[bytes], max_bytes: int) -> None:
    size = 0
    try:
        with gzip.open(path, "rb") as packed:
            while chunk := packed.read(_AT_ONCE):
                size += len(chunk)
                if size > max_bytes:
                    raise InvalidRequest(
                        f"{path} unpacks to over {max_bytes} bytes; expected at most that "
                        "(limits.unpacked_bytes in the settings)"
                    )
                plain.write(chunk)
        plain.flush()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidRequest(f"{path} is a damaged gzip ({error}); expected a whole file") from error
    except OSError as error:
        raise InvalidRequest(
            f"{path} can't be unpacked into {tempfile.gettempdir()} ({error.strerror}); expected room for it "
            "in the folder that TMPDIR names"
        ) from error
