"""Data sets over HTTP and from the command line: from folders, from the old site's export, from labels."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from cli.__main__ import main
from core.errors import Conflict
from models.training.dataset_images import frozen_images
from storage.blobs import sha256_of
from storage.cutouts import CutoutRecord
from storage.labels import Label
from storage.record import Record
from tests.api.server import ADMIN, ApiServer, as_admin
from tests.images import jpeg

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Files = Mapping[str, bytes]


@pytest.fixture(autouse=True)
def no_datasets(api_record: Record) -> Iterator[None]:
    """Each test starts without data sets and labels."""
    yield
    for collection in ("datasets", "dataset_items", "labels"):
        api_record.database[collection].delete_many({})


def image(seed: int) -> bytes:
    return jpeg(7000 + seed, width=40, height=40)


def name(night: int, n: int) -> str:
    pid = f"{night:03}093830415"
    return f"strkid{pid}{n:04}_pid{pid}_scimref.jpg"


def by_class(nights: int = 5, *, first: int = 0) -> dict[str, bytes]:
    """Two real and two bogus streaks a night."""
    return {
        f"{'real' if n % 2 else 'bogus'}/{name(700 + night, n)}": image(first + 10 * night + n)
        for night in range(nights)
        for n in range(4)
    }


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def create(api: ApiServer, files: Files, *, token: str | None = None, **fields: Any) -> requests.Response:
    parts = [("files", (path, data)) for path, data in files.items()]
    data = {"name": "first", "classifier": "rb"} | fields
    return api.ask("POST", "/v1/datasets", token=token, files=parts, data=data)


def left_out(card: dict[str, Any]) -> dict[str, list[str]]:
    assert all(found["count"] == len(found["names"]) for found in card["left_out"])
    return {found["reason"]: found["names"] for found in card["left_out"]}


def total(card: dict[str, Any]) -> int:
    return sum(n for counts in card["counts"].values() for n in counts.values())


def test_a_zip_by_class_is_frozen_and_read_back_as_images(api: ApiServer, api_record: Record) -> None:
    answer = create(api, {"mine.zip": zipped(by_class())}, seed=3)
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/datasets/first")
    card = answer.json()["dataset"]
    assert (card["classes"], card["source"], card["owner"]) == (["bogus", "real"], "folder", ADMIN[0])
    assert sum(card["nights"].values()) == 5
    assert all(counts["bogus"] == counts["real"] > 0 for counts in card["counts"].values())
    assert api.ask("GET", "/v1/datasets/first").json() == card
    named = {found["name"] for found in api.ask("GET", "/v1/datasets").json()["datasets"]}
    assert "first" in named
    kept, held_back = api_record.datasets.training_items("first", "train")
    assert held_back == []
    read = frozen_images(api_record.blobs, kept)
    assert read.images.shape == (len(kept), 144, 144, 1)
    assert read.labels.tolist() == [item.label for item in kept]
    assert {item.label for item in kept if item.id.split("_")[0][-1] in "13"} == {1}
    assert len(np.unique(read.images.reshape(len(kept), -1), axis=0)) == len(kept)


def test_files_and_a_zip_of_them_are_the_same_data_set(api: ApiServer) -> None:
    files = by_class()
    card = create(api, files).json()["dataset"]
    again = create(api, {"mine.zip": zipped(files)}, name="first")
    assert (again.status_code, again.json()) == (200, {"existing": True, "dataset": card})
    other = create(api, files, name="second")
    assert (other.status_code, other.json()["dataset"]["name"]) == (200, "first")
    assert create(api, files, seed=1).status_code == 409
    assert create(api, by_class(4)).status_code == 409


def test_what_is_not_in_it_is_counted_and_named(api: ApiServer, api_record: Record) -> None:
    files = by_class() | {
        "readme.txt": b"hello",
        "meta.json": b'{"made": 1}',
        "beside.jpg": image(901),
        "real/torn.jpg": image(902)[:-300],
        "real/both.jpg": image(903),
        "bogus/both.jpg": image(903),
        "large/real/x.jpg": bytes(200_001),
        "inner.zip": zipped({"real/notes.csv": b"1", "real/page.png": b"<html>"}),
    }
    card = create(api, files).json()["dataset"]
    assert total(card) == 20
    told = left_out(card)
    assert {reason: len(names) for reason, names in told.items()} == {
        "not_used": 3,
        "no_label": 1,
        "unreadable": 3,
        "duplicate": 1,
        "disputed": 1,
    }
    assert set(told["not_used"]) == {"readme.txt", "meta.json", "inner/real/notes.csv"}
    assert told["no_label"] == ["beside.jpg"]
    assert [entry.split(": ")[:2] for entry in told["unreadable"]] == [
        ["inner/real/page.png", "not_an_image"],
        ["large/real/x.jpg", "200001 bytes; expected at most 200000"],
        ["real/torn.jpg", "truncated"],
    ]
    report = api.ask("GET", "/v1/datasets/first/left-out").text.splitlines()
    assert {tuple(line.split("\t")) for line in report} == {
        (r, n) for r, names in told.items() for n in names
    }
    assert sha256_of(image(902)[:-300]) not in api_record.blobs


def export(**more: bytes) -> dict[str, bytes]:
    """The old site's export of two data sets: one person's labels, and all users'."""
    one = {name(700 + night, n): image(10 * night + n) for night in range(5) for n in range(4)}
    labels = {file: ["streak"] if n % 2 else ["no_streak"] for n, file in enumerate(one)}
    all_users = {"x.jpg": ["streak", "no_streak", "streak"], "y.jpg": ["streak", "no_streak"], "gone.jpg": []}
    project = {"_id": "p1", "classes": ["no_streak", "streak"], "datasets": {"d1": {}, "d2": {}}}
    return {
        "p1.json": json.dumps(project).encode(),
        "d1.anna.json": json.dumps(labels | {"lost.jpg": ["streak"]}).encode(),
        "d2.20190101_120000.json": json.dumps(all_users).encode(),
        "d1.20190101_120000.zip": zipped(one),
        "d2.20190101_120000.zip": zipped({f"{c}.jpg": image(950 + n) for n, c in enumerate("xyz")}),
    } | more


@pytest.mark.parametrize("in_one_zip", [False, True])
def test_an_export_of_the_old_site(api: ApiServer, in_one_zip: bool) -> None:
    files: Files = export()
    if in_one_zip:
        zips = [path for path in files if path.endswith(".zip")]
        flat = {path: data for path, data in files.items() if path not in zips}
        for path in zips:
            with zipfile.ZipFile(io.BytesIO(files[path])) as archive:
                flat |= {
                    f"{path.split('.')[0]}/{member}": archive.read(member) for member in archive.namelist()
                }
        files = {"all.zip": zipped(flat)}
    answer = create(api, files)
    assert answer.status_code == 201, answer.text
    card = answer.json()["dataset"]
    assert (card["source"], total(card)) == ("zwickyverse", 21)
    told = left_out(card)
    assert {reason: len(names) for reason, names in told.items()} == {
        "no_image": 1,
        "disputed": 1,
        "no_label": 1,
    }
    assert "lost.jpg" in told["no_image"][0]
    assert "y.jpg: 1 votes for 0, 1 for 1" in told["disputed"][0]
    assert told["no_label"][0].endswith("z.jpg")
    stricter = create(api, files, name="second", min_votes="3").json()
    assert "expected both classes (left out:" in stricter["detail"]


@pytest.mark.parametrize(
    ("files", "fields", "status", "said"),
    [
        ({"real/a.jpg": image(0)}, {}, 400, "0 images of bogus and 1 of real; expected both classes"),
        ({}, {}, 400, "0 images of bogus and 0 of real"),
        ({"real/a.jpg": image(0), "maybe/b.jpg": image(1)}, {}, 400, "no class: 'maybe' with 1 images"),
        (
            export(**{"d1.ben.json": b'{"x.jpg": ["galaxy"]}'}),
            {},
            400,
            "'galaxy' in d1.ben.json; expected bogus",
        ),
        (export(**{"d9.ben.json": b'{"x.jpg": ["streak"]}'}), {}, 400, "no project names: d9.ben.json"),
        ({"p1.json": export()["p1.json"]}, {}, 400, "a project came without labels"),
        ({"d1.json": b"{"}, {}, 400, "d1.json can't be read"),
        ({"mine.zip": b"no zip"}, {}, 400, "expected a zip file"),
        ({"mine.zip": zipped({"../real/a.jpg": b""})}, {}, 422, "expected paths inside it"),
        (by_class(1), {}, 400, "label more nights"),
        (by_class(), {"shares": "0,50,50"}, 400, "some for training"),
        (by_class(), {"shares": "80,20"}, 422, "shares"),
        (by_class(), {"name": "No Name"}, 422, "name"),
        (by_class(), {"name": "rb-2018.9"}, 422, "is a preset's name"),
        (by_class(), {"seed": "-1"}, 422, "seed"),
        (by_class(), {"classifier": "xy"}, 400, "no known classes of 'xy'"),
        (by_class(), {"colour": "red"}, 422, "colour"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_frozen(
    api: ApiServer, files: Files, fields: dict[str, str], status: int, said: str
) -> None:
    answer = create(api, files, **fields) if files else create(api, {"notes.txt": b""}, **fields)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert api.ask("GET", "/v1/datasets").json() == {"datasets": []}


def test_a_classifier_of_your_own_has_classes_of_your_own(api: ApiServer) -> None:
    files = {
        path.replace("real/", "Keep It/").replace("bogus/", "ditch/"): d for path, d in by_class().items()
    }
    answer = create(api, files, classifier="xy", classes="ditch,keep it")
    assert answer.json()["dataset"]["classes"] == ["ditch", "keep_it"]


def test_labels_on_record_are_frozen(api: ApiServer, api_record: Record) -> None:
    files = [data for _, data in sorted(by_class(first=300).items())]
    shas = [api_record.blobs.put(data) for data in files]
    api_record.cutouts.announce([CutoutRecord(sha256, sha256) for sha256 in shas])
    lost = "f" * 64
    api_record.cutouts.announce([CutoutRecord(lost, lost)])
    for n, sha256 in enumerate(shas):
        for person, value in (("anna", n % 2), ("ben", n % 2), ("eva", 1 - n % 2)):
            api_record.labels.put(Label(sha256, "rb", person, value, NOW))
    api_record.labels.put(Label(shas[0], "rb", "anna", 1, NOW + timedelta(seconds=1)))
    for cutout in ("nobody-knows-it", lost):
        api_record.labels.put(Label(cutout, "rb", "anna", 1, NOW))
    asked = {"from": "labels", "name": "labels.1", "classifier": "rb", "min_votes": 3}
    answer = api.ask("POST", "/v1/datasets", json=asked)
    assert answer.status_code == 201, answer.text
    card = answer.json()["dataset"]
    assert (card["source"], total(card)) == ("labels", 20)
    told = left_out(card)
    assert told["no_image"] == ["nobody-knows-it"]
    assert "is not in the store" in told["unreadable"][0]
    found = {item.sha256: item.label for item in api_record.datasets.items("labels.1")}
    assert found == {sha256: 1 if n == 0 else n % 2 for n, sha256 in enumerate(shas)}
    assert api.ask("POST", "/v1/datasets", json=asked).status_code == 200


def test_a_labelled_cutout_that_is_kept_by_reference_is_fetched(
    api: ApiServer, api_record: Record, shared_folder: Path
) -> None:
    for n in range(12):
        path = shared_folder / f"labelled{n}.jpg"
        path.write_bytes(image(600 + n))
        sha256 = sha256_of(image(600 + n))
        api_record.cutouts.own([CutoutRecord(sha256, sha256, f"file://{path}")])
        api_record.labels.put(Label(sha256, "rb", "anna", n % 2, NOW))
    (shared_folder / "labelled0.jpg").write_bytes(image(699))
    (shared_folder / "labelled1.jpg").unlink()
    asked = {"from": "labels", "name": "fetched", "classifier": "rb"}
    card = api.ask("POST", "/v1/datasets", json=asked).json()["dataset"]
    assert total(card) == 10
    assert len(left_out(card)["unreadable"]) == 2
    assert sha256_of(image(611)) in api_record.blobs


def test_a_benchmark_is_held_back_from_every_later_data_set(api: ApiServer, api_record: Record) -> None:
    """By content and by night; and a training can read neither it nor what an older set shares with it."""
    assert create(api, by_class(6), name="older").status_code == 201
    standing = {path: data for path, data in by_class(6).items() if name(703, 0)[:9] in path}
    standing |= {"real/seen.jpg": image(980), "bogus/seen.png": image(981)}
    answer = create(api, standing, name="standing", benchmark="true")
    assert answer.status_code == 201, answer.text
    assert answer.json()["dataset"]["counts"]["train"] == {"bogus": 0, "real": 0}
    assert create(api, by_class(6, first=500), name="third", benchmark="true").status_code == 409
    later = by_class(6, first=400) | {"real/other-name.jpg": image(980)}
    card = create(api, later, name="later").json()["dataset"]
    held = left_out(card)["benchmark"]
    assert len(held) == 5
    assert "real/other-name.jpg" in held
    reserved = {item.sha256 for item in api_record.datasets.items("standing")}
    for known in ("older", "later"):
        for split in ("train", "validation", "test"):
            kept, _ = api_record.datasets.training_items(known, split)
            assert not any(item.sha256 in reserved or item.night == "20181205" for item in kept)
    assert (
        sum(len(api_record.datasets.training_items("older", s)[1]) for s in ("train", "validation", "test"))
        == 4
    )
    with pytest.raises(Conflict, match="is the benchmark of rb"):
        api_record.datasets.training_items("standing", "train")


def test_only_operators_and_administrators_freeze(api: ApiServer, api_record: Record) -> None:
    api_record.accounts.add("dataset-viewer", "a long enough password", "viewer")
    token = api.log_in("dataset-viewer", "a long enough password")
    assert create(api, by_class(), token=token).status_code == 403
    assert api.ask("GET", "/v1/datasets", token=token).status_code == 200
    assert api.ask("GET", "/v1/datasets/nope").status_code == 404
    assert api.ask("POST", "/v1/datasets", data=b"x", headers={"Content-Type": "text/csv"}).status_code == 400
    answer = api.ask("POST", "/v1/datasets", json={"from": "nowhere", "name": "a", "classifier": "rb"})
    assert answer.status_code == 422


def test_a_folder_is_frozen_from_the_command_line(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    as_admin(monkeypatch)
    for path, data in (by_class() | {"notes.txt": b"", "loose.jpg": image(990)}).items():
        (tmp_path / "mine" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / path).write_bytes(data)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["--server", api.url, "datasets", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    status, out, err = run("create", "mine.1", "mine", "--classifier", "rb", "--json")
    assert status == 0, err
    assert "not sent, no images and no labels: 1 file (notes.txt)" in err
    assert total(json.loads(out)["dataset"]) == 20
    status, out, err = run("create", "mine.1", "mine", "--classifier", "rb")
    assert (status, "are on record already, as data set mine.1" in err) == (0, True)
    assert "left out: 1 images that nobody labelled: loose.jpg" in out
    assert "mine.1" in run("list")[1]
    assert json.loads(run("show", "mine.1", "--json")[1])["classifier"] == "rb"
    for words, said in [
        (("show", "nope"), "there is no data set 'nope'"),
        (("create", "x", "--classifier", "rb"), "neither of PATH and --from-labels came"),
        (("create", "x", "gone", "--classifier", "rb"), "no such folder or zip"),
        (("create", "x", "mine/notes.txt", "--classifier", "rb"), "expected a folder or a zip"),
        (("create", "x", "--classifier", "rb", "--from-labels"), "expected both classes"),
    ]:
        status, _, err = run(*words)
        assert status == 1
        assert said in err


def test_the_images_of_a_split_are_taken_out_in_folders_by_class(api: ApiServer) -> None:
    card = create(api, by_class(), seed=3).json()["dataset"]
    sent = {path.partition("/")[2].partition("_scimref")[0]: data for path, data in by_class().items()}
    for split in ("train", "test"):
        answer = api.ask("GET", f"/v1/datasets/first/images?split={split}")
        assert answer.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        counts = {c: sum(name.startswith(f"{c}/") for name in found) for c in ("bogus", "real")}
        assert counts == card["counts"][split]
        assert all(sent[name.partition("/")[2].removesuffix(".jpg")] == data for name, data in found.items())
    everything = api.ask("GET", "/v1/datasets/first/images")
    with zipfile.ZipFile(io.BytesIO(everything.content)) as archive:
        assert len(archive.namelist()) == 20
    assert api.ask("GET", "/v1/datasets/nobody/images").status_code == 404
    assert api.ask("GET", "/v1/datasets/first/images?split=all").status_code == 422


def test_a_version_is_evaluated_on_a_data_set_of_the_service(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    card = create(api, by_class(), seed=3).json()["dataset"]
    as_admin(monkeypatch)
    words = ["--server", api.url, "evaluate", "rb@3"]
    assert main([*words, "first", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [sum(row) for row in found["confusion_matrix"]] == list(card["counts"]["test"].values())
    assert main([*words, "second"]) == 1
    assert "no data set 'second'; expected a preset" in capfd.readouterr().err
    assert main(["--server", api.url, "evaluate", "sl@2", "first"]) == 1
    assert "first is a data set of rb; expected one of sl" in capfd.readouterr().err
