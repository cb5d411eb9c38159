"""A catalogue of candidates: a table with an id and a place on the image or on the sky for each."""

import csv
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from core.errors import CutoutRejected, InvalidRequest, NotFound
from cutouts.fits import FITS_MAGIC, GZIP_MAGIC
from cutouts.nights import COLUMNS

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "name", "number", "candid", "streakid"),
    "x": ("x", "x_image"),
    "y": ("y", "y_image"),
    "ra": ("ra", "ra_deg", "raj2000", "alpha_j2000"),
    "dec": ("dec", "dec_deg", "dej2000", "delta_j2000"),
}
_MOST_BYTES = 2**30
_EXPECTED = "expected a table with a header (CSV, tabs or |), or one in FITS"


@dataclass(frozen=True)
class CatalogueRow:
    """One candidate.

    Parameters
    ----------
    number : of the row, from 1.
    id : as the catalogue gives it; empty where it gives none.
    place : (x, y) counted from 0, or (ra, dec) in degrees; None where it can't be, for which `fault` is why.
    texts : what else the catalogue has that a night's table may hold, by column.
    """

    number: int
    id: str
    place: tuple[float, float] | None
    texts: Mapping[str, str]
    fault: CutoutRejected | None = None


@dataclass(frozen=True)
class Catalogue:
    """Rows, and whether their places are on the sky or on the image."""

    rows: Sequence[CatalogueRow]
    on_sky: bool


def read_catalogue(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    on_sky: bool | None = None,
    first_pixel: int = 1,
) -> Catalogue:
    """Read a table: `id`, with `x` and `y` or with `ra` and `dec`, under these names or those of `columns`.

    Pixels are taken where both are there, unless `on_sky`; the centre of the first has the coordinates
    `first_pixel`. Raises NotFound, or InvalidRequest for what is no table, lacks columns or has no rows.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file; {_EXPECTED}")
    names, records = _table(path)
    chosen = _chosen(path, names, columns or {}, on_sky)
    sky = "ra" in chosen
    rows = [
        _row(n, dict(zip(names, cells, strict=False)), len(cells) - len(names), chosen, first_pixel)
        for n, cells in enumerate(records, 1)
    ]
    if not rows:
        raise InvalidRequest(f"{path} has a header and no rows; {_EXPECTED}")
    return Catalogue(rows, sky)


def _chosen(
    path: Path, names: Sequence[str], given: Mapping[str, str], on_sky: bool | None
) -> dict[str, str]:
    """The table's own names of `id`, and of `x` and `y` or of `ra` and `dec`."""
    lower = {name.lower(): name for name in reversed(names)}
    known: dict[str, str] = {}
    for meant, aliases in _ALIASES.items():
        wanted = (given[meant],) if meant in given else aliases
        found = next((lower[alias.lower()] for alias in wanted if alias.lower() in lower), None)
        if found is not None:
            known[meant] = found
        elif meant in given:
            raise InvalidRequest(f"{path} has no column {given[meant]!r}; it has {_listed(names)}")
    pairs = {True: [("ra", "dec")], False: [("x", "y")], None: [("x", "y"), ("ra", "dec")]}[on_sky]
    pair = next((pair for pair in pairs if all(axis in known for axis in pair)), None)
    if "id" not in known or pair is None:
        places = " or ".join(" and ".join(pair) for pair in pairs)
        raise InvalidRequest(
            f"{path} has the columns {_listed(names)}; expected id, and {places} (name them with --columns "
            "id=NAME,…)"
        )
    return {axis: known[axis] for axis in ("id", *pair)}


def _row(
    number: int, cells: Mapping[str, str], too_many: int, chosen: Mapping[str, str], first_pixel: int
) -> CatalogueRow:
    own = cells.get(chosen["id"], "").strip()
    texts = {name.lower(): text for name, text in cells.items() if name.lower() in COLUMNS}
    axes = [axis for axis in chosen if axis != "id"]
    try:
        if too_many:
            raise _rejected(
                "malformed", f"{len(cells) + max(0, too_many)} cells; expected one for each column"
            )
        if not own or not own.isprintable() or len(own) > 200:
            raise _rejected("no_id", f"{chosen['id']} is {own[:60]!r}; expected a name")
        first, second = (_number(axis, cells[chosen[axis]]) for axis in axes)
    except CutoutRejected as fault:
        return CatalogueRow(number, own, None, texts, fault)
    start = 0 if "ra" in chosen else first_pixel
    return CatalogueRow(number, own, (first - start, second - start), texts)


def _number(axis: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    unit = "degrees" if axis in ("ra", "dec") else "pixels"
    low, high = {"ra": (-360.0, 360.0), "dec": (-90.0, 90.0)}.get(axis, (-1e9, 1e9))
    if not (isfinite(value) and low <= value <= high):
        raise _rejected("bad_position", f"{axis} is {text[:60]!r}; expected {low:g} to {high:g} {unit}")
    return value


def _table(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    if path.stat().st_size > _MOST_BYTES:
        raise InvalidRequest(f"{path} has {path.stat().st_size} bytes; expected at most {_MOST_BYTES}")
    data = path.read_bytes()
    if data.startswith((FITS_MAGIC, GZIP_MAGIC)):
        return _fits_table(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is no text in UTF-8 ({error.reason}); {_EXPECTED}") from error
    if "\0" in text:
        raise InvalidRequest(f"{path} has zero bytes in it; {_EXPECTED}")
    lines = [line for line in text.splitlines() if line.strip()]
    head = lines[0].lstrip("# ") if lines else ""
    delimiter = max(",\t|;", key=head.count)
    names = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
    if len(names) < 2:
        raise InvalidRequest(f"{path} begins with {head[:80]!r}; {_EXPECTED}")
    rest = "\n".join(line for line in lines[1:] if not line.startswith("#"))
    records = csv.reader(io.StringIO(rest), delimiter=delimiter)
    return names, ([cell.strip() for cell in cells] for cells in _parsed(path, records))


def _parsed(path: Path, records: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from records
    except csv.Error as error:
        raise InvalidRequest(f"{path}: {error}; {_EXPECTED}") from error


def _fits_table(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(path, memmap=False) as units:
                table = next(
                    (unit for unit in units if hasattr(unit, "columns") and unit.data is not None), None
                )
                if table is None:
                    raise InvalidRequest(f"{path} has no table in it; {_EXPECTED}")
                names = [str(name) for name in table.columns.names]
                columns = [table.data[name].tolist() for name in names]
    except InvalidRequest:
        raise
    except Exception as error:
        raise InvalidRequest(f"{path} can't be read ({error!s:.200}); {_EXPECTED}") from error
    return names, ([_text(cell) for cell in cells] for cells in zip(*columns, strict=True))


def _text(cell: Any) -> str:
    return (cell.decode("ascii", "replace") if isinstance(cell, bytes) else str(cell)).strip()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (", …" if len(names) > 30 else "")


def _rejected(reason: str, detail: str) -> CutoutRejected:
    return CutoutRejected("cut", reason, detail)
