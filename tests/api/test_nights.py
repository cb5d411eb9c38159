"""Nights over HTTP and from the command line: joined, scored, repeated without effect, and their ledger."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests

from cli.__main__ import main
from core.job import Rejection, ShardResult
from cutouts.simulator import write_night
from storage.record import Record
from tests.api.scoring import items_of, score_job
from tests.api.server import ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.nights import ADES

SCORES = {RB: 0.75, SL: 0.25}
TWO_NIGHTS = (("20181106", "674093830415"), ("20181107", "675093830415"))
Files = dict[str, bytes]


def simulated(folder: Path, night: str, *, count: int = 5) -> tuple[list[str], Files]:
    """Ids and files of a night; its cutouts are small."""
    ids = [truth.name for truth in write_night(folder, "sample", count=count, seed=5, night=night)]
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    small = {
        name: jpeg(int(night) + n, width=40, height=40) for n, name in enumerate(files) if ".jpg" in name
    }
    for name, data in small.items():
        (folder / name).write_bytes(data)
    return ids, files | small


def ingest(api: ApiServer, night: str, files: Files, **kwargs: Any) -> requests.Response:
    parts = [("files", (name, data)) for name, data in files.items()]
    return api.ask("POST", f"/v1/nights/{night}", files=parts, **kwargs)


def told(answer: requests.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def ledger(api: ApiServer, night: str) -> dict[str, Any]:
    return dict(told(api.ask("GET", f"/v1/nights/{night}"))["ledger"])


def state_of(record: Record, night: str) -> list[list[dict[str, Any]]]:
    """All that is on record of a night."""
    queries = {
        "cutouts": {"night": night},
        "nights": {"_id": night},
        "night_files": {"_id.night": night},
        "night_faults": {"_id.night": night},
    }
    return [list(record.database[name].find(query).sort("_id", 1)) for name, query in queries.items()]


def reject_job(record: Record, job: str) -> None:
    """Close a job's only shard with a rejection of each item, as a worker does of what it can't decode."""
    lease = record.shards.claim(job, 0, worker="test")
    assert lease is not None
    flat = Rejection("decode", "truncated", "ends early")
    count = len(lease.items)
    assert record.shards.close(lease, ShardResult(0, count, rejections=dict.fromkeys(range(count), flat)))
    assert record.jobs.finish(job)


def test_a_night_is_joined_and_scored_and_a_second_time_changes_nothing(
    api: ApiServer, api_record: Record, tmp_path: Path
) -> None:
    night = "20210101"
    ids, files = simulated(tmp_path, night)
    answer = ingest(api, night, files)
    first = told(answer, 202)
    assert answer.headers["Location"] == f"/v1/jobs/{first['job']}"
    assert first["metadata"] == {"came": 5, "joined": 5, "unchanged": 0, "conflicts": 0}
    assert (first["cutouts"]["submitted"], first["tables"], first["faults_count"]) == (5, 1, 0)
    assert (first["changed"], first["ignored"]) == (11, ["truth.csv"])
    assert sorted(str(item.cutout) for item in items_of(api_record, first["job"])) == sorted(ids)
    before = state_of(api_record, night)
    again = told(ingest(api, night, files))
    assert (again["changed"], again["job"]) == (0, None)
    assert again["metadata"]["unchanged"] == again["cutouts"]["unchanged"] == 5
    assert state_of(api_record, night) == before
    score_job(api_record, first["job"], SCORES)
    assert told(ingest(api, night, files))["changed"] == 0
    shown = ledger(api, night)
    assert shown["files"]["joined"] == shown["summary"]["metadata"] == 5
    assert shown["scores"] == {version: {"scored": 5, "rejected": 0} for version in (RB, SL)}
    cutout = api.ask("GET", f"/v1/cutouts/{ids[0]}").json()
    assert cutout["metadata_from"] == f"meta/{night}/ztf_{night}_streaks.txt:3"
    assert cutout["midpoint_coordinates"]["radec_deg"] == [cutout["ra"], cutout["dec"]]


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(f"any/{path}", data)
    return buffer.getvalue()


def tarred(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_a_zip_a_tarball_a_folder_of_the_host_and_a_form_are_the_same_night(
    api: ApiServer, api_record: Record, tmp_path: Path, shared_folder: Path
) -> None:
    night = "20210102"
    root = shared_folder / "nights" / night
    root.mkdir(parents=True)
    ids, files = simulated(root, night)
    for n in ids[:2]:
        ades = f"stamps/stamps_{night}/{n}_ades.xml"
        (root / ades).write_bytes(ADES)
        files[ades] = ADES
    headers = {"Content-Type": "application/zip"}
    path = f"/v1/nights/{night}"
    first = told(api.ask("POST", path, data=zipped(files), headers=headers), 202)
    assert (first["changed"], first["ades"]["joined"], first["cutouts"]["submitted"]) == (13, 2, 5)
    before = state_of(api_record, night)
    repeats = [
        api.ask("POST", path, data=tarred(files), headers={"Content-Type": "application/gzip"}),
        ingest(api, night, {"n.tar.gz": tarred(files)}),
        ingest(api, night, {"n.zip": zipped(files)}),
        ingest(api, night, files),
        api.ask("POST", path, json={"prefix": f"file://{root}"}),
    ]
    for answer in repeats:
        again = told(answer)
        assert (again["changed"], again["job"], again["ades"]["unchanged"]) == (0, None, 2)
        assert again["cutouts"]["unchanged"] == again["metadata"]["unchanged"] == 5
    assert state_of(api_record, night) == before


def test_metadata_may_come_first_or_last(api: ApiServer, tmp_path: Path) -> None:
    for night, order in (("20210103", 1), ("20210104", -1)):
        ids, files = simulated(tmp_path / night, night)
        parts = [{n: d for n, d in files.items() if kind in n} for kind in ("_streaks.txt", ".jpg")]
        early, late = parts[::order]
        ingest(api, night, early)
        missing = told(api.ask("GET", f"/v1/nights/{night}?limit=3"))
        lacks = ["cutout"] if order == 1 else ["metadata"]
        assert missing["missing"] == [{"id": name, "lacks": lacks} for name in sorted(ids)[:3]]
        rest = told(api.ask("GET", f"/v1/nights/{night}?limit=3&cursor={missing['next']}"))
        assert [found["id"] for found in rest["missing"]] == sorted(ids)[3:]
        assert rest["next"] is None
        told(ingest(api, night, late), 202 if order == 1 else 200)
        assert told(api.ask("GET", f"/v1/nights/{night}"))["missing"] == []
        assert ledger(api, night)["summary"]["metadata"] == ledger(api, night)["summary"]["cutouts"] == 5
        lacking = told(api.ask("GET", f"/v1/nights/{night}?lacking=ades"))
        assert len(lacking["missing"]) == 5


def test_a_rejected_file_that_has_changed_is_read_again_and_other_bytes_are_a_conflict(
    api: ApiServer, api_record: Record, tmp_path: Path
) -> None:
    night = "20210105"
    _, files = simulated(tmp_path, night, count=1)
    name = next(name for name in files if name.endswith(".jpg"))
    whole = files[name]
    truncated = told(ingest(api, night, {name: whole[:-400]}), 202)
    reject_job(api_record, truncated["job"])
    shown = ledger(api, night)
    assert (shown["files"]["rejected"], shown["rejections"]["named"][0]["reason"]) == (1, "truncated")
    assert told(ingest(api, night, {name: whole[:-400]}))["changed"] == 0
    mended = told(ingest(api, night, {name: whole}), 202)
    assert mended["cutouts"]["submitted"] == 1
    score_job(api_record, mended["job"], SCORES)
    other = told(ingest(api, night, {name: jpeg(1)}))
    assert (other["cutouts"]["conflicts"], other["changed"]) == (1, 1)
    assert told(ingest(api, night, {name: jpeg(1)}))["changed"] == 0
    shown = ledger(api, night)
    assert {state for state, n in shown["files"].items() if n} == {"joined", "replaced", "conflict"}
    assert shown["rejections"]["count"] == 0
    conflict = shown["conflicts"]["named"][0]
    assert (conflict["reason"], conflict["file"]) == ("conflict", name)
    assert "on record with" in conflict["detail"]


def test_what_a_cancelled_job_left_is_submitted_again(api: ApiServer, tmp_path: Path) -> None:
    night = "20210106"
    _, files = simulated(tmp_path, night)
    first = told(ingest(api, night, files), 202)["job"]
    assert api.ask("DELETE", f"/v1/jobs/{first}").status_code == 200
    assert ledger(api, night)["files"]["dropped"] == 5
    second = told(ingest(api, night, files), 202)
    assert second["job"] != first
    assert second["cutouts"]["submitted"] == 5
    assert told(ingest(api, night, files))["job"] is None


def test_what_can_not_be_joined_is_named_and_the_rest_is(
    api: ApiServer, api_record: Record, tmp_path: Path
) -> None:
    night = "20210107"
    ids, files = simulated(tmp_path, night)
    name = f"meta/{night}/ztf_{night}_streaks.txt"
    lines = files[name].decode().splitlines(keepends=True)
    lines[3] = lines[3].replace("|", ";", 1)
    broken = "".join(lines).encode()
    folder = f"stamps/stamps_{night}"
    elsewhere = "strkid6740938304150004_pid674093830415_scimref.jpg"
    bad = files | {
        name: broken,
        f"{folder}/{ids[0]}_ades.xml": b"<ades>",
        f"{folder}/{ids[1]}_ades.xml": ADES,
        f"{folder}/{elsewhere}": jpeg(2),
        f"{folder}/{ids[2]}_scimref.jpg": b"\xff\xd8\xff" + bytes(200_000),
    }
    first = told(ingest(api, night, bad), 202)
    found = {(f["name"].rsplit("/")[-1], f["line"]): f["reason"] for f in first["faults"]}
    assert found == {
        (f"ztf_{night}_streaks.txt", 4): "malformed",
        (f"{ids[0]}_ades.xml", None): "malformed",
        (elsewhere, None): "other_night",
        (f"{ids[2]}_scimref.jpg", None): "too_large",
    }
    assert (first["metadata"]["joined"], first["ades"]["joined"], first["cutouts"]["submitted"]) == (4, 1, 4)
    again = told(ingest(api, night, bad))
    assert (again["changed"], again["faults_count"]) == (0, 4)
    shown = told(api.ask("GET", f"/v1/nights/{night}"))
    assert shown["ledger"]["faults"]["count"] == 4
    assert {found["id"]: found["lacks"] for found in shown["missing"]} == {
        ids[1]: ["metadata"],
        ids[2]: ["cutout"],
    }
    mended = told(ingest(api, night, files | {f"{folder}/{ids[0]}_ades.xml": ADES}), 202)
    assert (mended["metadata"]["joined"], mended["cutouts"]["submitted"], mended["faults_count"]) == (1, 1, 0)
    faults = ledger(api, night)["faults"]
    assert [f["reason"] for f in faults["named"]] == ["other_night"]


def test_bad_requests_say_what_was_expected(
    api: ApiServer, api_record: Record, tmp_path: Path, shared_folder: Path
) -> None:
    def refused(answer: requests.Response, status: int, message: str) -> None:
        assert answer.status_code == status, answer.text
        assert message in answer.json()["detail"]

    night = "20210108"
    _, files = simulated(tmp_path, night)
    path = f"/v1/nights/{night}"
    refused(ingest(api, "20211399", files), 400, "expected a date")
    refused(ingest(api, night, {"truth.csv": b"x"}), 400, "truth.csv came; expected strkid")
    refused(ingest(api, night, {"n.tar.gz": tarred(files)[:-99]}), 400, "expected a whole tarball")
    refused(ingest(api, night, {"n.zip": b"no zip"}), 400, "expected a zip")
    refused(api.ask("POST", path, data=b"x", headers={"Content-Type": "text/plain"}), 400, "text/plain")
    refused(api.ask("POST", path, json={"prefix": "file:///etc"}), 422, "outside the allowed folders")
    refused(api.ask("POST", path, json={"prefix": "s3://bucket/x"}), 422, "scheme")
    refused(api.ask("POST", path, json={"prefix": f"file://{shared_folder}/none"}), 404, "there is nothing")
    refused(api.ask("GET", "/v1/nights/20210109"), 404, "nothing is on record")
    api_record.accounts.add("night-viewer", "a-password-of-a-test", "viewer")
    token = api.log_in("night-viewer", "a-password-of-a-test")
    refused(ingest(api, night, files, token=token), 403, "viewer")
    assert api.ask("GET", "/v1/nights", token=token).status_code == 200


def test_the_command_line_ingests_lists_and_shows(
    api: ApiServer,
    api_record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    night = "20210110"
    ids, files = simulated(tmp_path / "night", night)
    (tmp_path / "night" / f"stamps/stamps_{night}/{ids[4]}_scimref.jpg").unlink()
    as_admin(monkeypatch)
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))

    def streaks(*words: str) -> tuple[int, dict[str, Any], str]:
        status = main(["--json", "--server", api.url, "nights", *words])
        captured = capsys.readouterr()
        return status, json.loads(captured.out), captured.err

    monkeypatch.setattr("cli.night_files.MOST_FILES", 2)
    status, found, said = streaks("ingest", "night")
    assert status == 0
    assert "truth.csv" in said
    first = found["nights"][0]
    assert (first["night"], first["metadata"]["joined"], first["cutouts"]["submitted"]) == (night, 5, 4)
    assert len(first["jobs"]) == 3
    (tmp_path / "night.tar.gz").write_bytes(tarred({n: d for n, d in files.items() if ids[4] not in n}))
    status, found, _ = streaks("ingest", "night.tar.gz", "night")
    assert (status, found["nights"][0]["changed"], found["nights"][0]["jobs"]) == (0, 0, [])
    assert main(["--server", api.url, "nights", "ingest", "night"]) == 0
    assert f"{night}: nothing changed" in capsys.readouterr().out

    for job in first["jobs"]:
        score_job(api_record, job, SCORES)
    status, found, _ = streaks("show", night)
    assert (status, found["missing_ids"]) == (0, [{"id": ids[4], "lacks": ["cutout"]}])
    assert main(["--server", api.url, "nights", "show", night]) == 0
    shown = capsys.readouterr().out
    assert f"  {ids[4]}: no cutout" in shown
    assert f"{night}: 5 streaks, 5 with metadata, 0 with ADES, 4 with a cutout" in shown
    _, found, _ = streaks("list", "--limit", "200")
    assert [n["cutouts"] for n in found["nights"] if n["night"] == night] == [4]

    table = tmp_path / "night" / f"meta/{night}/ztf_{night}_streaks.txt"
    table.write_text(table.read_text("utf-8").replace("(5 rows)", "(6 rows)"), "utf-8")
    status, found, _ = streaks("ingest", str(table))
    assert (status, found["nights"][0]["faults"][0]["reason"]) == (3, "row_count")
    two = {f"stamps/stamps_{n}/strkid{p}0000_pid{p}_scimref.jpg": b"x" for n, p in TWO_NIGHTS}
    (tmp_path / "two.zip").write_bytes(zipped(two))
    assert "is of the nights 20181106, 20181107" in streaks("ingest", "two.zip")[1]["error"]
    (tmp_path / "none.zip").write_bytes(zipped({"a.txt": b"x"}))
    assert "does not tell its night" in streaks("ingest", "none.zip")[1]["error"]
    assert streaks("ingest", "none")[:1] == (1,)
    assert "no such file" in streaks("ingest", "none")[1]["error"]
    assert "--night" in streaks("ingest", "s3://bucket/night/")[1]["error"]
