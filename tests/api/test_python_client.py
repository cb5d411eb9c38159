"""The Python client against a real API, from its users' environment and from here; a thread is the worker."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bench.loopback_server import web_server_of
from deep_asteroids_client import (
    InvalidRequest,
    JobFailed,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    Service,
    StreaksError,
    Table,
    Unavailable,
)
from deep_asteroids_client.upload import Upload, collect
from storage.record import Record
from tests.api.scoring import worker
from tests.api.server import ADMIN, ApiServer
from tests.api.versions import RB, SL
from tests.client_environment import README, python_blocks, run_script
from tests.images import jpeg

ROOMS = ("core", "cutouts", "storage", "models", "tasks", "worker", "api", "cli", "tensorflow", "numpy")


@pytest.fixture
def service(api: ApiServer) -> Iterator[Service]:
    with Service(api.url, username=ADMIN[0], password=ADMIN[1], patience_s=2) as opened:
        yield opened


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A folder of five cutouts, one of them deeper, and a file that is none."""
    folder = tmp_path / "night"
    (folder / "deep").mkdir(parents=True)
    for n, name in enumerate(("a.jpg", "b.jpg", "c.jpg", "deep/d.jpg", "flat.jpg")):
        (folder / name).write_bytes(jpeg(7000 + n))
    (folder / "notes.txt").write_text("no cutout")
    return folder


def test_its_documentation_runs_in_an_empty_environment(
    api: ApiServer, api_record: Record, client_python: Path, night: Path
) -> None:
    account = {"DA_USER": ADMIN[0], "DA_PASSWORD": ADMIN[1]}
    with worker(api_record, reject="flat.jpg"):
        done = run_script(client_python, "\n".join(python_blocks(README)), api.url, night, **account)
    assert done.returncode == 0, done.stderr
    assert "4 of 5 are plausible" in done.stdout
    assert f"['{night}/flat.jpg']" in done.stdout
    assert "2 pictures to label" in done.stdout
    assert "[########################] 5 of 5, 1 rejected" in done.stderr


def test_it_is_imported_within_a_second_and_without_the_service(client_python: Path) -> None:
    script = f"""
import importlib.util, json, time
began = time.process_time()
import deep_asteroids_client
took = time.process_time() - began
there = [name for name in {ROOMS} if importlib.util.find_spec(name)]
print(json.dumps([took, there]))
"""
    done = run_script(client_python, script)
    assert done.returncode == 0, done.stderr
    took_s, there = json.loads(done.stdout)
    assert there == []
    assert took_s < 1


def test_a_folder_is_submitted_waited_for_and_told_as_a_table(
    service: Service, api_record: Record, night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service.ping()
    with worker(api_record, reject="flat.jpg"):
        job = service.submit(night, models=[RB, SL], priority="bulk").wait()
    table = job.table()
    assert table.columns == ("file", "id", "rb", "sl", "plausible", "instrument", "rejection")
    assert table["file"] == [
        f"{night}/{name}" for name in ("a.jpg", "b.jpg", "c.jpg", "deep/d.jpg", "flat.jpg")
    ]
    assert (table["rb"], table["rejection"][-1]) == ([0.75] * 4 + [None], "flat")
    assert [result["file"] for result in job.results()] == table["file"]
    assert job.progress()["priority"] == "bulk"
    assert f"job {job.id} [{'#' * 24}] 5 of 5, 1 rejected" in capsys.readouterr().err
    assert service.job(job.id).id == job.id == service.jobs(1)[0]["id"]
    assert service.image(table["id"][0]) == (night / "a.jpg").read_bytes()


def test_a_table_prints_and_becomes_one_of_astropy() -> None:
    table = Table(("id", "rb", "plausible"), (("a", 0.25, True), ("b", None, None)))
    found = table.to_astropy()
    assert (found.colnames, found["rb"][0], bool(found["rb"].mask[1])) == (
        ["id", "rb", "plausible"],
        0.25,
        True,
    )
    assert list(table) == [
        {"id": "a", "rb": 0.25, "plausible": True},
        {"id": "b", "rb": None, "plausible": None},
    ]
    assert str(table).splitlines() == ["id  rb      plausible", "a   0.2500  yes", "b   -       -"]
    with pytest.raises(KeyError, match="expected one of id, rb, plausible"):
        table["sl"]


def test_a_table_becomes_one_of_pandas_where_that_is_installed() -> None:
    found = Table(("id", "rb"), (("a", 0.25), ("b", None))).to_pandas()
    assert (list(found.columns), found["rb"].isna().tolist()) == (["id", "rb"], [False, True])
    assert Table(("id", "rb"), ()).to_pandas().shape == (0, 2)


def test_a_table_says_what_is_to_be_installed_where_pandas_or_astropy_is_not(client_python: Path) -> None:
    for package in ("pandas", "astropy"):
        script = f"from deep_asteroids_client import Table; Table(('id',), ()).to_{package}()"
        done = run_script(client_python, script)
        assert f"expected pip install 'deep-asteroids-client[{package}]'" in done.stderr


def test_pages_of_a_filter_are_of_the_versions_that_the_first_one_named(
    service: Service, api_record: Record, night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker(api_record):
        ids = sorted(service.submit(night / "a.jpg", night / "b.jpg").wait(progress=False).table()["id"])
    monkeypatch.setattr("deep_asteroids_client.service._PAGE", 1)
    text = f"id in ('{ids[0]}', '{ids[1]}')"
    both, none, low = service.batch_tables([text, "night = 19990101", f"{text} and rb < 0.5"], at_once=3)
    assert (both["id"], both[RB], both[SL]) == (ids, [0.75] * 2, [0.875] * 2)
    assert (len(none), len(low)) == (0, 0)
    assert service.cutout(ids[0])["id"] == ids[0]


def test_pictures_are_labelled_by_their_names(service: Service, api_record: Record, night: Path) -> None:
    project = service.create_project("client's", ["no_streak", "streak"])
    assert (service.project("client's").id, service.project(project.id).classes) == (
        project.id,
        project.classes,
    )
    dataset = project.create_dataset("night")
    assert dataset.upload(night)["new"] == 5
    names = sorted(item["name"] for item in project.dataset("night").items())
    assert dataset.label({names[0]: "streak", names[1]: ["no_streak"]}) == 2
    assert dataset.label({names[1]: []}) == 1
    labels = dataset.labels(ADMIN[0])
    assert [(row["name"], row["classes"]) for row in labels if row["classes"]] == [(names[0], "streak")]
    for wrong in ({"nowhere.jpg": "streak"}, {names[2]: "comet"}):
        with pytest.raises(InvalidRequest):
            dataset.label(wrong)
    with pytest.raises(NotFound, match="has no data set 'x'; there are: night"):
        project.dataset("x")
    project.remove()
    with pytest.raises(NotFound, match="there is no project"):
        service.project(project.id)


def test_models_are_listed_shown_and_refused_to_promote(service: Service) -> None:
    stages = {card["version"]: card["stage"] for card in service.models()}
    assert (stages[RB], stages[SL]) == ("production", "production")
    assert service.model(RB)["recipe"] == "deepstreaks-1"
    with pytest.raises(NotFound):
        service.promote("rb@77777")


def test_a_job_that_is_cancelled_or_takes_too_long_is_told(service: Service, night: Path) -> None:
    job = service.submit(night / "a.jpg", night / "flat.jpg")
    with pytest.raises(TimeoutError, match=r"0 of 2.*goes on"):
        job.wait(timeout_s=0.2, progress=False)
    assert job.cancel()["state"] == "cancelled"
    with pytest.raises(JobFailed, match=f"job {job.id} cancelled"):
        job.wait(progress=False)


def test_what_is_wrong_is_told_before_anything_is_sent(service: Service, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("no image")
    for call, kind, said in (
        (lambda: service.submit(), InvalidRequest, "no path came"),
        (lambda: service.submit(tmp_path / "missing"), NotFound, "no such file or folder; expected .jpg"),
        (lambda: service.submit(tmp_path / "texts"), InvalidRequest, "a folder without images"),
        (lambda: service.submit(tmp_path / "texts/a.txt", models="rb@1"), InvalidRequest, "expected a list"),
        (lambda: service.submit_batches(tmp_path, size=0), InvalidRequest, "size is 0"),
        (lambda: service.batch_tables(["rb > 0"], at_once=99), InvalidRequest, "expected 1 to 8"),
        (lambda: Service("localhost:8000", token="x"), InvalidRequest, "expected http://"),
        (lambda: Service(service.url, username="x"), InvalidRequest, "came alone"),
        (lambda: Service(service.url), NotAuthenticated, "expected token="),
    ):
        with pytest.raises(kind, match=said):
            call()


def test_what_the_service_refuses_is_an_error_of_its_kind_with_its_words(
    api: ApiServer, service: Service, night: Path
) -> None:
    for call, kind, said in (
        (lambda: service.job("nope"), NotFound, "there is no job 'nope'"),
        (lambda: service.cutout("../../healthz"), NotFound, "there is no cutout|Not Found"),
        (lambda: list(service.cutouts("rb >")), InvalidRequest, "column 5"),
        (lambda: service.submit(night, models=["rb@77"]), Refused, "rb@77"),
        (lambda: service.submit_references(["file:///etc/passwd"]).wait(timeout_s=1), Refused, "file"),
        (lambda: service.create_project("", []), InvalidRequest, "name"),
    ):
        with pytest.raises(kind, match=said):
            call()
    with Service(api.url, token="da_wrong") as stranger, pytest.raises(NotAuthenticated):
        stranger.jobs()
    with Service(api.url, username=ADMIN[0], password="wrong") as stranger, pytest.raises(NotAuthenticated):
        stranger.jobs()


def test_a_viewer_may_look_and_not_submit(api: ApiServer, night: Path) -> None:
    viewer = {"name": "client-viewer", "password": "a-long-enough-one", "role": "viewer"}
    assert api.ask("POST", "/v1/users", json=viewer).status_code in (200, 201)
    with Service(api.url, username="client-viewer", password="a-long-enough-one") as service:
        assert service.models()
        with pytest.raises(NotAllowed, match="viewer"):
            service.submit(night / "a.jpg")


def test_nobody_there_is_unavailable_after_the_patience() -> None:
    with Service("http://127.0.0.1:9", token="x", patience_s=0.5) as service:
        assert not service.ping()
        with pytest.raises(Unavailable, match="does not answer"):
            service.models()


class Flaky(BaseHTTPRequestHandler):
    """Says that it is busy, breaks off, then answers; some paths answer something that is no service's."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, None))
        if self.path == "/v1/models/html":
            return self._answer(200, b"<html>", kind="text/html")
        if self.path == "/v1/models/elsewhere":
            return self._answer(302, b"", Location="http://127.0.0.1:9/")
        if self.path == "/v1/models/broken":
            return self._answer(500, b'{"detail": "it is logged"}')
        if len(self.asked) == 1:
            return self._answer(503, b'{"detail": "busy"}')
        if len(self.asked) == 2:
            return self._answer(200, b'{"models"', length=1000)
        return self._answer(200, b'{"models": []}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers.get("Idempotency-Key")))
        if self.path == "/v1/jobs/score" and len(self.asked) > 1:
            assert body.count(b"filename=") == 5
            return self._answer(202, b'{"job": "1a"}')
        return self._answer(503, b"no JSON")

    def _answer(
        self, status: int, body: bytes, *, kind: str = "application/json", length: int = 0, **more: str
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length or len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def flaky(asked: list[tuple[str, str | None]]) -> Iterator[Service]:
    handler = type("Handler", (Flaky,), {"asked": asked})
    with web_server_of(handler) as url, Service(url, token="x", patience_s=5) as service:
        yield service


def test_what_is_busy_or_breaks_off_is_asked_again_and_a_submission_is_one_job(night: Path) -> None:
    asked: list[tuple[str, str | None]] = []
    with flaky(asked) as service:
        assert service.models() == []
    assert [path for path, _ in asked] == ["/v1/models"] * 3
    asked = []
    with flaky(asked) as service:
        assert service.submit(night).id == "1a"
    assert [path for path, _ in asked] == ["/v1/jobs/score"] * 2
    assert asked[0][1] == asked[1][1] is not None


def test_what_may_have_been_done_is_not_asked_again_and_other_answers_are_told(night: Path) -> None:
    asked: list[tuple[str, str | None]] = []
    with flaky(asked) as service:
        with pytest.raises(Unavailable, match="503"):
            service.create_project("p", ["a", "b"])
        assert len(asked) == 1
        for version, said in (
            ("html", "text/html; expected JSON"),
            ("elsewhere", "302"),
            ("broken", "it is logged"),
        ):
            with pytest.raises(StreaksError, match=said):
                service.model(version)
        assert len(asked) == 4


def test_a_file_that_changes_while_it_is_sent_is_told(service: Service, night: Path) -> None:
    grown = night / "a.jpg"

    body = Upload(collect([grown]))
    grown.write_bytes(jpeg(7000) + b"more")
    with pytest.raises(InvalidRequest, match="changed while it was sent"):
        b"".join(body)
    grown.unlink()
    with pytest.raises(InvalidRequest, match="can't be read"):
        b"".join(body)
