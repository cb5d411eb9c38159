"""A night as a backlog of the whole service: put on record, packed or not, scored, and how that went."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.backlog import put_on_record
from bench.local_service import LocalService
from bench.process_tree import peak_mib, process_tree
from bench.stages import Shares, StageClock
from cli.connection import local_client
from core.settings import Settings
from cutouts.recipes import RECIPES
from storage.blobs import sha256_of
from worker.packer import Packer
from worker.readers import decode_limits, open_reader

POLL_S = 2.0  # the record tells when a job ended; looking takes of the cores that score


@dataclass(frozen=True)
class Backlog:
    """How a backlog was scored.

    Parameters
    ----------
    seconds : from the first claim to the job's end.
    waited_s : from the job's acceptance to the first claim.
    shards : their sizes.
    between_ms : from the end of each shard to the claim of the next one.
    cpu_ms : of each program, per cutout, from the job's acceptance.
    stages : the share of `seconds` that the worker was at each stage.
    """

    seconds: float
    waited_s: float
    shards: list[int]
    between_ms: list[int]
    cpu_ms: dict[str, float]
    stages: Shares


def night_on_record(local: LocalService, files: list[bytes], *, days: int, packed: bool) -> str:
    """A night of cutouts on record; the files of a packed one are removed. Returns the night."""
    record = local.record
    mine = [data[:2] + _comment(days) + data[2:] for data in files]  # the same pictures, other bytes
    night = put_on_record(record, mine, days=days)
    if packed:
        settings = Settings()
        reader = open_reader(settings, record, name="pack", from_packs=True)
        packer = Packer(record, reader, recipe=next(iter(RECIPES)), limits=decode_limits(settings))
        packer.pack(f"night = {night}")
        for data in mine:
            record.blobs.delete(sha256_of(data))
    return night


def _comment(days: int) -> bytes:
    """A comment segment of a JPEG, to stand after its first two bytes."""
    text = str(days).encode()
    return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text


def scored(local: LocalService, night: str, count: int, *, versions: Sequence[str]) -> Backlog:
    """Have a night scored, and tell from the record how long that took."""
    client = local_client(local.service.url, local.service.secrets_file)
    stages = StageClock(local.programs()["worker"])
    before = local.cpu_s()
    job = str(client.jobs.submit_rescoring({"models": list(versions), "nights": [night]})["job"])
    ended = local.wait(job, timeout_s=900, poll_s=POLL_S)
    cpu = {name: after - before[name] for name, after in local.cpu_s().items()}
    progress = local.record.shards.progress(job)
    if progress.scored != count or ended.created is None or ended.finished is None:
        raise RuntimeError(f"{progress.scored} of {count} cutouts of {night} were scored: {ended}")
    shards = list(local.record.database["shards"].find({"_id.job": job}).sort("claimed", 1))
    seconds = (ended.finished - shards[0]["claimed"]).total_seconds()
    return Backlog(
        seconds=seconds,
        waited_s=(shards[0]["claimed"] - ended.created).total_seconds(),
        shards=[shard["size"] for shard in shards],
        between_ms=[
            round(1000 * (later["claimed"] - one["closed"]).total_seconds())
            for one, later in pairwise(shards)
        ],
        cpu_ms={name: round(1000 * used / count, 2) for name, used in cpu.items()},
        stages=stages.shares(seconds),
    )


def peaks(local: LocalService) -> dict[str, int]:
    """Peak resident memory of each process of the service, in MiB."""
    return {
        name if n == 0 else f"{name}/{n}": peak_mib(pid)
        for name, root in local.programs().items()
        for n, pid in enumerate(process_tree(root))
    }
