"""The API is told to end while somebody follows a job that does not."""

import time
from pathlib import Path

from tests.api.events import events_of
from tests.api.server import ApiServer
from tests.images import jpeg

GRACE_S = 10.0  # of the supervisor, before it kills


def test_who_follows_a_job_does_not_hold_an_api_that_is_to_end(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path
) -> None:
    with ApiServer(tmp_path, mongo_url=mongo_url, redis_url=redis_url, database=mongo_database) as api:
        submitted = api.ask("POST", "/v1/jobs/score", files=[("files", ("a.jpg", jpeg(1)))])
        with api.ask("GET", f"{submitted.headers['location']}/events", stream=True) as stream:
            events = events_of(stream)
            assert next(events)[0] == "progress"
            told = time.monotonic()
            api.process.terminate()
            assert api.process.wait(2 * GRACE_S) in (0, -15)  # uvicorn raises the signal again
            assert time.monotonic() - told < GRACE_S
            del events  # which closes the stream
