"""`python -m bench.peers.lit_server`: LitServe with batching, and a client with many requests under way."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path

import litserve
import numpy as np

from bench.peers.openvino_pair import OpenVinoPair
from bench.peers.pixels import read_pixels
from bench.peers.told import serve, told
from cutouts.recipes import Pixels

BATCH_TIMEOUT_S = 0.02
READY_S = 120.0
UNDER_WAY = 4  # requests, in batches of each worker
WORKERS = len(os.sched_getaffinity(0))
Asked = tuple[str, str, Pixels]
"""A collection, a file's name, and its pixels."""


class ScoringApi(litserve.LitAPI):  # type: ignore[misc]
    """Decodes pictures, scores batches of them, and answers each with its scores."""

    def setup(self, device: str) -> None:
        """Load the networks; the device is the CPU."""
        del device
        mine = told()
        self._pair, self._fields = OpenVinoPair(mine.graphs, threads=1), mine.fields
        self._database = mine.database()

    def decode_request(self, request: dict[str, str]) -> Asked:
        """The pixels of a picture in base64."""
        return request["collection"], request["name"], read_pixels(base64.b64decode(request["picture"]))

    def batch(self, inputs: Sequence[Asked]) -> Sequence[Asked]:
        """As they come."""
        return inputs

    def predict(self, inputs: Sequence[Asked]) -> list[dict[str, float]]:
        """The scores of a batch, once they are on record."""
        rows = self._pair(np.stack([pixels for _, _, pixels in inputs])).tolist()
        scores = [dict(zip(self._fields, row, strict=True)) for row in rows]
        documents = [{"_id": name, **found} for (_, name, _), found in zip(inputs, scores, strict=True)]
        self._database[inputs[0][0]].insert_many(documents, ordered=False)
        return scores

    def unbatch(self, output: list[dict[str, float]]) -> list[dict[str, float]]:
        """Each its own."""
        return output

    def encode_response(self, output: dict[str, float]) -> dict[str, float]:
        """As it is."""
        return output


def main() -> None:
    """Serve on the port that is named; without one, start a server and have it score as told."""
    if len(sys.argv) > 1:
        _run_server(int(sys.argv[1]))
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "bench.peers.lit_server", str(port)]
    server = subprocess.Popen(command, stdout=sys.stderr, start_new_session=True)
    try:
        _await_ready(port)
        _be_client(port)
    finally:
        server.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            server.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # its workers, which may outlive it
        server.wait()


def _run_server(port: int) -> None:
    api = ScoringApi(max_batch_size=told().batch, batch_timeout=BATCH_TIMEOUT_S)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise TimeoutError(f"LitServe is not healthy after {READY_S:.0f} s")


def _be_client(port: int) -> None:
    mine = told()
    threads = UNDER_WAY * WORKERS * mine.batch
    connections = threading.local()

    def ask(collection: str, path: Path) -> None:
        if getattr(connections, "run", None) != collection:  # the server closes those that are idle
            connections.run, connections.mine = collection, HTTPConnection("127.0.0.1", port, timeout=120)
        picture = base64.b64encode(path.read_bytes()).decode()
        body = json.dumps({"collection": collection, "name": path.name, "picture": picture})
        connections.mine.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connections.mine.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"LitServe answered {answer.status} for {path.name}: {said[:200]!r}")

    settings: dict[str, object] = {
        "litserve": version("litserve"),
        "workers": f"{WORKERS} of one thread",
        "max_batch_size": mine.batch,
        "batch_timeout": BATCH_TIMEOUT_S,
        "requests under way": threads,
        "writes": "an insert for each batch",
    }
    with ThreadPoolExecutor(threads) as pool:

        def score(collection: str) -> None:
            list(pool.map(partial(ask, collection), mine.names()))

        serve(settings, score)


if __name__ == "__main__":
    main()
