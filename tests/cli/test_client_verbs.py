"""What the client's verbs make of paths, files, scores and truths, without a service."""

import errno
import io
import os
from pathlib import Path

import pytest

from cli.client import LocalLogin
from cli.collect import collect
from cli.multipart import File, MultipartBody
from cli.tables import count, duration, table
from cli.verbs.score import scores_table, summary
from cli.verdict import matrices, read_truth
from cli.watching import ProgressLine, told
from core.errors import InvalidRequest, Misconfigured, NotFound


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(*paths: str, folder: Path) -> list[str]:
    return [file.name for file in collect(paths, folder=folder).files]


def test_a_folder_gives_its_images_below_the_name_that_was_typed(tmp_path: Path) -> None:
    made(tmp_path, "night/b.JPG", "night/a/c.jpeg", "night/notes.txt", "night/.hidden.png", "night/a.png")
    collected = collect(["night"], folder=tmp_path)
    assert [file.name for file in collected.files] == ["night/a.png", "night/b.JPG", "night/a/c.jpeg"]
    assert all(file.path.read_bytes() == b"x" for file in collected.files)
    assert collected.left_out == ("night/.hidden.png", "night/notes.txt")
    assert names("./night/", folder=tmp_path)[0] == "night/a.png"
    assert names(".", folder=tmp_path)[0] == "night/a.png"
    absolute = str(tmp_path / "night")
    assert names(absolute, folder=Path("/")) == [f"{absolute}/{n}" for n in ("a.png", "b.JPG", "a/c.jpeg")]


def test_a_file_that_is_named_is_taken_whatever_it_is(tmp_path: Path) -> None:
    made(tmp_path, "notes.txt", "night.zip")
    assert names("notes.txt", "night.zip", folder=tmp_path) == ["notes.txt", "night.zip"]


def test_a_pattern_is_matched_from_where_the_user_stands(tmp_path: Path) -> None:
    made(tmp_path, "n1/a.jpg", "n2/b.jpg", "n2/deep/c.jpg", "odd[1].jpg")
    assert names("n*/*.jpg", folder=tmp_path) == ["n1/a.jpg", "n2/b.jpg"]
    assert names("**/*.jpg", folder=tmp_path) == ["n1/a.jpg", "n2/b.jpg", "n2/deep/c.jpg", "odd[1].jpg"]
    assert names("odd[1].jpg", folder=tmp_path) == ["odd[1].jpg"]
    assert names(f"{tmp_path}/n1/*", folder=Path("/")) == [f"{tmp_path}/n1/a.jpg"]


def test_the_same_path_twice_is_submitted_once(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg")
    assert names("a.jpg", "a.jpg", "*.jpg", folder=tmp_path) == ["a.jpg"]


def test_urls_are_references(tmp_path: Path) -> None:
    urls = [
        "https://example.org/a.jpg",
        "s3://bucket/b.png",
        "file:///srv/c.jpg",
        "https://example.org/a.jpg",
    ]
    collected = collect(urls, folder=tmp_path)
    assert collected.references == tuple(urls[:3])
    assert collected.files == ()


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    made(tmp_path, "texts/a.txt")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone")
    for path in ("missing", "missing/*.jpg", "broken.jpg", "a[1].jpg"):
        with pytest.raises(NotFound, match="expected"):
            collect([path], folder=tmp_path)
    with pytest.raises(InvalidRequest, match=r"a folder without images \(1 other files\)"):
        collect(["texts"], folder=tmp_path)


def test_a_folder_behind_a_link_is_named_and_not_followed(tmp_path: Path) -> None:
    made(tmp_path, "night/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "night" / "more").symlink_to(tmp_path / "elsewhere")
    collected = collect(["night"], folder=tmp_path)
    assert [file.name for file in collected.files] == ["night/a.jpg"]
    assert collected.left_out == ("night/more (a link to a folder)",)
    assert names("night/more", folder=tmp_path) == ["night/more/b.jpg"]


def test_a_folder_that_can_not_be_read_is_told_and_nothing_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "night/a.jpg", "night/locked/b.jpg")
    scandir = os.scandir

    def refuse(path: "os.PathLike[str] | str") -> object:
        """As the system does for anyone but root, as whom tests may run."""
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InvalidRequest, match=r"night/locked can't be read: Permission denied"):
        collect(["night"], folder=tmp_path)


def read_all(body: MultipartBody, size: int) -> bytes:
    return b"".join(iter(lambda: body.read(size), b""))


@pytest.mark.parametrize("size", [1, 7, 16384])
def test_a_body_has_the_length_that_it_states_however_it_is_read(tmp_path: Path, size: int) -> None:
    made(tmp_path, "a.jpg", "empty.jpg")
    (tmp_path / "a.jpg").write_bytes(bytes(5000))
    (tmp_path / "empty.jpg").write_bytes(b"")
    files = [File('ä "b".jpg', tmp_path / "a.jpg"), File("e\n.jpg", tmp_path / "empty.jpg")]
    body = MultipartBody(files, {"models": "rb@1"}, boundary="xyz")
    stated = len(body)
    data = read_all(body, size)
    assert len(data) == stated
    assert data.count(b"--xyz") == 4
    assert 'filename="ä \\"b\\".jpg"'.encode() in data
    assert b'filename="e.jpg"' in data


def test_a_file_that_changes_while_it_is_sent_is_told(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg")
    for changed in (b"longer", b""):
        (tmp_path / "a.jpg").write_bytes(b"x")
        body = MultipartBody([File("a.jpg", tmp_path / "a.jpg")], {}, boundary="b")
        (tmp_path / "a.jpg").write_bytes(changed)
        with pytest.raises(InvalidRequest, match="changed while it was sent"):
            read_all(body, 100)
    with pytest.raises(InvalidRequest, match="can't be read"):
        MultipartBody([File("gone.jpg", tmp_path / "gone.jpg")], {}, boundary="b")


def test_the_local_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    login = LocalLogin("admin", "password", tmp_path / "token")
    assert login.token() is None
    login.keep("da_x")
    assert login.token() == "da_x"
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def result(file: str, rb: float | None, sl: float | None, *, plausible: bool | None) -> dict[str, object]:
    scored = {"file": file, "id": file, "rb": rb, "sl": sl, "plausible": plausible}
    if rb is None:
        return scored | {"versions": {}, "rejection": {"stage": "decode", "reason": "flat", "detail": "grey"}}
    return scored | {"versions": {"rb": "rb@1", "sl": "sl@1"}, "rejection": None}


RESULTS = [
    result("bogus", 0.1, 0.9, plausible=False),
    result("flat", None, None, plausible=None),
    result("streak", 0.9, 0.8, plausible=True),
    result("long", 0.95, 0.1, plausible=False),
]


def test_the_table_has_the_plausible_first_and_rejections_last() -> None:
    lines = scores_table(RESULTS).splitlines()
    assert [line.split()[0] for line in lines] == ["file", "streak", "long", "bogus", "flat"]
    assert lines[1].split() == ["streak", "0.900", "0.800", "yes"]
    assert lines[4].split() == ["flat", "-", "-", "-", "flat"]
    assert "and 60 more" in scores_table(RESULTS * 25)


def test_the_summary_counts_by_reason() -> None:
    assert summary(RESULTS) == "3 cutouts scored, 1 plausible, 1 rejected (1 flat)"


def test_scores_are_held_against_the_truth(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(
        "file,id,kind,rb,sl\n1,bogus,ghost,0,\n2,flat,short,1,1\n3,streak,short,1,1\n4,long,long,1,0\n"
    )
    truths = read_truth(tmp_path / "truth.csv")
    found = matrices(RESULTS, truths, {"rb@1": 0.5, "sl@1": 0.5})
    assert found == {"rb": [[1, 0], [0, 2]], "sl": [[1, 0], [0, 1]]}
    assert matrices(RESULTS, truths, {"rb@1": 0.92, "sl@1": 0.1})["rb"] == [[1, 0], [1, 1]]
    with pytest.raises(Misconfigured, match="not a truth table"):
        read_truth(tmp_path / "none.csv")


def test_progress_says_what_is_known() -> None:
    job = {
        "id": "j", "state": "running", "items": 1200, "scored": 600, "rejected": 3, "shards_open": 2,
        "rate": 40.04, "seconds_left": 15.2,
    }  # fmt: skip
    assert told(job) == "job j: 603 of 1,200 cutouts, 3 rejected, 40.0/s, 15 s left"
    several = job | {"workers": {"a:gpu0": 10.2, "a:gpu1": 20.0, "b:cpu": 9.84}}
    assert told(several).endswith("40.0/s, 15 s left, 3 workers (a 30/s by 2, b 10/s)")
    one_host = job | {"workers": {"a:gpu0": 20.2, "a:gpu1": 19.84}}
    assert told(one_host).endswith("40.0/s, 15 s left, 2 workers (20, 20/s)")
    waiting = job | {"scored": 0, "rejected": 0, "rate": None, "seconds_left": None}
    assert told(waiting) == "job j: 0 of 1,200 cutouts, waiting for a worker"


def test_progress_is_one_line_on_a_terminal_and_plain_lines_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        line = ProgressLine(stream)
        for text in ("1 of 30", "1 of 30", "2"):
            line.show(text)
        line.end()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().startswith("\r1 of 30\r2      ")
    assert file.getvalue() == "1 of 30\n"


def test_tables_align_numbers_right_and_words_left() -> None:
    text = table(("name", "n"), [("a", 5), ("long name", 12345)])
    assert text.splitlines() == ["name           n", "a              5", "long name  12345"]


def test_durations_and_counts_read_well() -> None:
    assert [duration(s) for s in (0.25, 12.3, 260, 11100)] == ["0.2 s", "12 s", "4 min 20 s", "3 h 5 min"]
    assert [count(n, "cutout") for n in (0, 1, 12345)] == ["0 cutouts", "1 cutout", "12,345 cutouts"]
