"""What a process asks of MongoDB: how often, and how long it waits for the answers, by statement."""

import json
import os
import threading
from collections import Counter
from pathlib import Path

from pymongo import monitoring

WRITE_EVERY_S = 0.2
Statements = dict[str, tuple[int, int]]
"""How often, and microseconds waited, by `insert outcomes` and the like."""


class StatementCounter(monitoring.CommandListener):
    """Counts the statements of this process and keeps them in a file of a folder, for `statements_in`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{os.getpid()}.json"
        self._running: dict[int, str] = {}
        self._count: Counter[str] = Counter()
        self._waited_us: Counter[str] = Counter()

    def register(self) -> None:
        """Count what connections ask that are opened from now on."""
        monitoring.register(self)
        threading.Thread(target=self._keep_writing, name="statements", daemon=True).start()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note what is asked."""
        collection = event.command.get(
            "collection" if event.command_name == "getMore" else event.command_name
        )
        self._running[event.request_id] = f"{event.command_name} {collection}"

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Note how long it took."""
        self._ended(event.request_id, event.duration_micros)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Note how long it took."""
        self._ended(event.request_id, event.duration_micros)

    def _ended(self, request: int, micros: int) -> None:
        statement = self._running.pop(request, "unknown")
        self._count[statement] += 1
        self._waited_us[statement] += micros

    def _keep_writing(self) -> None:
        while True:
            threading.Event().wait(WRITE_EVERY_S)
            found = {name: (count, self._waited_us[name]) for name, count in list(self._count.items())}
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps(found), "utf-8")
            draft.replace(self._file)


def statements_in(folder: Path) -> Statements:
    """The statements of all processes that keep them in this folder."""
    count: Counter[str] = Counter()
    waited_us: Counter[str] = Counter()
    for path in folder.glob("*.json"):
        for name, (n, micros) in json.loads(path.read_text("utf-8")).items():
            count[name] += n
            waited_us[name] += micros
    return {name: (count[name], waited_us[name]) for name in count}
