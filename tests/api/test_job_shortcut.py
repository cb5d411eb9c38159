"""The short way to a job answers as its route does, and behind the same gate."""

from types import SimpleNamespace
from typing import Any, Never

import pytest
import requests
from anyio.from_thread import start_blocking_portal

from api.job_shortcut import JobShortcut
from core.errors import NotFound
from core.job import new_job_id
from tests.api.server import ApiServer
from tests.images import jpeg


def test_a_job_is_shown_as_in_the_list(api: ApiServer) -> None:
    answer = api.ask("POST", "/v1/jobs/score", files=[("files", ("4720.jpg", jpeg(4720)))])
    path = f"/v1/jobs/{answer.json()['job']}"
    shown = api.ask("GET", path)
    assert shown.json() in api.ask("GET", "/v1/jobs").json()["jobs"]
    assert shown.headers["Content-Type"] == "application/json"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert api.ask("GET", path, params={"any": "query"}).json()["id"] == shown.json()["id"]
    assert api.ask("DELETE", path).json()["state"] == "cancelled"
    assert api.ask("GET", path).json()["state"] == "cancelled"


def test_only_who_has_a_token_is_told(api: ApiServer) -> None:
    path = f"/v1/jobs/{new_job_id()}"
    assert requests.get(api.url + path, timeout=30).status_code == 401
    assert api.ask("GET", path, token="of-nobody").status_code == 401
    unknown = api.ask("GET", path)
    assert unknown.status_code == 404
    assert unknown.headers["Content-Type"] == "application/problem+json"
    assert api.ask("PUT", path).status_code == 405
    assert api.ask("GET", path + "/").status_code == 404


def test_it_is_counted_as_its_route(api: ApiServer) -> None:
    api.ask("GET", f"/v1/jobs/{new_job_id()}")
    told = api.ask("GET", "/metrics").text
    assert 'streaks_http_answers_total{method="GET",route="/v1/jobs/{job_id}",status="404"}' in told


@pytest.mark.parametrize(
    ("method", "path", "short"),
    [
        ("GET", "/v1/jobs/{}", True),
        ("HEAD", "/v1/jobs/{}", False),
        ("DELETE", "/v1/jobs/{}", False),
        ("GET", "/v1/jobs/{}/results", False),
        ("GET", "/v1/jobs/nope", False),
    ],
)
def test_the_way_is_short_for_nothing_else(method: str, path: str, short: bool) -> None:
    async def ask(job: str) -> Never:
        raise NotFound(job)

    async def routes(*_: Any) -> Never:
        raise LookupError("all routes")

    async def never(*_: Any) -> Never:
        raise AssertionError("nothing is read and nothing is said")

    services = SimpleNamespace(job_views=SimpleNamespace(ask=ask))
    app = SimpleNamespace(state=SimpleNamespace(services=services))
    scope = {"type": "http", "method": method, "path": path.format(new_job_id()), "app": app}
    with (
        start_blocking_portal() as elsewhere,
        pytest.raises(NotFound if short else LookupError),
    ):
        elsewhere.call(JobShortcut(routes).__call__, scope, never, never)
