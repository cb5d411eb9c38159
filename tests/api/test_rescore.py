"""Rescoring as callers see it: counted, planned, paused, ranked, and what came of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from cli.__main__ import main
from core.settings import Scoring
from storage.record import Record
from tasks.plan import Planner
from tasks.queues import QUEUE_OF
from tests.api.scoring import score_job
from tests.api.server import ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.record import card

NIGHT = "20190812"
NEXT = "rb@31"


@pytest.fixture(scope="module")
def night(api: ApiServer, api_record: Record) -> Iterator[list[str]]:
    """Ids of eight scored cutouts of one night, and a candidate to score them by."""
    ids = [f"strkid9510000000{n:02}0003_pid9510000000{n:02}" for n in range(8)]
    files = [("files", (f"{name}_scimref.jpg", jpeg(7000 + n))) for n, name in enumerate(ids)]
    job = api.ask("POST", "/v1/jobs/score", files=files).json()["job"]
    score_job(api_record, job, {RB: 0.75, SL: 0.25})
    api_record.database["cutouts"].update_many({"_id": {"$in": ids}}, {"$set": {"night": NIGHT}})
    api_record.models.register(card(NEXT, b"next"), b"next")
    yield ids
    api_record.models.archive(NEXT, by="test")


class ByThrees(Planner):
    def shard_size(self) -> int:
        return 3


def plan(record: Record) -> None:
    planner = ByThrees(record, Scoring(), name="test")
    while planner.plan_one():
        pass


def submit(api: ApiServer, **wanted: Any) -> dict[str, Any]:
    answer = api.ask("POST", "/v1/jobs/rescore", json={"nights": [NIGHT], "models": [NEXT]} | wanted)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['job']}"
    return dict(answer.json())


def test_a_night_is_rescored_by_a_candidate_and_then_nothing_is_left_to_do(
    api: ApiServer, api_record: Record, night: list[str]
) -> None:
    job = submit(api, filter=f"{RB} > 0.5")
    assert (job["versions"], job["cutouts"]) == ([NEXT], None)
    assert api.ask("GET", f"/v1/jobs/{job['job']}").json()["state"] == "planning"
    plan(api_record)
    shown = api.ask("GET", f"/v1/jobs/{job['job']}").json()
    assert (shown["state"], shown["items"], shown["shards"], shown["kind"]) == ("running", 8, 3, "rescore")
    assert RB in shown["filter"]
    score_job(api_record, job["job"], {NEXT: 0.5})
    results = api.ask("GET", f"/v1/jobs/{job['job']}/results").json()["results"]
    assert [result["id"] for result in results] == sorted(night)
    assert {result["rb"] for result in results} == {0.5}
    wanted = {"nights": [NIGHT], "models": [NEXT], "dry_run": True}
    counted = api.ask("POST", "/v1/jobs/rescore", json=wanted)
    assert (counted.status_code, counted.json()["cutouts"], counted.json()["job"]) == (200, 0, None)
    assert api.ask("POST", "/v1/jobs/rescore", json=wanted | {"all": True}).json()["cutouts"] == 8


def test_a_job_is_paused_ranked_and_resumed(
    api: ApiServer, api_record: Record, redis_url: str, night: list[str]
) -> None:
    job = submit(api, all=True)["job"]
    plan(api_record)
    paused = api.ask("PATCH", f"/v1/jobs/{job}", json={"paused": True, "rank": 7}).json()
    assert (paused["paused"], paused["rank"], paused["shards_open"]) == (True, 7, 3)
    assert api_record.shards.claim(job, 0, worker="test") is None
    with Redis.from_url(redis_url) as redis:
        redis.delete(QUEUE_OF["bulk"])
        assert api.ask("PATCH", f"/v1/jobs/{job}", json={"paused": False}).json()["paused"] is False
        assert redis.llen(QUEUE_OF["bulk"]) >= 3  # workers know at once
    score_job(api_record, job, {NEXT: 0.5})
    api_record.jobs.finish(job)
    assert api.ask("PATCH", f"/v1/jobs/{job}", json={"paused": True}).status_code == 409
    assert api.ask("PATCH", f"/v1/jobs/{job}", json={"rank": 1000}).status_code == 422
    assert api.ask("PATCH", "/v1/jobs/none", json={"rank": 1}).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"nights": ["19000101"]}, "no cutouts of the nights 19000101"),
        ({"nights": ["yesterday"]}, "night 'yesterday'; expected a date as 20180927"),
        ({"filter": "rb <"}, "column"),
        ({"filter": "nonsense = 1"}, "nonsense"),
        ({"filter": '{"$where": "sleep(1)"}'}, "column 1"),
        ({"models": ["rb@404"]}, "rb@404"),
        ({"instrument": "hubble"}, "no instrument 'hubble'"),
        ({"share": 2}, "share is 2.0"),
        ({"filters": "rb < 1"}, "filters"),
    ],
)
def test_what_can_t_be_rescored_is_refused(
    api: ApiServer, night: list[str], wanted: dict[str, Any], said: str
) -> None:
    answer = api.ask("POST", "/v1/jobs/rescore", json=wanted)
    assert answer.status_code in (400, 422)
    assert said in answer.json()["detail"] or said in answer.text


def test_two_versions_are_compared_on_a_jobs_cutouts(
    api: ApiServer,
    api_record: Record,
    night: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = submit(api, all=True)["job"]
    plan(api_record)
    score_job(api_record, job, {NEXT: 0.5})
    found = api.ask("GET", f"/v1/jobs/{job}/changes", params={"before": RB, "after": NEXT}).json()
    assert (found["n"], found["to_1"], found["to_0"], found["mean"]) == (8, 0, 0, -0.25)
    assert api.ask("GET", "/v1/jobs/none/changes", params={"before": RB, "after": NEXT}).status_code == 404
    as_admin(monkeypatch)
    assert main(["--server", api.url, "models", "compare", NEXT, RB, "--job", job]) == 0
    assert "8 cutouts scored by both" in capsys.readouterr().out


def test_one_key_is_one_job(api: ApiServer, night: list[str]) -> None:
    headers = {"Idempotency-Key": "rescore-once"}
    first, again, other = (
        api.ask("POST", "/v1/jobs/rescore", json={"nights": [NIGHT], "rank": rank}, headers=headers)
        for rank in (0, 0, 1)
    )
    assert first.json() == again.json()
    assert other.status_code == 409


def test_from_the_command_line(
    api: ApiServer,
    api_record: Record,
    night: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_admin(monkeypatch)
    words = ["--server", api.url, "rescore", "id != 'x'", "--nights", NIGHT, "--models", NEXT, "--all"]
    assert main([*words, "--dry-run"]) == 0
    assert "8 cutouts by rb@31" in capsys.readouterr().out
    assert main([*words, "--share", "0.5", "--json"]) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    assert main(["--server", api.url, "jobs", "pause", job]) == 0
    assert "paused" in capsys.readouterr().out
    assert main(["--server", api.url, "jobs", "rank", job, "3"]) == 0
    assert "rank      3, 50 % of the workers" in capsys.readouterr().out
    assert main(["--server", api.url, "jobs", "resume", job]) == 0
    plan(api_record)
    score_job(api_record, job, {NEXT: 0.5})
    api_record.jobs.finish(job)
    capsys.readouterr()
    assert main(["--server", api.url, "jobs", "watch", job]) == 0
    assert "8 of 8 cutouts" in capsys.readouterr().err
