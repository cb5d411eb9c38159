"""The command line against a real API; a thread does what a worker would."""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from bench.loopback_server import web_server_of
from cli.__main__ import main
from cli.client import Client, GivenLogin
from cli.multipart import File
from core.errors import NotAuthenticated, Unavailable
from storage.record import Record
from tests.api.scoring import items_of, worker
from tests.api.server import ADMIN, ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.images import jpeg

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a verb from `tmp_path` as the administrator; gives its exit status, output and errors."""
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    as_admin(monkeypatch)

    def run(*words: str, server: str = api.url) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["--server", server, *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def images(folder: Path, *names: str) -> None:
    for n, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(2000 + n))


def jobs_on_record(record: Record) -> int:
    return record.database["jobs"].count_documents({})


def test_score_waits_and_prints_what_scripts_rely_on(run: Run, api_record: Record, tmp_path: Path) -> None:
    images(tmp_path, "night/b.jpg", "night/deep/a.png", "night/readme.txt", 'night/odd "name".jpg')
    with worker(api_record):
        status, out, err = run("score", "night/", "--wait", "--json")
    assert status == 0
    answer = json.loads(out)
    assert set(answer) == {"job", "results"}
    assert [result["file"] for result in answer["results"]] == [
        "night/b.jpg",
        'night/odd "name".jpg',
        "night/deep/a.png",
    ]
    for result in answer["results"]:
        assert set(result) == {"file", "id", "rb", "sl", "versions", "plausible", "rejection", "instrument"}
        assert (result["rb"], result["sl"], result["plausible"]) == (0.75, 0.875, True)
    assert "left out: 1 file (night/readme.txt)" in err


def test_a_rejection_is_an_exit_status_of_3_and_is_told(run: Run, api_record: Record, tmp_path: Path) -> None:
    (tmp_path / "flat.jpg").write_bytes(jpeg(2900))  # not one that has a score
    with worker(api_record, reject="flat.jpg"):
        status, out, _ = run("score", str(tmp_path / "flat.jpg"), "--wait")
    assert status == 3
    assert "1 rejected (1 flat)" in out
    assert str(tmp_path / "flat.jpg") in out


def test_without_wait_the_job_is_named_and_can_be_watched(
    run: Run, api_record: Record, tmp_path: Path
) -> None:
    images(tmp_path, "a.jpg")
    status, out, _ = run("score", "a.jpg", "--models", RB)
    assert status == 0
    job = out.strip()
    assert json.loads(run("jobs", "show", job, "--json")[1])["versions"] == [RB]
    with worker(api_record):
        status, out, _ = run("jobs", "watch", job, "--json")
    assert (status, json.loads(out)["scored"]) == (0, 1)
    listed = json.loads(run("jobs", "list", "--limit", "1", "--json")[1])["jobs"]
    assert [entry["id"] for entry in listed] == [job]
    assert job in run("jobs", "list")[1]


def test_a_job_can_be_cancelled(run: Run, tmp_path: Path) -> None:
    images(tmp_path, "a.jpg")
    job = run("score", "a.jpg")[1].strip()
    status, out, _ = run("jobs", "cancel", job, "--json")
    assert (status, json.loads(out)["state"]) == (0, "cancelled")
    assert run("jobs", "watch", job)[0] == 1
    status, _, err = run("jobs", "show", "nope")
    assert status == 1
    assert "there is no job 'nope'" in err


def test_models_are_listed_and_shown(run: Run) -> None:
    versions = [model["version"] for model in json.loads(run("models", "list", "--json")[1])["models"]]
    assert {RB, SL} <= set(versions)
    assert RB in run("models", "list")[1]
    assert json.loads(run("models", "show", RB, "--json")[1])["stage"] == "production"


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["missing.jpg"], "missing.jpg: no such file or folder; expected"),
        (["*.gif"], "*.gif: no file matches; expected"),
        (["empty"], "empty: a folder without images (0 other files); expected"),
        (["texts"], "texts: a folder without images (1 other files); expected"),
        (["a.jpg", "missing.jpg"], "missing.jpg: no such file"),
        (["a.jpg", "http://example.org/b.jpg"], "files and URLs in one call; expected either"),
        (["a.jpg", "--models", "rb@77"], "'rb@77' is not registered"),
        (["http://127.0.0.1/a.jpg"], "private address 127.0.0.1"),
        (["evil.zip"], "'../a.jpg'; expected paths inside it"),
    ],
)
def test_bad_input_is_told_and_nothing_is_submitted(
    run: Run, api_record: Record, tmp_path: Path, paths: list[str], said: str
) -> None:
    images(tmp_path, "a.jpg", "texts/a.txt")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../a.jpg", jpeg())
    before = jobs_on_record(api_record)
    status, out, err = run("score", *paths, "--wait", "--json")
    assert status == 1
    assert said in err
    assert said in json.loads(out)["error"]
    assert jobs_on_record(api_record) == before


def test_a_zip_and_a_glob_are_one_job(run: Run, api_record: Record, tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "b.jpg")
    with zipfile.ZipFile(tmp_path / "night.zip", "w") as archive:
        archive.writestr("inside/c.jpg", jpeg(2010))
        archive.writestr("inside/notes.txt", "hello")
    with worker(api_record):
        status, out, err = run("score", "?.jpg", "night.zip", "--wait", "--json")
    assert status == 0
    assert [r["file"] for r in json.loads(out)["results"]] == ["a.jpg", "b.jpg", "inside/c.jpg"]
    assert "left out of zips: 1 file (inside/notes.txt)" in err


def test_a_wrong_account_and_no_account_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_PASSWORD", "wrong")
    status, _, err = run("jobs", "list")
    assert status == 1
    assert "wrong user name or password" in err
    monkeypatch.delenv("DA_PASSWORD")
    status, _, err = run("jobs", "list")
    assert status == 1
    assert "set DA_TOKEN, or DA_USER and DA_PASSWORD" in err


def test_a_token_from_the_environment_is_enough(
    run: Run, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DA_PASSWORD")
    monkeypatch.setenv("DA_TOKEN", api.token)
    assert run("jobs", "list")[0] == 0


def test_a_token_that_was_revoked_is_replaced_by_a_new_login(api: ApiServer) -> None:
    client = Client(api.url, GivenLogin("da_revoked", *ADMIN))
    assert client.models.all()
    with pytest.raises(NotAuthenticated):
        Client(api.url, GivenLogin("da_revoked", None, None)).models.all()


def test_an_answer_that_is_lost_does_not_make_a_second_job(
    api: ApiServer, api_record: Record, tmp_path: Path
) -> None:
    images(tmp_path, "a.jpg")
    with losing_answers(api, 2) as (url, asked):
        client = Client(url, GivenLogin(api.token, None, None))
        before = jobs_on_record(api_record)
        accepted = client.jobs.submit_files([File("a.jpg", tmp_path / "a.jpg")])
    assert asked.count("/v1/jobs/score") == 3
    assert jobs_on_record(api_record) == before + 1
    assert [item.name for item in items_of(api_record, accepted["job"])] == ["a.jpg"]


def test_a_service_that_stays_away_is_told_after_a_while(tmp_path: Path) -> None:
    client = Client("http://127.0.0.1:9", GivenLogin("da_x", None, None), patience_s=0.5)
    with pytest.raises(Unavailable, match="does not answer"):
        client.models.all()


@contextmanager
def losing_answers(api: ApiServer, losses: int) -> Iterator[tuple[str, list[str]]]:
    """A way to the API on which the first answers are lost after the API gave them."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = requests.post(api.url + self.path, data=body, headers=dict(self.headers), timeout=60)
            if len(asked) <= losses:
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    with web_server_of(Handler) as url:
        yield url, asked


def test_an_upload_over_the_limit_is_told_and_not_tried_again(
    run: Run, api_record: Record, tmp_path: Path
) -> None:
    (tmp_path / "large.jpg").write_bytes(bytes(30_000_000))
    before = jobs_on_record(api_record)
    status, _, err = run("score", "large.jpg")
    assert status == 1
    assert "expected at most 3000000" in err
    assert jobs_on_record(api_record) == before


def test_accounts_are_added_changed_and_removed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = run("--json", "users", "add", "cli-olga", "--role", "operator", "--generate")
    made = json.loads(out)
    assert (status, made["role"], len(made["password"])) == (0, "operator", 20)
    assert json.loads(run("--json", "users", "role", "cli-olga", "viewer")[1])["role"] == "viewer"
    monkeypatch.setenv("DA_NEW_PASSWORD", "short")
    status, _, said = run("users", "password", "cli-olga")
    assert (status, "5 characters" in said, "short\n" in said) == (1, True, False)
    assert run("users", "remove", "cli-olga")[0] == 0
    assert "cli-olga" not in run("users", "list")[1]
    monkeypatch.delenv("DA_NEW_PASSWORD")
    status, _, said = run("users", "add", "cli-olga")
    assert (status, "DA_NEW_PASSWORD" in said) == (1, True)


def test_queues_tell_by_the_exit_status_whether_a_worker_is_wanted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(seed=4711))
    _, accepted, _ = run("score", "a.jpg", "--json")
    try:
        status, out, _ = run("queues", "--older-than", "0", "--json")
        live = json.loads(out)["queues"][0]
        assert (status, live["name"], live["waiting"] >= 1) == (0, "score.live", True)
        assert live["age_s"] >= 0
        assert run("queues", "--older-than", "1000000")[0] == 1
        status, out, _ = run("queues")
        assert (status, "score.bulk" in out) == (0, True)
    finally:
        run("jobs", "cancel", json.loads(accepted)["job"])
