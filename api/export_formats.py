"""Rows as files: the formats that scores are taken out in, written while they are read."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.outcome import Departure
from storage.exports import Row

Form = Literal["csv", "ndjson", "parquet"]
Blocks = Iterable[Sequence[Row]]

# https://owasp.org/www-community/attacks/CSV_Injection, and the signs' full-width forms
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class Origin:
    """Where scores come from: the thresholds of exact versions, and the job or the filter."""

    thresholds: Mapping[str, float]
    job: str | None = None
    filter: str | None = None

    @property
    def versions(self) -> list[str]:
        """One column each."""
        return list(self.thresholds)


@dataclass(frozen=True)
class Format:
    """A way to write rows: how the file is called, and its bytes by and by; the last ones make it whole."""

    media_type: str
    write: Callable[[Blocks, Origin], Iterator[bytes]]


def values(row: Row, versions: Sequence[str]) -> dict[str, Any]:
    """A row by column; a column for each version, None where it gave no score."""
    result = row.result
    return {
        "file": result.name,
        "id": result.cutout,
        "night": row.night,
        **{version: result.scores.get(version) for version in versions},
        "plausible": result.plausible,
        "rejection": None if result.rejection is None else result.rejection.reason,
        "instrument": result.instrument,
        "uncalibrated": [vars(departure) for departure in result.uncalibrated],
        "not_run": list(result.not_run),
    }


def columns(versions: Sequence[str]) -> list[str]:
    """The names of the columns, in order."""
    return [
        "file",
        "id",
        "night",
        *versions,
        "plausible",
        "rejection",
        "instrument",
        "uncalibrated",
        "not_run",
    ]


def _csv(blocks: Blocks, origin: Origin) -> Iterator[bytes]:
    """A header and a line for each row, UTF-8; texts that a spreadsheet would run get a `'` in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(origin.versions))
    for block in blocks:
        for row in block:
            told = values(row, origin.versions) | {"uncalibrated": _told(row.result.uncalibrated)}
            told["not_run"] = " ".join(row.result.not_run)
            writer.writerow([_cell(value) for value in told.values()])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _ndjson(blocks: Blocks, origin: Origin) -> Iterator[bytes]:
    """An object for each row, one on a line."""
    for block in blocks:
        lines = (json.dumps(values(row, origin.versions), ensure_ascii=False) + "\n" for row in block)
        yield "".join(lines).encode()


def _parquet(blocks: Blocks, origin: Origin) -> Iterator[bytes]:
    from api.parquet_file import write_parquet  # 60 MB of library, for who asks for it

    return write_parquet(blocks, origin)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _told(departures: Sequence[Departure]) -> str:
    """`sky_grey=120.5; polarity=-0.95`."""
    return "; ".join(f"{departure.quantity}={departure.observed}" for departure in departures)


FORMATS: Mapping[Form, Format] = {
    "csv": Format("text/csv; charset=utf-8", _csv),
    "ndjson": Format("application/x-ndjson", _ndjson),
    "parquet": Format("application/vnd.apache.parquet", _parquet),
}
