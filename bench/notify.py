"""`python -m bench.notify`: how soon a subscriber has the matches of a filter, through kills of the notifier.

The light networks score a job of fresh cutouts, all of which match. A webhook notes when each came. While
they come the notifier's process, the sweeper, is killed twice. The verdict: each match came within 60 s of
its last score being on record, in one message by its id; none is missing.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from statistics import median

import requests

from bench.await_that import await_that
from bench.cutout_files import another, jpegs, write_zip
from bench.local_service import LocalService, local_service
from bench.loopback_server import web_server_of
from bench.verdict import conclude
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.service_secrets import Secrets

LIMIT_S = 60.0
DISTINCT = 100
KILLS = 2
PATIENCE_S = 300.0
SETTINGS = {
    "DA_SHIPPED": "light",
    "DA_SCORING__SHARD_SIZE": "100",
    "DA_WEBHOOKS__SCHEMES": '["http"]',
    "DA_WEBHOOKS__PRIVATE_ADDRESSES": "true",
}


class Inbox:
    """What came: by match, the message that it came in and when, in seconds since 1970."""

    def __init__(self) -> None:
        self.came: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def take(self, message: dict[str, object], matches: Sequence[dict[str, str]]) -> None:
        """Note the matches of one message; the first time counts."""
        now = time.time()
        with self._lock:
            for match in matches:
                self.came.setdefault(match["id"], {}).setdefault(str(message["delivery"]), now)

    def has_more_than(self, matches: int) -> bool:
        """Whether more different matches than that have come."""
        return len(self.came) > matches


def main() -> int:
    """Subscribe, submit, kill and compare; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.notify", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ |= SETTINGS
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-notify-") as scratch:
        folder = Path(scratch)
        drawn = [data for _, data in jpegs(DISTINCT, seed=1)]
        files = [(f"{n:06d}.jpg", another(drawn[n % DISTINCT], n)) for n in range(args.cutouts)]
        archive = write_zip(folder / "night.zip", files)
        with _receiver() as (url, inbox), local_service(folder / "service", programs=_programs) as local:
            return _measure(local, archive, url, inbox, args)


def _programs(place: Place, secrets: Secrets) -> Sequence[Program]:
    wanted = ("api", "worker", "sweeper")
    return [program for program in service_programs(place, secrets) if program.name in wanted]


@contextmanager
def _receiver() -> Iterator[tuple[str, Inbox]]:
    """A webhook's URL, and what it gets."""
    inbox = Inbox()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            inbox.take(message, message.get("matches", []))
            self.send_response(204)
            self.end_headers()

    with web_server_of(Receiver) as url:
        yield f"{url}/", inbox


def _measure(local: LocalService, archive: Path, url: str, inbox: Inbox, args: argparse.Namespace) -> int:
    wanted = {"name": "all", "filter": "rb >= 0", "webhook": url}
    headers = {"Authorization": f"Bearer {local.token()}"}
    answer = requests.post(f"{local.service.url}/v1/subscriptions", json=wanted, headers=headers, timeout=30)
    answer.raise_for_status()
    job = local.submit(archive)
    for n in range(KILLS):
        await_that(partial(inbox.has_more_than, n * args.cutouts // (KILLS + 1)), "a match")
        os.kill(local.programs()["sweeper"], signal.SIGKILL)
    view = local.wait(job, timeout_s=PATIENCE_S)
    scored = _scored(local)
    await_that(partial(inbox.has_more_than, len(scored) - 1), "the last match")
    late = sorted(min(inbox.came[cutout].values()) - at for cutout, at in scored.items())
    twice = sum(len(messages) > 1 for messages in inbox.came.values())
    kept = late[-1] <= LIMIT_S and not twice and len(scored) == args.cutouts and view.state == "finished"
    figure = (
        f"{len(scored):,} of {args.cutouts:,} matches told {median(late):.1f} s after their scores (median), "
        f"the last after {late[-1]:.1f} s, limit {LIMIT_S:.0f} s; {twice} in two messages; {KILLS} kills"
    )
    details: dict[str, object] = {
        "messages": len({message for messages in inbox.came.values() for message in messages}),
        "seconds, each tenth": [round(late[n * (len(late) - 1) // 10], 1) for n in range(11)],
    }
    return conclude("notify", figure, kept=kept, details=details, as_json=args.json)


def _scored(local: LocalService) -> dict[str, float]:
    """By cutout, when its last score came on record."""
    last: dict[str, float] = {}
    for document in local.record.database["outcomes"].find({}, {"at": True}):
        cutout = document["_id"]["cutout"]
        last[cutout] = max(last.get(cutout, 0.0), document["at"].timestamp())
    return last


if __name__ == "__main__":
    sys.exit(main())
