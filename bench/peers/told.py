"""What a contender's program is told, and how it answers: lines of JSON on stdin and stdout.

It runs with the packages of its own environment, which are few.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

CONFIG_VARIABLE = "BENCH_PEERS"


@dataclass(frozen=True)
class Told:
    """What every contender has to know.

    Parameters
    ----------
    files : the folder of the JPEGs.
    fields : what the score of each network is called in a document, whose `_id` is the file's name.
    graphs, bundles : the networks in that order, as OpenVINO and as Keras read them.
    batch : cutouts at a time, for what takes batches.
    """

    files: str
    fields: list[str]
    graphs: list[str]
    bundles: list[str]
    mongo_url: str
    redis_url: str
    batch: int

    def names(self) -> list[Path]:
        """The files, in their order."""
        return sorted(Path(self.files).glob("*.jpg"))

    def database(self) -> Database[dict[str, Any]]:
        """Where scores go, with what MongoDB does by default."""
        return MongoClient[dict[str, Any]](self.mongo_url)["peers"]


def told() -> Told:
    """As the environment has it."""
    return Told(**json.loads(os.environ[CONFIG_VARIABLE]))


def serve(settings: dict[str, object], score: Callable[[str], float | None]) -> None:
    """Say ready, then score all files into the collection that each line of stdin names, until it ends.

    `score` returns the seconds that count, where these are not all that it took.
    """
    answers = sys.stdout
    print(json.dumps(settings), file=answers, flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        with redirect_stdout(sys.stderr):
            seconds = score(line.strip())
        took = time.perf_counter() - began
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        said = {"seconds": seconds or took, "took": took, "peak_mib": peak_mib}
        print(json.dumps(said), file=answers, flush=True)
