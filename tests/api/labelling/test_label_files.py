"""What is put into a data set: whole images under safe names; all else is named with what is wrong."""

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from core.outcome import Outcome
from storage.cutouts import CutoutRecord
from storage.record import Record
from tests.api.labelling.test_projects import Person
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.images import enormous_png, jpeg, png

Part = tuple[str, bytes]
ONE, OTHER = (jpeg(seed, width=40, height=40) for seed in (70, 71))


@pytest.fixture
def anna(api: ApiServer, token_of: Callable[[str], str]) -> Person:
    return Person(api, token_of("anna"))


@pytest.fixture
def where(anna: Person) -> str:
    """A data set without items."""
    project = anna.project()
    return f"/{project}/datasets/{anna.dataset(project)}"


@pytest.fixture
def upload(api: ApiServer, token_of: Callable[[str], str], where: str) -> Callable[..., Any]:
    def put(parts: Sequence[Part], status: int = 200) -> Any:
        files = [("files", part) for part in parts]
        answer = api.ask("POST", f"/v1/projects{where}/files", token=token_of("anna"), files=files)
        assert answer.status_code == status, answer.text
        return answer.json()

    return put


Upload = Callable[..., Any]


def names(anna: Person, where: str) -> list[str]:
    return [item["name"] for item in anna.ask("GET", f"{where}/items")["items"]]


def zipped(files: Sequence[Part]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_pictures_are_taken_in_and_shown(api: ApiServer, anna: Person, where: str, upload: Upload) -> None:
    assert upload([("b.jpg", ONE), ("mine.zip", zipped([("deep/a.jpg", OTHER)]))]) == {
        "new": 2,
        "known": 0,
        "refused": 0,
        "faults": [],
        "more": False,
    }
    first, second = anna.ask("GET", f"{where}/items")["items"]
    assert (first["name"], second["name"]) == ("a.jpg", "b.jpg")
    assert api.ask("GET", second["picture"]).content == ONE
    assert api.ask("GET", first["picture"]).headers["Content-Type"] == "image/jpeg"


def test_the_same_files_again_change_nothing(anna: Person, where: str, upload: Upload) -> None:
    parts = [("a.jpg", ONE), ("b.jpg", OTHER)]
    upload(parts)
    again = upload([*parts, ("c.jpg", ONE)])
    assert (again["new"], again["known"]) == (1, 2)
    assert names(anna, where) == ["a.jpg", "b.jpg", "c.jpg"]


def test_other_bytes_under_a_known_name_are_told_and_not_taken(
    anna: Person, where: str, upload: Upload
) -> None:
    upload([("a.jpg", ONE)])
    again = upload([("folder/a.jpg", OTHER), ("b.jpg", OTHER)])
    assert (again["new"], again["refused"]) == (1, 1)
    assert again["faults"][0]["name"] == "a.jpg"
    assert "another picture is in the data set under this name" in again["faults"][0]["fault"]
    assert anna.ask("GET", f"{where}/faults")["faults"] == again["faults"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("..\\..\\boot.jpg", "boot.jpg"),
        ("C:\\stamps\\a.jpg", "a.jpg"),
        ("/etc/a.jpg", "a.jpg"),
        ("a\u202egpj.exe.jpg", "agpj.exe.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "<img src=x onerror=alert(1)>.jpg"),
        ("it's 100%.jpg", "it's 100%.jpg"),
        ("e\u0301toile.jpg", "\u00e9toile.jpg"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        ("\u661f" * 100 + ".jpg", "\u661f" * 83 + ".jpg"),
    ],
)
def test_hostile_names_become_plain_ones(
    anna: Person, where: str, upload: Upload, name: str, kept: str
) -> None:
    assert upload([(name, ONE)])["new"] == 1
    assert names(anna, where) == [kept]


def test_a_png_called_jpg_is_shown_as_what_it_is(
    api: ApiServer, anna: Person, where: str, upload: Upload
) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (40, 40), dtype=np.uint8)
    upload([("picture.jpg", png(noise))])
    (item,) = anna.ask("GET", f"{where}/items")["items"]
    shown = api.ask("GET", item["picture"])
    assert (shown.headers["Content-Type"], shown.headers["X-Content-Type-Options"]) == (
        "image/png",
        "nosniff",
    )


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("page.jpg", b"<html><script>alert(1)</script></html>", "not_an_image"),
        ("drawing.jpg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not_an_image"),
        ("drawing.svg", b"<svg/>", "not called as an image is"),
        ("page.html", b"<html/>", "not called as an image is"),
        ("short.jpg", ONE[:-200], "truncated"),
        ("empty.jpg", b"", "empty"),
        ("large.jpg", ONE + bytes(200_000), "expected at most 200000"),
        ("huge.png", enormous_png(6000), "too_many_pixels"),
    ],
)
def test_what_is_no_picture_is_named_and_the_others_are_taken(
    anna: Person, where: str, upload: Upload, name: str, data: bytes, told: str
) -> None:
    taken = upload([("a.jpg", ONE), (name, data), ("b.jpg", OTHER)])
    assert (taken["new"], taken["refused"]) == (2, 1)
    assert taken["faults"][0]["name"] == name
    assert told in taken["faults"][0]["fault"]
    assert names(anna, where) == ["a.jpg", "b.jpg"]


def test_an_upload_over_the_limit_is_refused_before_it_is_read(
    anna: Person, where: str, upload: Upload
) -> None:
    refused = upload([("a.jpg", bytes(3_500_000))], 413)
    assert "expected at most 3000000" in refused["detail"]
    assert names(anna, where) == []


@pytest.mark.parametrize("member", ["../../a.jpg", "/a.jpg"])
def test_an_archive_that_leads_out_is_refused(anna: Person, where: str, upload: Upload, member: str) -> None:
    assert "a.jpg" in upload([("evil.zip", zipped([(member, ONE)]))], 422)["detail"]
    assert names(anna, where) == []


def test_a_body_that_ends_early_changes_nothing(
    api: ApiServer, anna: Person, where: str, token_of: Callable[[str], str]
) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n' + ONE
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = api.ask("POST", f"/v1/projects{where}/files", token=token_of("anna"), data=body, headers=headers)
    assert (answer.status_code, "ends early" in answer.text) == (400, True)
    assert names(anna, where) == []


def test_a_file_takes_no_streaks_id(anna: Person, where: str, upload: Upload, api_record: Record) -> None:
    """Whose bytes a streak's id is of the survey's nights say; a labeller's file is known by its content."""
    streak = "strkid6740938304150098_pid674093830415"
    upload([(f"{streak}_scimref.jpg", ONE)])
    (item,) = anna.ask("GET", f"{where}/items")["items"]
    assert item["cutout"] in item["picture"]
    assert item["cutout"] != streak
    assert api_record.cutouts.get(streak) is None


def test_cutouts_on_record_are_put_in_by_id_and_by_filter(
    anna: Person, where: str, api_record: Record
) -> None:
    streaks = [f"strkid67409383041501{n:02}_pid674093830415" for n in range(4)]
    record = api_record
    pictures = [jpeg(80 + n, width=40, height=40) for n in range(3)]
    for streak, data in zip(streaks, pictures, strict=False):
        sha256 = record.blobs.put(data)
        record.cutouts.announce([CutoutRecord(streak, sha256)])
        record.cutouts.own([CutoutRecord(streak, sha256)])
    taken = anna.ask("POST", f"{where}/items", cutouts=[streaks[0], streaks[0], streaks[3]])
    assert (taken["new"], taken["refused"]) == (1, 1)
    assert taken["faults"][0] == {
        "name": f"{streaks[3]}_scimref",
        "fault": "its bytes never came; expected a cutout with a picture",
    }
    (item,) = anna.ask("GET", f"{where}/items")["items"]
    assert (item["name"], item["cutout"]) == (f"{streaks[0]}_scimref.jpg", streaks[0])
    night = api_record.cutouts.get(streaks[0])["night"]  # type: ignore[index]
    first = anna.ask("POST", f"{where}/items", filter=f"night = {night}", limit=2)
    assert (first["new"], first["known"], first["more"]) == (1, 1, True)
    anna.ask("POST", f"{where}/items", filter=f"night = {night}")
    assert names(anna, where) == [f"{streak}_scimref.jpg" for streak in streaks[:3]]
    assert anna.ask("GET", where)["origin"] == f"a selection; filter night = {night}"
    assert "column" in anna.ask("POST", f"{where}/items", 400, filter="rb >")["detail"]
    anna.ask("POST", f"{where}/items", 422, filter="rb > 0", cutouts=[])
    api_record.database["cutouts"].delete_many({"_id": {"$in": streaks}})


def test_the_cutouts_of_a_job_keep_their_names(api: ApiServer, anna: Person, where: str) -> None:
    files = [("files", ("one.jpg", ONE)), ("files", ("page.jpg", b"<html>"))]
    job = api.ask("POST", "/v1/jobs/score", files=files).json()
    taken = anna.ask("POST", f"{where}/items", job=job["id"] if "id" in job else job["job"])
    assert (taken["new"], taken["refused"]) == (1, 1)
    assert names(anna, where) == ["one.jpg"]
    assert "there is no job" in anna.ask("POST", f"{where}/items", 404, job="none")["detail"]


def test_an_operator_has_a_data_set_scored_by_what_its_pictures_lack(
    api: ApiServer, anna: Person, where: str, upload: Upload, api_record: Record
) -> None:
    upload([("one.jpg", ONE), ("other.jpg", OTHER)])
    first, _ = anna.ask("GET", f"{where}/items")["items"]
    api_record.outcomes.insert([Outcome(first["cutout"], v, score=0.5) for v in (RB, SL)], provenance={})
    anna.ask("POST", f"{where}/score", 403)
    answer = api.ask("POST", f"/v1/projects{where}/score")
    assert (answer.status_code, answer.json()["items"], answer.json()["versions"]) == (202, 1, [RB, SL])
    (item,) = api_record.shards.items(answer.json()["job"], 0) or []
    assert (item.name, item.sha256) == ("other.jpg", item.cutout)
    rest = [Outcome(str(item.cutout), v, score=0.5) for v in (RB, SL)]
    api_record.outcomes.insert(rest, provenance={})
    again = api.ask("POST", f"/v1/projects{where}/score")
    assert (again.status_code, "nothing to score" in again.text) == (409, True)
