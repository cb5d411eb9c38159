"""Jobs, models and workers: who sees and changes them, and that what is shown is text."""

from collections.abc import Iterator, Mapping

import pytest
import requests

from api.web.pages.jobs import SHARDS_LOOKED_AT
from core.job import Item, Job, Rejection, ShardResult, new_job_id
from core.user import ROLES, Role
from storage.blobs import sha256_of
from storage.cutouts import CutoutRecord
from storage.record import Record
from tests.api.scoring import score_shard
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.api.web.browser import Browser
from tests.images import jpeg
from tests.record import card
from worker.ledger import conflict

EVIL = "<script>alert(1)</script>"
CANDIDATE = "rb@950"


@pytest.fixture(scope="module")
def job(api: ApiServer, api_record: Record) -> str:
    """A job of two shards: five scored, one rejected for a reason like a script, two that wait."""
    files = [("files", (f"{n}{EVIL}.jpg", jpeg(900 + n))) for n in range(8)]
    answer = api.ask("POST", "/v1/jobs/score", files=files)
    found = str(answer.json()["job"])
    rejection = Rejection("decode", "truncated", EVIL)
    assert score_shard(api_record, found, 0, {RB: 0.9, SL: 0.1}, rejection=rejection)
    return found


@pytest.fixture(scope="module")
def candidate(api_record: Record) -> Iterator[str]:
    """A version of which nothing is measured; what was in production is again afterwards."""
    weights = CANDIDATE.encode()
    api_record.models.register(card(CANDIDATE, weights), weights)
    yield CANDIDATE
    api_record.models.promote(RB, by="test", even_if_worse=True)


def test_nobody_sees_them_without_a_session(api: ApiServer, job: str) -> None:
    for path in ("/jobs", f"/jobs/{job}", "/models", f"/models/{RB}", "/workers"):
        assert requests.get(api.url + path, timeout=30).status_code == 401, path


def test_a_job_shows_no_picture_of_other_bytes_under_the_same_id(
    api: ApiServer, api_record: Record, browsers: Mapping[Role, Browser]
) -> None:
    name = "strkid7770420150001_pid77704201500"
    owner, other = jpeg(960), jpeg(961)
    api_record.cutouts.own([CutoutRecord(name, api_record.blobs.put(owner))])
    files = [("files", (f"{name}_scimref.jpg", other))]
    job = str(api.ask("POST", "/v1/jobs/score", files=files).json()["job"])
    lease = api_record.shards.claim(job, 0, worker="test")
    assert lease is not None
    told = conflict(sha256_of(other), sha256_of(owner))
    assert api_record.shards.close(lease, ShardResult(0, 1, rejections={0: told}))
    page = browsers["viewer"].ask("GET", f"/jobs/{job}").text
    assert "conflict" in page
    assert name in page
    assert "<img class=" not in page


def test_every_role_sees_them_and_no_script_of_a_name(browsers: Mapping[Role, Browser], job: str) -> None:
    for role in ROLES:
        for path in ("/jobs", f"/jobs/{job}", "/models", f"/models/{RB}", "/workers"):
            answer = browsers[role].ask("GET", path)
            assert answer.status_code == 200, (role, path)
            assert EVIL not in answer.text, path
    shown = browsers["viewer"].ask("GET", f"/jobs/{job}").text
    assert "truncated" in shown
    assert "&lt;script&gt;" in shown
    assert "Cancel" not in shown
    for path in ("/jobs/nothing", "/models/rb@12345"):
        assert browsers["viewer"].ask("GET", path).status_code == 404


def test_only_the_owner_or_an_administrator_changes_a_job(
    browsers: Mapping[Role, Browser], api_record: Record, job: str
) -> None:
    others: tuple[Role, ...] = ("operator", "labeller", "viewer")
    for role in others:
        for change in ("pause", "resume", "cancel"):
            assert browsers[role].ask("POST", f"/jobs/{job}/{change}").status_code == 403, (role, change)
    admin = browsers["admin"]
    assert admin.ask("POST", f"/jobs/{job}/explode").status_code == 422
    assert admin.ask("POST", f"/jobs/{job}/pause").headers["Location"] == f"/jobs/{job}"
    assert "Resume" in admin.ask("GET", f"/jobs/{job}").text
    assert admin.ask("POST", f"/jobs/{job}/resume").status_code == 303
    assert admin.ask("POST", f"/jobs/{job}/cancel").status_code == 303
    found = api_record.jobs.get(job)
    assert found is not None
    assert found.state == "cancelled"


def test_a_promotion_is_confirmed_by_an_administrator_and_shows_what_would_flip(
    browsers: Mapping[Role, Browser], api_record: Record, candidate: str
) -> None:
    for role in ROLES[1:]:
        for method in ("GET", "POST"):
            assert browsers[role].ask(method, f"/models/{candidate}/promote").status_code == 403
    admin = browsers["admin"]
    shown = admin.ask("GET", f"/models/{candidate}/promote").text
    assert f"Put {candidate} into production?" in shown
    assert f'hx-get="/models/{candidate}/changes"' in shown
    for role in ROLES[1:]:
        assert browsers[role].ask("GET", f"/models/{candidate}/changes").status_code == 403
    assert f"Against {RB}" in admin.ask("GET", f"/models/{candidate}/changes").text
    assert candidate not in api_record.models.production()
    refused = admin.ask("POST", f"/models/{candidate}/promote")
    assert (refused.status_code, 'class="fault"' in refused.text) == (409, True)
    assert candidate not in api_record.models.production()
    answer = admin.ask("POST", f"/models/{candidate}/promote", data={"even_if_worse": "true"})
    assert answer.headers["Location"] == "/models"
    assert candidate in api_record.models.production()
    assert RB not in api_record.models.production()


def test_a_rejection_is_shown_however_late_in_the_job_it_is(
    browsers: Mapping[Role, Browser], api_record: Record
) -> None:
    shards = SHARDS_LOOKED_AT + 3
    fault = Rejection("fetch", "not_found", "nothing there")
    found = new_job_id()
    items = [[Item(f"{n}.jpg", None, None)] for n in range(shards)]
    items[-1] = [Item("late.jpg", None, None, rejection=fault)]
    api_record.shards.insert(found, items, priority="bulk")
    api_record.jobs.accept(Job(found, (RB,), "bulk", "me", items=shards, shards=shards))
    lease = api_record.shards.claim(found, shards - 1, worker="test")
    assert lease is not None
    assert api_record.shards.close(lease, ShardResult(0, 1))
    shown = browsers["viewer"].ask("GET", f"/jobs/{found}").text
    assert "late.jpg" in shown
    assert "not_found" in shown
    api_record.jobs.cancel(found)
    api_record.shards.cancel(found)


def test_flower_is_linked_where_it_is_reached(api: ApiServer) -> None:
    assert 'href="http://127.0.0.1:5555/"' in api.ask("GET", "/workers").text
    elsewhere = api.ask("GET", "/workers", headers={"Host": "streaks.example"}).text
    assert "5555/" not in elsewhere
    assert "port 5555" in elsewhere
