"""Where words go: progress to standard error, results to standard output (one JSON object with --json)."""

import json
import sys
from typing import Any


def say(sentence: str) -> None:
    """Tell a person what happens; never mixed into a result."""
    print(sentence, file=sys.stderr, flush=True)


def emit(value: dict[str, Any]) -> None:
    """Print the one JSON object that `--json` promises, on one line."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)
