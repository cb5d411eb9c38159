"""Rows and columns that print well, and that pandas or astropy take over where they are installed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MOST_SHOWN = 40


@dataclass(frozen=True)
class Table:
    """Columns by name, and the rows; a value that is missing is None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        """The values of a column; raises KeyError, naming those that there are."""
        if column not in self.columns:
            raise KeyError(f"{column}; expected one of {', '.join(self.columns)}")
        place = self.columns.index(column)
        return [row[place] for row in self.rows]

    def __str__(self) -> str:
        shown = self.rows if len(self.rows) <= _MOST_SHOWN else self.rows[: _MOST_SHOWN - 1]
        cells = [self.columns, *(tuple(map(_cell, row)) for row in shown)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
        if len(shown) < len(self.rows):
            lines.append(f"… {len(self.rows):,} rows in all")
        return "\n".join(lines)

    def to_pandas(self) -> Any:
        """The same as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(_wanted("pandas")) from error
        return pd.DataFrame.from_records(list(self.rows), columns=list(self.columns))

    def to_astropy(self) -> Any:
        """The same as an astropy Table, missing values masked; raises ImportError without astropy."""
        try:
            from astropy.table import MaskedColumn
            from astropy.table import Table as AstropyTable
        except ImportError as error:
            raise ImportError(_wanted("astropy")) from error
        columns = []
        for name in self.columns:
            values = self[name]
            filler = next((type(value)() for value in values if value is not None), "")
            filled = [filler if value is None else value for value in values]
            columns.append(MaskedColumn(filled, name=name, mask=[value is None for value in values]))
        return AstropyTable(columns)


def table_of(rows: Iterable[Mapping[str, Any]], first: Sequence[str]) -> Table:
    """A table of rows by column: these columns first, then whatever others any row has."""
    found = list(rows)
    columns = tuple(dict.fromkeys([*first, *(name for row in found for name in row)]))
    return Table(columns, tuple(tuple(row.get(name) for name in columns) for row in found))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _wanted(package: str) -> str:
    return f"{package} is not installed; expected pip install 'deep-asteroids-client[{package}]'"
