"""Scores taken out, as callers and the command line get them: whole, by exact versions, or not at all."""

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from cli.__main__ import main
from core.job import Item, Job, JobState, Rejection, new_job_id
from core.outcome import Departure, Outcome
from storage.record import Record
from tests.api.server import ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.record import card

NIGHT = "20190905"
NEXT = "rb@61"
FORMULA = "=HYPERLINK(A1).jpg"
COLUMNS = ["file", "id", "night", RB, SL, "plausible", "rejection", "instrument", "uncalibrated", "not_run"]


def name(n: int, *, image: int = 0) -> str:
    return f"strkid98000000{image:02}{n:06}03_pid98000000{image:02}15"


@pytest.fixture(scope="module")
def night(api_record: Record) -> Iterator[list[str]]:
    """Ids of six cutouts of one night: scored, of which one is uncalibrated; one rejected; one waits."""
    names = [name(n) for n in range(6)]
    documents = [{"_id": n, "sha256": "a" * 64, "night": NIGHT} for n in names]
    api_record.database["cutouts"].insert_many(documents)
    departure = Departure("sky_grey", 120.5, (192.0, 217.0))
    outcomes = [
        Outcome(cutout, version, score / 8, instrument="ztf", uncalibrated=(departure,) if n == 1 else ())
        for n, cutout in enumerate(names[:4])
        for version, score in ((RB, 2 * n + 1), (SL, 5))
    ]
    why = Rejection("decode", "flat", "it is grey")
    outcomes += [Outcome(names[4], version, rejection=why, instrument="ztf") for version in (RB, SL)]
    outcomes.append(Outcome(names[0], NEXT, 0.875, instrument="ztf"))
    api_record.outcomes.insert(outcomes, provenance={})
    api_record.models.register(card(NEXT, b"next"), b"next")
    yield names
    api_record.models.archive(NEXT, by="test")
    api_record.database["cutouts"].delete_many({"_id": {"$in": names}})


@pytest.fixture(scope="module")
def job(api_record: Record, night: list[str]) -> str:
    """A job of these cutouts, one of which has a dangerous name."""
    files = [FORMULA, *(f"dir/{n}.jpg" for n in range(1, 6))]
    items = [Item(file, cutout, "a" * 64) for file, cutout in zip(files, night, strict=True)]
    return accept(api_record, items[:4], items[4:])


def accept(record: Record, *shards: list[Item], **more: Any) -> str:
    job_id = new_job_id()
    record.shards.insert(job_id, shards, priority="live")
    wanted = {"items": sum(map(len, shards)), "shards": len(shards)} | more
    record.jobs.accept(Job(job_id, (RB, SL), "live", "admin", **wanted))
    record.jobs.cancel(job_id) if not more else None  # nobody is to work on it
    return job_id


def get(api: ApiServer, path: str, **params: Any) -> requests.Response:
    answer = api.ask("GET", f"/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_job_as_csv_has_a_header_and_a_line_for_each_item(
    api: ApiServer, job: str, night: list[str]
) -> None:
    answer = get(api, f"jobs/{job}/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{job}.csv"'
    assert answer.headers["Transfer-Encoding"] == "chunked"
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == COLUMNS
    assert [line[1] for line in lines[1:]] == night
    told = ["dir/1.jpg", night[1], NIGHT, "0.375", "0.625", "false", "", "ztf", "sky_grey=120.5", ""]
    assert lines[2] == told
    assert lines[5][3:7] == ["", "", "", "flat"]
    assert lines[6] == ["dir/5.jpg", night[5], NIGHT, "", "", "", "", "", "", ""]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_text_of_a_csv_is_run_by_a_spreadsheet(api: ApiServer, api_record: Record, start: str) -> None:
    evil = f"{start}cmd|' /C calc'!A0,\"b\"\n"
    job = accept(api_record, [Item(evil, rejection=Rejection("fetch", "gone", "no"))])
    (line,) = list(csv.reader(io.StringIO(get(api, f"jobs/{job}/export").text, newline="")))[1:]
    assert line[0] == f"'{evil}"
    (row,) = get(api, f"jobs/{job}/export", format="ndjson").text.splitlines()
    assert json.loads(row)["file"] == evil


def test_ndjson_is_an_object_a_line(api: ApiServer, job: str, night: list[str]) -> None:
    answer = get(api, f"jobs/{job}/export", format="ndjson")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [list(row) for row in rows] == [COLUMNS] * 6
    departure = {"quantity": "sky_grey", "observed": 120.5, "expected": [192.0, 217.0]}
    assert rows[1] == {
        "file": "dir/1.jpg",
        "id": night[1],
        "night": NIGHT,
        RB: 0.375,
        SL: 0.625,
        "plausible": False,
        "rejection": None,
        "instrument": "ztf",
        "uncalibrated": [departure],
        "not_run": [],
    }
    assert (rows[4][RB], rows[4]["rejection"], rows[0]["file"]) == (None, "flat", FORMULA)


def test_parquet_is_typed_and_names_versions_and_filter(api: ApiServer, night: list[str]) -> None:
    answer = get(api, "cutouts/export", filter=f"night = {NIGHT} and rb > 0.5", format="parquet")
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.column_names == COLUMNS
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["id"], types[RB], types["plausible"]) == ("string", "double", "bool")
    assert table["id"].to_pylist() == night[2:4]
    assert table[RB].to_pylist() == [0.625, 0.875]
    assert table["plausible"].to_pylist() == [True, True]
    told = table.schema.metadata
    assert json.loads(told[b"versions"]) == [RB, SL]
    assert json.loads(told[b"thresholds"]) == {RB: 0.5, SL: 0.5}
    assert told[b"filter"].decode() == f"night = '{NIGHT}' and {RB} > 0.5"


def test_a_parquet_file_of_a_job_keeps_what_was_uncalibrated(api: ApiServer, job: str) -> None:
    table = pq.read_table(io.BytesIO(get(api, f"jobs/{job}/export", format="parquet").content))
    assert table.schema.metadata[b"job"].decode() == job
    departure = {"quantity": "sky_grey", "observed": 120.5, "low": 192.0, "high": 217.0}
    assert table["uncalibrated"].to_pylist() == [[], [departure], [], [], [], []]


def test_nothing_found_is_a_whole_file_without_rows(api: ApiServer) -> None:
    nothing = {"filter": "night = 19990101"}
    assert get(api, "cutouts/export", **nothing).text.splitlines() == [",".join(COLUMNS)]
    assert get(api, "cutouts/export", format="ndjson", **nothing).content == b""
    empty = get(api, "cutouts/export", format="parquet", **nothing).content
    assert pq.read_table(io.BytesIO(empty)).num_rows == 0


def test_other_versions_are_columns_of_their_own(api: ApiServer, night: list[str]) -> None:
    answer = get(api, "cutouts/export", filter=f"night = {NIGHT} and has {NEXT}", models=f"{NEXT},rb,sl")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row[NEXT], row[RB], row[SL], row["plausible"]) == ("0.875", "0.125", "0.625", "true")


def test_chosen_cutouts_are_written_in_the_order_of_their_ids(api: ApiServer, night: list[str]) -> None:
    chosen = {"ids": [night[3], night[0], night[3]], "models": RB, "format": "ndjson"}
    answer = api.ask("POST", "/v1/cutouts/export", json=chosen)
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [(row["id"], row[RB]) for row in rows] == [(night[0], 1 / 8), (night[3], 7 / 8)]
    unknown = api.ask("POST", "/v1/cutouts/export", json={"ids": [night[0], "nothing", "nobody"]})
    assert (unknown.status_code, unknown.json()["detail"][:24]) == (404, "2 of 3 cutouts are not o")
    refused: list[dict[str, Any]] = [{"ids": ids} for ids in ([], ["x"] * 10_001, ["x" * 301])]
    for wrong in (*refused, {"ids": ["x"], "format": "xls"}):
        assert api.ask("POST", "/v1/cutouts/export", json=wrong).status_code == 422


def test_what_is_wrong_is_a_problem_before_the_file_begins(
    api: ApiServer, api_record: Record, job: str
) -> None:
    planning = accept(api_record, state=JobState.PLANNING, kind="rescore")
    training = accept(api_record, state=JobState.FINISHED, kind="train")
    for path, status, said in (
        ("jobs/nope/export", 404, "there is no job 'nope'"),
        (f"jobs/{planning}/export", 409, "still being planned"),
        (f"jobs/{training}/export", 409, "expected one that scores"),
        (f"jobs/{job}/export?format=xls", 422, "'csv', 'ndjson' or 'parquet'"),
        ("cutouts/export?filter=rb%20%3E", 400, "column 5"),
        ("cutouts/export?filter=rb@7%20%3E%200.5", 400, "rb@7 is not registered"),
        ("cutouts/export?models=rb@7", 400, "'rb@7' is not registered"),
        ("cutouts?filter=%7B%22a%22:1%7D", 400, "MongoDB's own language"),
        ("cutouts?cursor=oops", 400, "expected the `next`"),
        ("cutouts?limit=0", 422, "limit"),
    ):
        answer = api.ask("GET", f"/v1/{path}")
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert said in answer.json()["detail"], answer.text
    api_record.jobs.cancel(planning)
    assert requests.get(f"{api.url}/v1/cutouts/export", timeout=30).status_code == 401


def test_cutouts_are_listed_in_pages_that_name_versions_and_filter(api: ApiServer, night: list[str]) -> None:
    asked = {"filter": f"night = {NIGHT}", "limit": 4}
    first = get(api, "cutouts", **asked).json()
    assert (first["versions"], first["filter"]) == ([RB, SL], f"night = '{NIGHT}'")
    second = get(api, "cutouts", cursor=first["next"], **asked).json()
    assert [cutout["id"] for cutout in first["cutouts"] + second["cutouts"]] == night
    assert second["next"] is None
    assert first["cutouts"][2] == {
        "id": night[2],
        "file": night[2],
        "night": NIGHT,
        "scores": {RB: 0.625, SL: 0.625},
        "plausible": True,
        "rejection": None,
        "instrument": "ztf",
        "uncalibrated": [],
        "not_run": [],
    }
    rejected, waiting = second["cutouts"]
    assert (rejected["scores"], rejected["rejection"]["reason"]) == ({RB: None, SL: None}, "flat")
    assert (waiting["scores"], waiting["rejection"]) == ({RB: None, SL: None}, None)


def test_a_page_by_other_versions_than_the_first_is_refused(api: ApiServer, night: list[str]) -> None:
    asked = {"filter": f"night = {NIGHT} and rb > 0", "limit": 1}
    first = get(api, "cutouts", **asked).json()
    answer = api.ask("GET", "/v1/cutouts", params=asked | {"models": NEXT, "cursor": first["next"]})
    assert answer.status_code == 409
    assert "expected the `filter`" in answer.json()["detail"]
    named = {"filter": first["filter"], "models": ",".join(first["versions"]), "limit": 1}
    assert [c["id"] for c in get(api, "cutouts", cursor=first["next"], **named).json()["cutouts"]] == [
        night[1]
    ]


@pytest.fixture
def broken(api_record: Record) -> Iterator[str]:
    """A filter whose cutouts can be read for a while, until one of them turns out not to be readable."""
    names = [name(n, image=7) for n in range(4500)]
    documents = [{"_id": n, "sha256": "a" * 64, "night": "20190907"} for n in names]
    api_record.database["cutouts"].insert_many(documents)
    odd = {"_id": {"cutout": names[-1], "version": RB}, "rejection": {"what": "is this"}}
    api_record.database["outcomes"].insert_one(odd)
    yield "night = 20190907"
    api_record.database["cutouts"].delete_many({"_id": {"$in": names}})
    api_record.database["outcomes"].delete_one({"_id": odd["_id"]})


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_failure_in_the_middle_does_not_look_like_a_whole_file(
    api: ApiServer, broken: str, form: str
) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.ask("GET", "/v1/cutouts/export", params={"filter": broken, "format": form})


def test_a_failure_before_the_first_bytes_is_a_problem(api: ApiServer, broken: str) -> None:
    answer = api.ask("GET", "/v1/cutouts/export", params={"filter": broken, "format": "parquet"})
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.fixture
def many(api_record: Record) -> Iterator[str]:
    """A filter of 24,000 cutouts, which are too many bytes for the buffers on the way."""
    names = [name(n, image=8) for n in range(24_000)]
    reference = f"s3://bucket/{'x' * 2000}"
    cutouts = api_record.database["cutouts"]
    cutouts.insert_many(
        {"_id": n, "sha256": "a" * 64, "night": "20190908", "reference": reference} for n in names
    )
    yield "night = 20190908"
    cutouts.delete_many({"_id": {"$in": names}})


def documents_read(record: Record) -> int:
    found = record.database.client.admin.command("serverStatus")["metrics"]["document"]["returned"]
    return int(found)


def test_a_client_that_goes_away_stops_the_reading(api: ApiServer, api_record: Record, many: str) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    before = documents_read(api_record)
    with requests.get(
        f"{api.url}/v1/cutouts/export", params={"filter": many}, headers=headers, stream=True, timeout=60
    ) as answer:
        next(answer.iter_content(1000))
    read, seen = documents_read(api_record), -1
    while read != seen:
        time.sleep(0.5)
        read, seen = documents_read(api_record), read
    assert 2000 <= read - before < 20_000


@pytest.fixture
def run(
    api: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Any:
    """`results export` from `tmp_path` as the administrator; gives its exit status, output and errors."""
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    as_admin(monkeypatch)

    def run(*words: str) -> tuple[int, bytes, str]:
        capfdbinary.readouterr()
        status = main(["--server", api.url, "results", "export", *words])
        said = capfdbinary.readouterr()
        return status, said.out, said.err.decode()

    return run


def test_the_command_line_writes_a_file_and_says_of_what(run: Any, tmp_path: Path, night: list[str]) -> None:
    (tmp_path / "a.parquet").write_text("an older one")
    words = ("--filter", f"night = {NIGHT} and rb > 0.5", "--format", "parquet", "-o", "a.parquet", "--json")
    status, out, _ = run(*words)
    told = json.loads(out)
    assert (status, told["versions"]) == (0, [RB, SL])
    assert told["filter"] == f"night = '{NIGHT}' and {RB} > 0.5"
    assert told["bytes"] == (tmp_path / "a.parquet").stat().st_size
    assert pq.read_table(tmp_path / "a.parquet")["id"].to_pylist() == night[2:4]
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_the_command_line_prints_a_job_where_no_file_is_named(run: Any, api: ApiServer, job: str) -> None:
    status, out, err = run("--job", job)
    assert (status, out) == (0, get(api, f"jobs/{job}/export").content)
    assert f"job {job}, by {RB}, {SL}" in err


def test_a_stream_that_breaks_off_leaves_no_file_and_exits_1(run: Any, tmp_path: Path, broken: str) -> None:
    (tmp_path / "old.csv").write_text("an older one")
    for file in ("new.csv", "old.csv"):
        status, _, err = run("--filter", broken, "-o", file)
        assert status == 1
        assert "broke off" in err
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "an older one"
    status, out, _ = run("--filter", broken)
    assert status == 1
    assert out.startswith(b"file,id,night,")


def test_what_the_command_line_can_not_do_is_told_and_leaves_nothing(
    run: Any, tmp_path: Path, job: str
) -> None:
    for words, said in (
        (["--filter", "rb >", "-o", "a.csv"], "column 5"),
        (["--job", "", "-o", "a.csv"], "not found"),
        (["--job", "nope", "-o", "a.csv"], "there is no job 'nope'"),
        (["--job", job, "--models", RB, "-o", "a.csv"], "a job names its versions itself"),
        (["--job", job, "--json"], "expected -o FILE"),
        (["--job", job, "-o", "nowhere/a.csv"], "No such file"),
        (["--job", job, "-o", "."], "directory"),
        (["--models", "rb@7", "-o", "a.csv"], "'rb@7' is not registered"),
    ):
        status, _, err = run(*words)
        assert status == 1
        assert said.lower() in err.lower(), err
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_written_and_not_replaced(run: Any, job: str) -> None:
    assert run("--job", job, "-o", "/dev/null")[0] == 0
    assert Path("/dev/null").is_char_device()
