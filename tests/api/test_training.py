"""Trainings as callers see them: submitted, watched, cancelled, and what came of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from cli.__main__ import main
from core.settings import Training
from core.training import Checkpoint, TrainingLease
from storage.record import Record
from tests.api.events import events_of
from tests.api.server import ApiServer, as_admin
from tests.record import settings_for
from worker.trainer import JobTrainer
from worker.training_device import TrainingDevice

WANTED = {
    "classifier": "rb",
    "dataset": "sample",
    "architecture": "vgg6",
    "epochs": 1,
    "batch_size": 8,
    "count": 24,
    "seed": 5,
}
FIGURES = {
    "loss": 0.5,
    "validation_loss": 0.4,
    "validation_accuracy": 0.8,
    "images_per_s": 100.0,
    "seconds": 2.0,
}


def submit(api: ApiServer, **changed: Any) -> requests.Response:
    return api.ask("POST", "/v1/jobs/train", json=WANTED | changed)


def lease_of(record: Record, job: str) -> TrainingLease:
    lease = record.trainings.claim(job, worker="test")
    assert lease is not None
    assert record.jobs.start(job) is not None
    return lease


def test_a_training_is_accepted_with_the_recipes_numbers_where_none_came(api: ApiServer) -> None:
    wanted = {"classifier": "sl", "dataset": "sl-2018.9", "recipe": "2018", "from": "sl@2"}
    answer = api.ask("POST", "/v1/jobs/train", json=wanted)
    assert answer.status_code == 202, answer.text
    job = api.ask("GET", answer.headers["Location"]).json()
    assert (job["kind"], job["state"], job["items"]) == ("train", "accepted", 0)
    request = job["training"]["request"]
    assert (request["epochs"], request["batch_size"], request["architecture"]) == (20, 32, "vgg6")
    assert request["start_from"] == "sl@2"
    assert (job["training"]["doing"], job["training"]["version"]) == ("waiting", None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dataset": "nonsense"}, "dataset is 'nonsense'; expected one of"),
        ({"classifier": "kd"}, "classifier is 'kd'; expected one of rb, sl"),
        ({"architecture": "vgg16"}, "architecture is 'vgg16'; expected one of"),
        ({"from": "sl@2"}, "sl@2 is a vgg6 for sl; a training of vgg6 for rb can't start from it"),
        ({"from": "rb@99"}, "there is no version 'rb@99' to start from"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": -1}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"epoch": 3}, "epoch"),
        ({"seed": 2**60}, "seed"),
    ],
)
def test_what_can_t_be_trained_is_refused(api: ApiServer, changed: dict[str, Any], said: str) -> None:
    answer = submit(api, **changed)
    assert answer.status_code in (400, 422)
    assert said in answer.text


def test_a_repeated_key_is_the_first_job_and_other_contents_a_conflict(api: ApiServer) -> None:
    headers = {"Idempotency-Key": "training-once"}
    first = api.ask("POST", "/v1/jobs/train", json=WANTED, headers=headers)
    again = api.ask("POST", "/v1/jobs/train", json=WANTED, headers=headers)
    other = api.ask("POST", "/v1/jobs/train", json=WANTED | {"seed": 6}, headers=headers)
    assert first.json() == again.json()
    assert other.status_code == 409


def test_a_cancelled_training_is_taken_from_who_works_on_it(api: ApiServer, api_record: Record) -> None:
    job = submit(api).json()["job"]
    lease = lease_of(api_record, job)
    assert api.ask("DELETE", f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert not api_record.trainings.renew(lease)


def test_epochs_come_as_events_and_none_twice(api: ApiServer, api_record: Record) -> None:
    job = submit(api, epochs=3).json()["job"]
    lease = lease_of(api_record, job)
    checkpoint = Checkpoint("0" * 64, 1)
    assert api_record.trainings.record_epoch(lease, {"epoch": 1, **FIGURES}, checkpoint)
    with api.ask("GET", f"/v1/jobs/{job}/events", stream=True) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        events = events_of(stream)
        assert next(events) == ("epoch", "1", {"epoch": 1, **FIGURES})
        assert next(events)[0] == "progress"
        api_record.trainings.record_epoch(lease, {"epoch": 2, **FIGURES}, checkpoint)
        assert next(e for e in events if e[0] == "epoch") == ("epoch", "2", {"epoch": 2, **FIGURES})
    api_record.jobs.fail(job, "enough")
    resumed = api.ask("GET", f"/v1/jobs/{job}/events", headers={"Last-Event-ID": "1"}, stream=True)
    told = list(events_of(resumed))
    assert [(name, number) for name, number, _ in told] == [("epoch", "2"), ("ended", "2")]
    assert told[-1][2]["failure"] == "enough"


def test_events_of_no_job(api: ApiServer) -> None:
    assert api.ask("GET", "/v1/jobs/none/events").status_code == 404
    assert requests.get(f"{api.url}/v1/jobs/none/events", timeout=10).status_code == 401


def test_a_training_from_the_command_line_to_a_candidate_with_plots(
    api: ApiServer,
    api_record: Record,
    api_folder: Path,
    mongo_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_admin(monkeypatch)
    options = [
        f"--{name.replace('_', '-')}={value}" for name, value in WANTED.items() if name != "classifier"
    ]
    assert main(["--server", api.url, "train", "rb", *options, "--no-wait", "--json"]) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    settings = settings_for(mongo_url, redis_url, api_record.database.name, api_folder / "state")
    few = Training(validation_cutouts=16, test_cutouts=24, benchmark_cutouts=24)
    JobTrainer(
        api_record,
        settings.model_copy(update={"training": few}),
        device=TrainingDevice("-1", shared=False, precision="float32"),
        worker="here:1",
        scratch=api_folder / "training",
        stopping=lambda: False,
    ).train(job)
    assert main(["--server", api.url, "jobs", "watch", job, "--json"]) == 0
    said = capsys.readouterr()
    version = json.loads(said.out)["training"]["version"]
    assert "epoch 1: loss" in said.err
    card = api.ask("GET", f"/v1/models/{version}").json()
    assert card["stage"] == "candidate"
    assert set(card["metrics"]) == {"test", "benchmark"}
    plot = api.ask("GET", f"/v1/models/{version}/plots/test-roc.svg")
    assert plot.headers["Content-Type"] == "image/svg+xml"
    assert b"<svg" in plot.content
    assert "expected one of" in api.ask("GET", f"/v1/models/{version}/plots/none.svg").text
    assert main(["--server", api.url, "jobs", "show", job]) == 0
    assert version in capsys.readouterr().out
