"""Nights out of a web server's folders: listed or packed, whole, once, whatever fails on the way."""

import base64
import io
import json
import tarfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from cli.depot import server
from storage.record import Record
from tests.api.scoring import items_of
from tests.api.server import ApiServer, as_admin
from tests.cutouts.web_server import Answer, body, web_server
from tests.images import jpeg
from tests.nights import metadata, table

ACCOUNT = ("penguin", "pw-of-a-depot")
Run = Callable[..., tuple[int, dict[str, Any], str]]


class Site(dict[str, Answer]):
    """Folders and files by path, for those who know the account; what is not there is not found."""

    def __missing__(self, path: str) -> Answer:
        return body(b"no such page", status=404)

    def put(self, folder: str, files: dict[str, bytes], *more: str) -> None:
        """Files and a listing of them, with more links."""
        for name, data in files.items():
            self[f"{folder}{name}"] = guarded(body(data, Last_Modified="Mon, 01 Mar 2021 10:00:00 GMT"))
        links = "".join(f'<a href="{link}">x</a>' for link in (*files, *more))
        self[folder] = guarded(body(f'<html><a href="?C=N;O=D">Name</a><a href="/">up</a>{links}'.encode()))


def guarded(answer: Answer) -> Answer:
    """The answer, for who knows the account."""
    expected = "Basic " + base64.b64encode(":".join(ACCOUNT).encode()).decode()

    def ask(handler: BaseHTTPRequestHandler) -> None:
        (answer if handler.headers["Authorization"] == expected else body(b"", status=401))(handler)

    return ask


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A listing that goes on for as long as somebody reads."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b'<a href="a.jpg">a</a>' * 1000)
    except OSError:
        return


def failing(times: int, then: Answer, *, status: int) -> Answer:
    """Fails so many times first."""
    left = [times]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        left[0] -= 1
        (then if left[0] < 0 else body(b"", status=status))(handler)

    return answer


def files_of(days: int, numbers: range) -> tuple[list[str], dict[str, bytes], bytes]:
    """Ids, cutouts by name and the table of a night, which many days after 2017-01-01."""
    pid = f"{days}123450115"
    ids = [f"strkid{pid}{n:04}_pid{pid}" for n in numbers]
    stamps = {f"{name}_scimref.jpg": jpeg(days + n, width=40, height=40) for n, name in enumerate(ids)}
    rows = [metadata(n, pid=pid, streakid=f"{pid}{n:04}") for n in numbers]
    return ids, stamps, table(rows).encode()


@pytest.fixture
def run(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Fetch from a depot; gives the exit status, the JSON, and what was said."""
    as_admin(monkeypatch)
    monkeypatch.setattr(server, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DA_SECRETS_FILE", str(tmp_path / "secrets.json"))
    monkeypatch.setenv("DA_LIMITS__UPLOAD_BYTES", "300000")
    account = {"user": ACCOUNT[0], "password": ACCOUNT[1]}
    admin = {"admin_username": "a", "admin_password": "b"}
    (tmp_path / "secrets.json").write_text(json.dumps({"database": admin, "depot": account}), "utf-8")

    def run(url: str, *words: str) -> tuple[int, dict[str, Any], str]:
        code = main(["--server", api.url, "--json", "fetch", "depot", url, *words])
        said = capsys.readouterr()
        return code, json.loads(said.out), said.err

    return run


def submitted(record: Record, found: dict[str, Any]) -> list[str]:
    return sorted(str(item.cutout) for job in found["jobs"] for item in items_of(record, job))


def test_a_listed_night_is_fetched_once_through_faults_and_a_later_table_is_joined(
    run: Run, api: ApiServer, api_record: Record
) -> None:
    ids, stamps, text = files_of(1600, range(30))  # 2021-05-20
    site = Site()
    site.put("/d/stamps/stamps_20210520/", stamps, "../", "http://127.0.0.1:1/x.jpg", "a/b.jpg", "notes.txt")
    flaky = f"/d/stamps/stamps_20210520/{ids[3]}_scimref.jpg"
    site[flaky] = failing(2, site[flaky], status=503)
    cut = f"/d/stamps/stamps_20210520/{ids[4]}_scimref.jpg"
    whole = site[cut]
    site[cut] = body(b"x", length=99)
    with web_server(site) as (url, asked):
        code, found, said = run(f"{url}/d", "--night", "20210520")
        assert (code, found["submitted"]) == (3, 29)
        assert [fault["reason"] for fault in found["faults"]] == ["unavailable"]
        assert f"{ids[4]}_scimref.jpg: unavailable" in said
        site[cut] = whole
        site.put("/d/meta/20210520/", {"ztf_20210520_streaks.txt": text})
        before = len(asked)
        code, again, _ = run(f"{url}/d", "--night", "20210520")
        assert (code, again["submitted"], again["files"]) == (0, 1, 2)
        assert len(asked) - before == 7  # five listings, two files
        assert run(f"{url}/d", "--night", "20210520")[1]["files"] == 0
    assert submitted(api_record, {"jobs": found["jobs"] + again["jobs"]}) == ids
    summary = api.ask("GET", "/v1/nights/20210520").json()["ledger"]["summary"]
    assert (summary["metadata"], summary["cutouts"]) == (30, 30)


def test_a_tarball_goes_on_from_where_it_was_broken_off(run: Run, api_record: Record) -> None:
    ids, stamps, _ = files_of(1601, range(40))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in stamps.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = packed.getvalue()
    ranges: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        ranges.append(handler.headers["Range"])
        if len(ranges) == 1:
            body(data[: len(data) // 2], length=len(data), ETag='"1"')(handler)
        elif ranges[-1] is None:
            body(data, ETag='"1"')(handler)
        else:
            start = int(ranges[-1].removeprefix("bytes=").removesuffix("-"))
            came = f"bytes {start}-{len(data) - 1}/{len(data)}"
            body(data[start:], status=206, ETag='"1"', Content_Range=came)(handler)

    site = Site()
    site.put("/stamps/", {}, "stamps_20210521.tar.gz", "stamps_20210522.tar.gz")
    site["/stamps/stamps_20210521.tar.gz"] = guarded(answer)
    with web_server(site) as (url, _):
        code, found, _ = run(url, "--night", "20210521")
        assert (code, found["submitted"]) == (0, 40)
        assert run(url, "--night", "20210521")[1]["files"] == 0
    assert submitted(api_record, found) == ids
    assert ranges == [None, "bytes=16384-", None]


def test_what_can_not_be_had_is_named_and_the_rest_is_taken(
    run: Run, api_record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, stamps, _ = files_of(1602, range(6))
    names = list(stamps)
    site = Site()
    folder = "/stamps/stamps_20210522/"
    site.put(folder, stamps)
    site[folder + names[1]] = body(b"", status=302, Location="http://169.254.169.254/latest/meta-data")
    site[folder + names[2]] = body(b"", status=404)
    site[folder + names[3]] = body(bytes(300_001))
    site[folder + names[4]] = body(b"", status=302, Location=names[5])
    with web_server(site) as (url, _):
        code, found, _ = run(url, "--night", "20210522")
        assert (code, found["submitted"], found["faults_count"]) == (3, 3, 3)
        told = [fault["detail"] for fault in found["faults"]]
        assert "redirects to http://169.254.169.254" in told[0]
        assert "404" in told[1]
        assert "over 300000 bytes" in told[2]
        assert submitted(api_record, found) == [ids[0], ids[4], ids[5]]

        monkeypatch.setattr(server, "LISTING_BYTES", 10**6)
        site["/stamps/stamps_20210523/"] = endless
        code, found, _ = run(url, "--night", "20210523")
        assert (code, found["kind"]) == (1, "TooLarge")
        assert "expected one that ends" in found["error"]


def test_a_depot_is_watched_and_a_file_that_is_still_written_there_is_fetched_again(
    run: Run, api: ApiServer, api_record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    ids, stamps, _ = files_of(1604, range(3))
    name = f"{ids[1]}_scimref.jpg"
    site, folder = Site(), "/stamps/stamps_20210524/"
    site.put(folder, stamps)
    whole, half = site[folder + name], guarded(body(stamps[name][:500]))
    asked: list[str] = []

    def growing(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        (half if len(asked) < 3 else whole)(handler)

    site[folder + name] = growing
    with web_server(site) as (url, _):
        wanted = ["--night", "20210524", "--every", "0.1", "--until-idle", "1"]
        assert main(["--server", api.url, "--json", "watch", url, *wanted]) == 3
    found = json.loads(capsys.readouterr().out)
    assert [fault["reason"] for fault in found["faults"]] == ["incomplete"]
    assert submitted(api_record, found) == ids
    assert len(asked) == 3


def test_without_a_night_today_and_two_nights_before_are_looked_at(run: Run) -> None:
    with web_server(Site()) as (url, asked):
        code, found, _ = run(url)
    assert (code, len(found["nights"]), found["files"]) == (0, 3, 0)
    assert len(asked) == 15


def test_a_wrong_address_account_or_number_is_told(run: Run, tmp_path: Path) -> None:
    def refused(kind: str, message: str, *words: str) -> None:
        code, found, _ = run(*words)
        assert (code, found["kind"]) == (1, kind), found
        assert message in found["error"]
        assert ACCOUNT[1] not in json.dumps(found)

    refused("InvalidRequest", "expected https://HOST/FOLDER", f"https://u:{ACCOUNT[1]}@host/x")
    refused("InvalidRequest", "expected https://HOST/FOLDER", "file:///etc")
    refused("InvalidRequest", "expected a date", "http://127.0.0.1:9", "--night", "2021")
    refused("InvalidRequest", "expected 1 to 32", "http://127.0.0.1:9", "--parallel", "0")
    refused("Unavailable", "no whole answer", "http://127.0.0.1:9", "--night", "20210524")
    site = Site()
    site.put("/meta/20210524/", {})
    (tmp_path / "secrets.json").write_text('{"database": {"admin_username": "a", "admin_password": "b"}}')
    with web_server(site) as (url, _):
        refused("NotAuthenticated", "the secrets file's `depot`", url, "--night", "20210524")
