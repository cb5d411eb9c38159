"""Guarded reading of HDF5: plain arrays of floats and names, from this one file and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest

MAX_BYTES = 512 * 1024 * 1024
MAX_OBJECTS = 20_000
MAX_NAMES = 5000
TOLD = 1000  # characters of an error, which may quote the file
MAGIC = b"\x89HDF\r\n\x1a\n"
PLAIN_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


@contextmanager
def opened(file: Path | BinaryIO, source: str) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading; `source` names it in errors.

    Raises InvalidRequest when it is too large, truncated, corrupt or no HDF5 file, when anything in it lies
    elsewhere (links, external or virtual data) or needs a plug-in, and for what fails while it is read.
    """
    try:
        _check_start(file)
        with h5py.File(file, "r") as content:
            _refuse_elsewhere(content)
            yield content
    except InvalidRequest as error:
        raise InvalidRequest(f"{source}: {error!s:.{TOLD}}") from error
    except DAMAGED as error:
        raise InvalidRequest(
            f"{source} is truncated or corrupt: {error}; expected a whole HDF5 file"
        ) from error


def child(group: h5py.Group, path: str) -> Any:
    """The group or array at a path below a group; raises InvalidRequest when it is not there."""
    found: Any = group
    for part in path.split("/"):
        if not part or part == "." or not isinstance(found, h5py.Group) or part not in found:
            raise InvalidRequest(f"{group.name} has no {path!r:.100}")
        found = found[part]
    return found


def names(group: h5py.Group, attribute: str) -> list[str]:
    """The names in an attribute, in its order, also where Keras split it: layer_names0, layer_names1..."""
    parts = [attribute] if attribute in group.attrs else _split(group, attribute)
    if not parts:
        raise InvalidRequest(
            f"{group.name} has no attribute {attribute}; expected weights as Keras 2 wrote them"
        )
    return [name for part in parts for name in _texts(group, part)]


def text(group: h5py.Group, attribute: str) -> str:
    """The text in an attribute; raises InvalidRequest when there is none, or something else."""
    if attribute not in group.attrs:
        raise InvalidRequest(f"{group.name} has no attribute {attribute}")
    value = _texts(group, attribute)
    if len(value) != 1:
        raise InvalidRequest(f"attribute {attribute} holds {len(value)} texts; expected one")
    return value[0]


def floats(dataset: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array as float32; raises InvalidRequest unless it holds finite floats and has the shape."""
    name = getattr(dataset, "name", "?")
    if not isinstance(dataset, h5py.Dataset):
        raise InvalidRequest(f"weight {name} is a group; expected an array {shape}")
    if dataset.shape != shape or dataset.dtype.kind != "f":
        what = "a pickled or other object" if dataset.dtype.kind in "OV" else str(dataset.dtype)
        raise InvalidRequest(f"weight {name} is {what} {dataset.shape}; expected floats {shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        array: NDArray[np.float32] = dataset[()].astype(np.float32)
    if not np.isfinite(array).all():
        raise InvalidRequest(
            f"weight {name} holds {int((~np.isfinite(array)).sum())} values that are not finite"
        )
    return array


def _check_start(file: Path | BinaryIO) -> None:
    if isinstance(file, Path):
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(len(MAGIC))
    else:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(len(MAGIC))
        file.seek(0)
    if size > MAX_BYTES:
        raise InvalidRequest(f"{size} bytes; expected at most {MAX_BYTES}")
    if start != MAGIC:
        kind = "a pickle, which is never read" if start[:1] == b"\x80" else f"starts with {start!r}"
        raise InvalidRequest(f"{size} bytes, {kind}; expected an HDF5 file")


def _refuse_elsewhere(file: h5py.File) -> None:
    """Visit everything once, without following a link, and refuse what is not plainly in this file."""
    groups: list[h5py.Group] = [file]
    seen: set[int] = set()
    while groups:
        group = groups.pop()
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                target = f"{getattr(link, 'filename', '')} {getattr(link, 'path', '')}".strip()
                raise InvalidRequest(
                    f"{place} is a link to {target!r:.100} ({type(link).__name__}); "
                    "expected data in the file itself"
                )
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MAX_OBJECTS:
                raise InvalidRequest(f"more than {MAX_OBJECTS} groups and arrays")
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                _check_storage(item, place)


def _check_storage(dataset: h5py.Dataset, place: str) -> None:
    if dataset.external or dataset.is_virtual:
        raise InvalidRequest(f"{place} keeps its data in another file; expected data in the file itself")
    properties = dataset.id.get_create_plist()
    used = {properties.get_filter(n)[0] for n in range(properties.get_nfilters())}
    if used - set(PLAIN_FILTERS):
        raise InvalidRequest(f"{place} is packed by filter {max(used)}; expected none, or gzip")


def _split(group: h5py.Group, attribute: str) -> list[str]:
    parts: list[str] = []
    while f"{attribute}{len(parts)}" in group.attrs and len(parts) < MAX_NAMES:
        parts.append(f"{attribute}{len(parts)}")
    return parts


def _texts(group: h5py.Group, attribute: str) -> list[str]:
    """The texts of an attribute; an empty list is written as an empty array of floats."""
    info = group.attrs.get_id(attribute)
    count = int(np.prod(info.shape, dtype=np.int64))
    if count == 0:
        return []
    if count > MAX_NAMES:
        raise InvalidRequest(
            f"attribute {attribute} of {group.name} holds {count} values; expected at most {MAX_NAMES}"
        )
    if h5py.check_string_dtype(info.dtype) is None:
        raise InvalidRequest(f"attribute {attribute} of {group.name} is {info.dtype}; expected text")
    values = np.atleast_1d(np.asarray(group.attrs[attribute], dtype=object)).ravel()
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]
