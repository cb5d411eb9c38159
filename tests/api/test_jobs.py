"""Jobs, results, cutouts, scores and models, as callers see them."""

import time
from contextlib import ExitStack

import numpy as np
import pytest

from api.streams import MOST_STREAMS
from core.job import Rejection
from storage.record import Record
from tests.api.events import events_of
from tests.api.scoring import score_job, score_shard
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.images import jpeg, png


def submit(api: ApiServer, *seeds: int, prefix: str = "", **data: str) -> str:
    files = [("files", (f"{prefix}{seed}.jpg", jpeg(seed))) for seed in seeds]
    answer = api.ask("POST", "/v1/jobs/score", files=files, data=data)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"])


def test_results_come_in_the_order_of_the_items_page_by_page(api: ApiServer, api_record: Record) -> None:
    job = submit(api, *range(1000, 1010))
    score_job(api_record, job, {RB: 0.9, SL: 0.2})
    names: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor is not None:
        page = api.ask("GET", f"/v1/jobs/{job}/results", params={"limit": 3, "cursor": cursor}).json()
        names += [result["file"] for result in page["results"]]
        cursor, pages = page["next"], pages + 1
    assert names == [f"{seed}.jpg" for seed in range(1000, 1010)]
    assert pages == 4


def test_a_result_has_scores_versions_and_the_decision(api: ApiServer, api_record: Record) -> None:
    job = submit(api, 1100)
    score_job(api_record, job, {RB: 0.75, SL: 0.25})
    (result,) = api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]
    assert set(result) == {"file", "id", "rb", "sl", "versions", "plausible", "rejection", "instrument"}
    assert (result["rb"], result["sl"]) == (0.75, 0.25)
    assert result["versions"] == {"rb": RB, "sl": SL}
    assert result["plausible"] is False
    assert result["rejection"] is None


def test_a_classifier_that_was_not_asked_is_null(api: ApiServer, api_record: Record) -> None:
    job = submit(api, 1110, models=RB)
    score_job(api_record, job, {RB: 0.75})
    (result,) = api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]
    assert (result["rb"], result["sl"]) == (0.75, None)
    assert result["versions"] == {"rb": RB}
    assert result["plausible"] is True


def test_a_rejection_has_its_stage_reason_and_detail(api: ApiServer, api_record: Record) -> None:
    job = submit(api, 1120)
    why = Rejection("decode", "flat", "it is grey; expected an image of the sky")
    assert score_shard(api_record, job, 0, {RB: 0, SL: 0}, rejection=why)
    (result,) = api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]
    assert result["rejection"] == vars(why)
    assert (result["rb"], result["sl"], result["plausible"]) == (None, None, None)


def test_what_has_no_outcome_yet_is_left_out_unless_asked_for(api: ApiServer, api_record: Record) -> None:
    job = submit(api, *range(1130, 1136))
    assert score_shard(api_record, job, 1, {RB: 0.9, SL: 0.9})
    done = api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]
    assert [result["file"] for result in done] == ["1134.jpg", "1135.jpg"]
    everything = api.ask("GET", f"/v1/jobs/{job}/results?pending=true").json()["results"]
    assert [result.get("pending", False) for result in everything] == [True] * 4 + [False] * 2
    told = api.ask("GET", f"/v1/jobs/{job}").json()
    assert (told["items"], told["scored"], told["rejected"], told["shards_open"]) == (6, 2, 0, 1)
    assert told["rate"] > 0
    assert told["seconds_left"] > 0


def test_progress_by_worker_and_host_is_the_same_in_the_api_and_as_events(
    api: ApiServer, api_record: Record
) -> None:
    job = submit(api, *range(1310, 1323))
    bad = Rejection("decode", "flat", "it is grey; expected an image of the sky")
    for n, worker in enumerate(("a:gpu0", "a:gpu1", "b:gpu0")):
        assert score_shard(api_record, job, n, {RB: 0.9, SL: 0.9}, rejection=bad if n == 2 else None)
        api_record.database["shards"].update_one({"_id.job": job, "_id.n": n}, {"$set": {"worker": worker}})
    told = api.ask("GET", f"/v1/jobs/{job}").json()
    with api.ask("GET", f"/v1/jobs/{job}/events", stream=True) as stream:
        name, _, event = next(events_of(stream))
    assert name == "progress"
    for view in (told, event):
        assert (view["items"], view["scored"], view["rejected"], view["shards_open"]) == (13, 8, 4, 1)
        assert set(view["workers"]) == {"a:gpu0", "a:gpu1", "b:gpu0"}
        assert set(view["hosts"]) == {"a", "b"}
        assert view["hosts"]["a"] == pytest.approx(view["workers"]["a:gpu0"] + view["workers"]["a:gpu1"])
        assert view["rate"] == pytest.approx(sum(view["hosts"].values()))
        assert view["seconds_left"] == pytest.approx(1 / view["rate"])


def test_a_cancelled_job_keeps_what_is_scored_and_stays_cancelled(api: ApiServer, api_record: Record) -> None:
    job = submit(api, *range(1140, 1146))
    assert score_shard(api_record, job, 0, {RB: 0.9, SL: 0.9})
    cancelled = api.ask("DELETE", f"/v1/jobs/{job}")
    assert cancelled.status_code == 200
    assert (cancelled.json()["state"], cancelled.json()["shards_open"]) == ("cancelled", 0)
    assert api_record.shards.claim(job, 1, worker="test") is None
    assert api.ask("DELETE", f"/v1/jobs/{job}").status_code == 200
    assert len(api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]) == 4


def test_a_finished_job_can_not_be_cancelled(api: ApiServer, api_record: Record) -> None:
    job = submit(api, 1150)
    score_job(api_record, job, {RB: 0.9, SL: 0.9})
    assert api_record.jobs.finish(job)
    answer = api.ask("DELETE", f"/v1/jobs/{job}")
    assert answer.status_code == 409
    assert "finished" in answer.json()["detail"]


def test_somebody_elses_job_can_be_seen_and_not_cancelled(api: ApiServer, api_record: Record) -> None:
    job = submit(api, 1160)
    api_record.accounts.add("olga", "a password", "operator")
    token = api.log_in("olga", "a password")
    assert api.ask("GET", f"/v1/jobs/{job}", token=token).status_code == 200
    assert api.ask("DELETE", f"/v1/jobs/{job}", token=token).status_code == 403


def test_jobs_are_listed_newest_first_in_pages(api: ApiServer) -> None:
    submitted = [submit(api, seed) for seed in (1170, 1171, 1172)]
    first = api.ask("GET", "/v1/jobs?limit=2").json()
    second = api.ask("GET", "/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    listed = [job["id"] for job in first["jobs"] + second["jobs"]]
    assert listed[:3] == submitted[::-1]
    assert len(set(listed)) == 4


def test_what_does_not_exist_is_not_found(api: ApiServer) -> None:
    paths = ("jobs/nope", "jobs/nope/results", "cutouts/nope", "cutouts/nope/image", "models/rb@7", "nope")
    for path in paths:
        answer = api.ask("GET", f"/v1/{path}")
        assert answer.status_code == 404, path
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_wrong_parameters_are_named(api: ApiServer) -> None:
    job = submit(api, 1180)
    for path in (
        f"/v1/jobs/{job}/results?cursor=oops",
        "/v1/jobs?limit=0",
        "/v1/scores?version=rb",
        "/v1/scores",
    ):
        answer = api.ask("GET", path)
        assert answer.status_code in (400, 422), path
        assert "expected" in str(answer.json()), path


def test_a_cutout_shows_its_outcomes_and_its_bytes(api: ApiServer, api_record: Record) -> None:
    name = "strkid6740938304151234_pid674093830415"
    grey = png(np.random.default_rng(5).integers(0, 255, (40, 40), dtype=np.uint8))
    answer = api.ask("POST", "/v1/jobs/score", files={"files": (f"{name}_scimref.png", grey)})
    score_job(api_record, answer.json()["job"], {RB: 0.625, SL: 0.5})
    shown = api.ask("GET", f"/v1/cutouts/{name}").json()
    assert (shown["id"], shown["night"], shown["streakid"]) == (name, "20181106", "6740938304151234")
    assert {o["version"]: o["score"] for o in shown["outcomes"]} == {RB: 0.625, SL: 0.5}
    image = api.ask("GET", f"/v1/cutouts/{name}/image")
    assert image.content == grey
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_no_image_is_never_served_as_a_page(api: ApiServer) -> None:
    page = b"<html><script>alert(1)</script>"
    answer = api.ask("POST", "/v1/jobs/score", files={"files": ("a.html.jpg", page)})
    results = api.ask("GET", f"/v1/jobs/{answer.json()['job']}/results?pending=true").json()["results"]
    image = api.ask("GET", f"/v1/cutouts/{results[0]['id']}/image")
    assert image.headers["Content-Type"] == "application/octet-stream"


def test_scores_are_found_between_bounds_highest_first(api: ApiServer, api_record: Record) -> None:
    for seed, score in ((1190, 0.31), (1191, 0.32), (1192, 0.33)):
        score_job(api_record, submit(api, seed), {RB: score, SL: 0.5})
    answer = api.ask("GET", f"/v1/scores?version={RB}&low=0.305&high=0.325&limit=5").json()
    assert [entry["score"] for entry in answer["scores"]] == [0.32, 0.31]


def test_models_have_their_cards_and_stages(api: ApiServer) -> None:
    models = {model["version"]: model for model in api.ask("GET", "/v1/models").json()["models"]}
    assert models[RB]["stage"] == "production"
    assert models[RB]["threshold"] == 0.5
    assert api.ask("GET", f"/v1/models/{RB}").json() == models[RB]


def test_a_person_follows_so_many_streams_at_once_and_then_others_still(
    api: ApiServer, api_record: Record
) -> None:
    path = f"/v1/jobs/{submit(api, 4400)}/events"
    api_record.accounts.add("many-streams", "a password", "viewer")
    token = api.log_in("many-streams", "a password")
    with ExitStack() as streams:
        followed = [
            events_of(streams.enter_context(api.ask("GET", path, token=token, stream=True)))
            for _ in range(MOST_STREAMS)
        ]
        assert {next(events)[0] for events in followed} == {"progress"}
        refused = api.ask("GET", path, token=token)
        assert refused.status_code == 429
        assert "many-streams" in refused.json()["detail"]
        with api.ask("GET", path, stream=True) as other:
            assert other.status_code == 200
    deadline = time.monotonic() + 20
    while True:  # those that were closed count no more
        with api.ask("GET", path, token=token, stream=True) as again:
            if again.status_code == 200:
                break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_last_event_id_that_no_event_had_is_none(api: ApiServer) -> None:
    path = f"/v1/jobs/{submit(api, 4401)}/events"
    with api.ask("GET", path, headers={"Last-Event-ID": "9" * 5000}, stream=True) as stream:
        assert next(events_of(stream))[0] == "progress"
