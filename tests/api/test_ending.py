"""The API is told to end while it is answering."""

import http.client
import time
from contextlib import suppress
from pathlib import Path

from tests.api.events import events_of
from tests.api.server import ApiServer
from tests.images import jpeg

GRACE_S = 10.0  # of the supervisor, before it kills


def writes_in(folder: Path, pid: int) -> bool:
    """Whether a process has a file open there, also one without a name."""
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if folder in file.readlink().parents:
                return True
    return False


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


def test_an_upload_that_does_not_end_in_time_is_told_to_come_again(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path
) -> None:
    with ApiServer(tmp_path, mongo_url=mongo_url, redis_url=redis_url, database=mongo_database) as api:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=2 * GRACE_S)
        connection.putrequest("POST", "/v1/jobs/score")
        for name, value in (("Authorization", f"Bearer {api.token}"), ("Content-Type", "application/zip")):
            connection.putheader(name, value)
        connection.putheader("Content-Length", "100000")
        connection.endheaders(b"PK")
        spool = tmp_path / "state" / "uploads"
        while not writes_in(spool, api.process.pid):
            time.sleep(0.01)
        api.process.terminate()
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert b"Idempotency-Key" in answer.read()
        connection.close()
        assert api.process.wait(2 * GRACE_S) in (0, -15)
