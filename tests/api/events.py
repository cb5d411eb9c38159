"""Server-sent events as a client reads them."""

import json
from collections.abc import Iterator
from typing import Any

import requests


def events_of(stream: requests.Response) -> Iterator[tuple[str, str, Any]]:
    """(event, id, data) of each server-sent event."""
    fields: dict[str, str] = {}
    for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "event" in fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
            fields = {}
