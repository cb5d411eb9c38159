"""Rows as an Apache Parquet file."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from api.export_formats import Blocks, Origin, columns, values
from core.outcome import Departure
from storage.exports import Row

ROW_GROUP = 20_000
"""Rows that are held in memory, and that a reader may skip together."""
_DEPARTURE = pa.struct(
    [("quantity", pa.string()), ("observed", pa.float64()), ("low", pa.float64()), ("high", pa.float64())]
)


def write_parquet(blocks: Blocks, origin: Origin) -> Iterator[bytes]:
    """The file by and by, a row group at a time; without its last bytes no reader takes it for a file.

    The metadata of its schema names `versions` and `thresholds` (JSON), and `job` or `filter`.
    """
    sink, schema = _Sink(), _schema(origin)
    held: list[pa.RecordBatch] = []
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for block in blocks:
            held.append(_batch(block, schema, origin.versions))
            if sum(batch.num_rows for batch in held) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(held, schema), row_group_size=2 * ROW_GROUP)
                held = []
                yield sink.taken()
        if held:
            writer.write_table(pa.Table.from_batches(held, schema), row_group_size=2 * ROW_GROUP)
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file whose bytes are taken away while it is written."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        self._held += data
        self._written += len(data)
        return len(data)

    def taken(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


def _schema(origin: Origin) -> pa.Schema:
    types = dict.fromkeys(columns(origin.versions), pa.string())
    types |= dict.fromkeys(origin.versions, pa.float64())
    types |= {"plausible": pa.bool_(), "uncalibrated": pa.list_(_DEPARTURE)}
    types["not_run"] = pa.list_(pa.string())
    told = {"versions": json.dumps(origin.versions), "thresholds": json.dumps(dict(origin.thresholds))}
    told |= {"job": origin.job} if origin.job is not None else {}
    told |= {"filter": origin.filter} if origin.filter is not None else {}
    return pa.schema(list(types.items()), metadata=told)


def _batch(block: Sequence[Row], schema: pa.Schema, versions: Sequence[str]) -> pa.RecordBatch:
    rows = [
        values(row, versions)
        | {"uncalibrated": [_departure(departure) for departure in row.result.uncalibrated]}
        for row in block
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def _departure(departure: Departure) -> dict[str, Any]:
    low, high = departure.expected
    return {"quantity": departure.quantity, "observed": departure.observed, "low": low, "high": high}
