"""Submitting: what is accepted, what is refused and why, and that nothing is lost."""

import io
import json
import socket
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from storage.record import Record
from tests.api.scoring import items_of
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.images import jpeg

FORM = "multipart/form-data"
STREAK = "strkid6740938304150004_pid674093830415"


def post_files(api: ApiServer, *files: tuple[str, bytes], **more: Any) -> requests.Response:
    parts = [("files", file) for file in files]
    return api.ask("POST", "/v1/jobs/score", files=parts, **more)


def zipped(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def jobs_on_record(record: Record) -> int:
    return record.database["jobs"].count_documents({})


def test_a_job_of_files_is_on_record_when_202_comes(api: ApiServer, api_record: Record) -> None:
    files = [(f"stamps/{n}.jpg", jpeg(n)) for n in range(6)]
    answer = post_files(api, *files, (f"stamps/{STREAK}_scimref.jpg", jpeg(99)))
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    assert answer.headers["Location"] == f"/v1/jobs/{job}"
    assert answer.json()["items"] == 7
    assert answer.json()["versions"] == [RB, SL]
    items = items_of(api_record, job)
    assert [item.name for item in items[:6]] == [name for name, _ in files]
    assert [api_record.blobs.get(str(item.sha256)) for item in items[:6]] == [data for _, data in files]
    assert [item.cutout == item.sha256 for item in items] == [True] * 6 + [False]
    assert items[6].cutout == STREAK
    assert api.ask("GET", f"/v1/jobs/{job}").json()["shards_open"] == 2


def test_models_and_priority_are_form_fields(api: ApiServer, api_record: Record) -> None:
    answer = post_files(api, ("a.jpg", jpeg()), data={"models": "rb", "priority": "bulk"})
    assert answer.status_code == 202
    assert answer.json()["versions"] == [RB]
    job = api_record.jobs.get(answer.json()["job"])
    assert job is not None
    assert job.priority == "bulk"


def test_a_zip_is_taken_apart_and_what_is_no_image_is_named(api: ApiServer, api_record: Record) -> None:
    members = [("night/a.jpg", jpeg(1)), ("night/readme.txt", b"hello"), ("__MACOSX/night/._a.jpg", b"x")]
    headers = {"Content-Type": "application/zip"}
    path = "/v1/jobs/score?models=rb@901,sl@901&priority=live"
    raw = api.ask("POST", path, data=zipped(members), headers=headers)
    part = post_files(api, ("night.zip", zipped(members)), ("b.jpg", jpeg(2)))
    for answer, names in ((raw, ["night/a.jpg"]), (part, ["night/a.jpg", "b.jpg"])):
        assert answer.status_code == 202, answer.text
        assert answer.json()["ignored"] == ["night/readme.txt"]
        assert [item.name for item in items_of(api_record, answer.json()["job"])] == names


def test_a_file_over_the_limit_is_rejected_alone(api: ApiServer, api_record: Record) -> None:
    answer = post_files(api, ("a.jpg", jpeg(1)), ("big.jpg", b"\xff\xd8\xff" + bytes(300_000)))
    assert answer.status_code == 202
    items = items_of(api_record, answer.json()["job"])
    assert items[0].rejection is None
    assert items[1].rejection is not None
    assert (items[1].rejection.stage, items[1].rejection.reason) == ("submit", "too_large")
    assert "300003 bytes; expected at most 200000" in items[1].rejection.detail


def test_two_files_of_one_name_are_two_items(api: ApiServer, api_record: Record) -> None:
    answer = post_files(api, ("same.jpg", jpeg(1)), ("same.jpg", jpeg(2)))
    items = items_of(api_record, answer.json()["job"])
    assert [item.name for item in items] == ["same.jpg", "same.jpg"]
    assert items[0].sha256 != items[1].sha256
    assert all(item.rejection is None for item in items)


def test_one_streak_id_with_two_contents_is_two_items_and_ties_the_id_to_neither(
    api: ApiServer, api_record: Record
) -> None:
    """Which of them owns the id, the worker finds out by reading: tests/worker/test_scorer.py."""
    name = "strkid6740938304150099_pid674093830415_scimref.jpg"
    answer = post_files(api, (name, jpeg(1)), (f"other/{name}", jpeg(2)))
    assert answer.status_code == 202
    first, second = items_of(api_record, answer.json()["job"])
    assert first.cutout == second.cutout == name.removesuffix("_scimref.jpg")
    assert [api_record.blobs.get(str(item.sha256)) for item in (first, second)] == [jpeg(1), jpeg(2)]
    document = api_record.cutouts.get(str(first.cutout))
    assert document is not None
    assert document["sha256"] is None


def test_names_are_shown_and_never_paths(api: ApiServer, api_record: Record) -> None:
    hostile = ("../../etc/passwd", "C:\\x.jpg", "a\u202egpj.exe", "x" * 600 + ".jpg", "Straße ☄ 1.jpg")
    answer = post_files(api, *((name, jpeg(n)) for n, name in enumerate(hostile)))
    assert answer.status_code == 202, answer.text
    names = [item.name for item in items_of(api_record, answer.json()["job"])]
    assert len(names) == len(hostile)
    assert all(len(name) <= 255 and name.isprintable() for name in names)
    assert names[4] == hostile[4]


@pytest.mark.parametrize(
    ("member", "word"),
    [("../../escape.jpg", "inside it"), ("/etc/x.jpg", "inside it"), ("C:/x.jpg", "inside it")],
)
def test_a_zip_with_names_that_lead_out_of_it_is_refused_whole(
    api: ApiServer, api_record: Record, member: str, word: str
) -> None:
    before = jobs_on_record(api_record)
    answer = post_files(api, ("a.zip", zipped([("good.jpg", jpeg()), (member, jpeg())])))
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":unsafe")
    assert member in answer.json()["detail"]
    assert word in answer.json()["detail"]
    assert jobs_on_record(api_record) == before


def test_a_zip_bomb_is_refused(api: ApiServer, api_record: Record) -> None:
    before = jobs_on_record(api_record)
    bomb = zipped([("bomb.jpg", bytes(15_000_000))])
    assert len(bomb) < 50_000
    answer = post_files(api, ("bomb.zip", bomb))
    assert answer.status_code == 422
    assert "bomb" in answer.json()["detail"]
    assert jobs_on_record(api_record) == before


def test_what_is_called_zip_and_is_none_is_refused(api: ApiServer) -> None:
    answer = post_files(api, ("a.zip", b"hello, this is text"))
    assert answer.status_code == 400
    assert "expected a zip file" in answer.json()["detail"]


def test_an_unknown_model_version_is_refused_and_the_known_are_named(
    api: ApiServer, api_record: Record
) -> None:
    before = jobs_on_record(api_record)
    answer = post_files(api, ("a.jpg", jpeg()), data={"models": "rb@77"})
    assert answer.status_code == 400
    assert "'rb@77'" in answer.json()["detail"]
    assert RB in answer.json()["detail"]
    assert jobs_on_record(api_record) == before


@pytest.mark.parametrize(
    ("kwargs", "status", "said"),
    [
        ({"files": []}, 400, "expected multipart/form-data"),
        ({"data": b"hello", "headers": {"Content-Type": "text/plain"}}, 400, "text/plain"),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "boundary"),
        (
            {"data": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400,
            "ends early",
        ),
        ({"data": b"oops", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "malformed"),
        ({"files": {"files": ("", b"")}, "data": {"models": "rb"}}, 400, "holds no cutouts"),
        ({"files": {"files": ("a.jpg", b"x")}, "data": {"priority": "now"}}, 422, "priority"),
        ({"files": {"files": ("a.jpg", b"x")}, "data": {"modles": "rb"}}, 422, "modles"),
        ({"json": {"references": []}}, 400, "holds no cutouts"),
        ({"json": {"files": ["a"]}}, 422, "references"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422, "JSON"),
    ],
)
def test_malformed_requests_say_what_was_expected(
    api: ApiServer, kwargs: dict[str, Any], status: int, said: str
) -> None:
    answer = api.ask("POST", "/v1/jobs/score", **kwargs)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_count(
    api: ApiServer, api_record: Record
) -> None:
    before = jobs_on_record(api_record)
    headers = {"Content-Type": "application/zip"}
    stated = _raw_post(api, b"Content-Length: 3000001\r\n")
    assert b" 413 " in stated.split(b"\r\n", 1)[0]
    sent = api.ask("POST", "/v1/jobs/score", data=bytes(30_000_000), headers=headers)
    assert sent.status_code == 413
    counted = api.ask("POST", "/v1/jobs/score", data=iter([bytes(500_000)] * 7), headers=headers)
    assert counted.status_code == 413
    assert "expected at most 3000000" in counted.json()["detail"]
    assert jobs_on_record(api_record) == before


def _raw_post(api: ApiServer, header: bytes) -> bytes:
    """The answer to headers alone."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        token = f"Authorization: {api.token}\r\n".encode()
        start = b"POST /v1/jobs/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\n"
        connection.sendall(start + token + header + b"\r\n")
        return connection.recv(4096)


def test_too_many_cutouts_are_refused(api: ApiServer, api_record: Record) -> None:
    before = jobs_on_record(api_record)
    answer = api.ask("POST", "/v1/jobs/score", json={"references": ["file:///x"] * 1501})
    assert answer.status_code == 413
    assert "1500" in answer.json()["detail"]
    assert jobs_on_record(api_record) == before


def test_more_files_than_a_form_usually_may_have_are_taken(api: ApiServer) -> None:
    answer = post_files(api, *((f"{n}.jpg", b"tiny %d" % n) for n in range(1200)))
    assert answer.status_code == 202, answer.text
    assert answer.json()["items"] == 1200


def test_references_are_kept_as_they_are(api: ApiServer, api_record: Record, shared_folder: Path) -> None:
    inside = f"file://{shared_folder}/{STREAK}_scimref.jpg"
    wanted = [inside, {"url": f"file://{shared_folder}/b.jpg", "name": "my b"}]
    answer = api.ask("POST", "/v1/jobs/score", json={"references": wanted, "models": ["rb"]})
    assert answer.status_code == 202, answer.text
    first, second = items_of(api_record, answer.json()["job"])
    assert (first.name, first.cutout, first.reference) == (inside, STREAK, inside)
    assert (second.name, second.cutout) == ("my b", None)
    pending = api.ask("GET", f"/v1/jobs/{answer.json()['job']}/results?pending=true").json()["results"]
    assert [result["pending"] for result in pending] == [True, True]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("http://127.0.0.1:27017/x.jpg", "private address 127.0.0.1"),
        ("http://localhost/x.jpg", "private address"),
        ("http://169.254.169.254/latest/meta-data", "private address 169.254.169.254"),
        ("http://[::ffff:10.0.0.1]/x.jpg", "private address"),
        ("http://user:pw@example.com/x.jpg", "user name or password"),
        ("file:///etc/passwd", "outside the allowed folders"),
        ("zip://x.jpg::file:///etc/a.zip", "outside the allowed folders"),
        ("ftp://example.com/x.jpg", "scheme 'ftp'"),
        ("x.jpg", "scheme ''"),
    ],
)
def test_a_reference_that_is_not_allowed_is_refused_whole(
    api: ApiServer, api_record: Record, shared_folder: Path, reference: str, said: str
) -> None:
    before = jobs_on_record(api_record)
    wanted = {"references": [f"file://{shared_folder}/fine.jpg", reference]}
    answer = api.ask("POST", "/v1/jobs/score", json=wanted)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert jobs_on_record(api_record) == before


def test_a_repeated_idempotency_key_gives_the_first_job(api: ApiServer, api_record: Record) -> None:
    headers = {"Idempotency-Key": "night-20181106"}
    first = post_files(api, ("a.jpg", jpeg(1)), ("b.jpg", jpeg(2)), headers=headers)
    before = jobs_on_record(api_record)
    again = post_files(api, ("b.jpg", jpeg(2)), ("a.jpg", jpeg(1)), headers=headers)
    assert again.status_code == first.status_code == 202
    assert again.json() == first.json()
    other = post_files(api, ("a.jpg", jpeg(3)), headers=headers)
    assert other.status_code == 409
    assert "night-20181106" in other.json()["detail"]
    assert jobs_on_record(api_record) == before
    shards = api_record.database["shards"].distinct("_id.job")
    assert all(api_record.jobs.get(job) is not None for job in shards)


def test_one_idempotency_key_that_comes_many_times_at_once_is_one_job(
    api: ApiServer, api_record: Record
) -> None:
    headers = {"Idempotency-Key": "night-20181107"}
    assert api.token
    before = jobs_on_record(api_record)

    def submit(n: int) -> requests.Response:
        return post_files(api, ("a.jpg", jpeg(n % 2)), ("b.jpg", jpeg(9)), headers=headers)

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(submit, range(8)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert sorted(answer.status_code for answer in answers) == [202] * 4 + [409] * 4
    assert len({answer.json()["job"] for answer in accepted}) == 1
    assert jobs_on_record(api_record) == before + 1
    assert len(items_of(api_record, accepted[0].json()["job"])) == 2
    assert all(api_record.jobs.get(job) for job in api_record.database["shards"].distinct("_id.job"))


def test_the_answer_of_an_error_holds_no_internals(api: ApiServer) -> None:
    answer = api.ask("POST", "/v1/jobs/score", json={"references": ["http://[::1"]})
    assert answer.status_code == 422
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    assert "Traceback" not in json.dumps(answer.json())
