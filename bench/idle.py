"""How soon a single cutout has its scores on record while nothing else is to be done."""

import os
import time
from pathlib import Path
from statistics import median

import numpy as np

from bench.bare_program import BareEngine
from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.client import Client
from cli.connection import local_client
from cli.multipart import File
from cutouts.decode import decode
from models.bundle import find_bundle
from storage.blobs import sha256_of

ALLOWED_S = 0.025
TIMES = 2
WARMING = 5
POLL_S = 0.001
TIMEOUT_S = 60.0


def measure_idle(folder: Path, singles: list[Path], *, as_json: bool) -> int:
    """Submit one after the other and compare with the networks alone; returns 0 when the promise is kept.

    The time counts from the request, as a client begins it, to the last score in MongoDB.
    """
    os.environ["DA_SCORING__GRAPHS_DIR"] = str(folder / "graphs")
    with local_service(folder / "service") as local:
        versions = tuple(local.record.models.production())
        network_s = _network_s(folder, singles, versions)
        client = local_client(local.service.url, local.service.secrets_file)
        found = [_submitted(client, local, single, versions) for single in singles][WARMING:]
        network_s += _network_s(folder, singles, versions)
    own, p50 = median(network_s), median(scored for _, scored in found)
    limit = TIMES * own + ALLOWED_S
    details: dict[str, object] = {
        "cutouts": len(found),
        "networks": list(versions),
        "ms of the networks alone, p50": round(1000 * own, 1),
        "ms to the answer 202, p50": round(1000 * median(accepted for accepted, _ in found), 1),
        "ms to the scores on record, p50 and p95": [
            round(1000 * float(np.percentile([scored for _, scored in found], share)), 1)
            for share in (50, 95)
        ],
    }
    figure = (
        f"p50 {1000 * p50:.0f} ms from the request to both scores in MongoDB, at most {1000 * limit:.0f} ms"
    )
    return conclude("latency, idle", figure, kept=p50 < limit, details=details, as_json=as_json)


def _network_s(folder: Path, singles: list[Path], versions: tuple[str, ...]) -> list[float]:
    """Seconds of the engine alone for one cutout, each time anew."""
    bundles, pixels = folder / "bundles", folder / "pixels.npy"
    bundles.mkdir(exist_ok=True)
    for version in versions:
        if not (bundles / version).exists():
            (bundles / version).symlink_to(find_bundle(version))
    np.save(pixels, np.stack([decode(singles[0].read_bytes())]))
    bare = BareEngine(bundles, pixels, 1)
    try:
        return [bare.run("engine", 1).seconds for _ in singles][WARMING:]
    finally:
        bare.close()


def _submitted(
    client: Client, local: LocalService, single: Path, versions: tuple[str, ...]
) -> tuple[float, float]:
    """Seconds to the answer 202, and to the scores by all versions on record."""
    cutout = sha256_of(single.read_bytes())
    began = time.monotonic()
    client.jobs.submit_files([File(single.name, single)])
    accepted = time.monotonic()
    while len(local.record.outcomes.existing([cutout], versions)) < len(versions):
        if time.monotonic() - began > TIMEOUT_S:
            raise TimeoutError(f"{single.name} has no scores after {TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)
    return accepted - began, time.monotonic() - began
