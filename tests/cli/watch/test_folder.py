"""When a file is complete, on a clock of the test's."""

from pathlib import Path

import pytest

from cli.watch import Seen, SentFiles, WatchedFolder
from core.errors import Conflict, Unavailable
from tests.images import jpeg
from tests.nights import streak

NAME = f"{streak(1)}_scimref.jpg"
JPEG = jpeg(1, width=40, height=40)


@pytest.fixture
def folder(tmp_path: Path) -> WatchedFolder:
    (tmp_path / "stamps").mkdir()
    return WatchedFolder(tmp_path / "stamps", settle_s=5, stalled_s=60)


def names(found: list[Seen]) -> list[str]:
    return [seen.file.name for seen in found]


def test_a_file_is_complete_once_it_has_not_changed_for_a_while(folder: WatchedFolder) -> None:
    place = folder.folder / NAME
    place.write_bytes(JPEG[:100])
    assert names(folder.complete((), now=0)) == []
    place.write_bytes(JPEG)
    assert names(folder.complete((), now=4)) == names(folder.complete((), now=8)) == []
    assert folder.waiting == 1
    assert names(folder.complete((), now=9)) == [NAME]


def test_a_file_that_ends_early_is_waited_for_but_not_for_ever(folder: WatchedFolder) -> None:
    (folder.folder / NAME).write_bytes(JPEG[:-100])
    assert names(folder.complete((), now=0)) == names(folder.complete((), now=59)) == []
    assert names(folder.complete((), now=60)) == [NAME]


@pytest.mark.parametrize("before", [f"{NAME}.part", f".{NAME}.Ab12Cd", "upload.tmp"])
def test_a_file_that_gets_its_name_when_it_is_whole_is_complete_at_once(
    folder: WatchedFolder, before: str
) -> None:
    (folder.folder / before).write_bytes(JPEG)
    assert names(folder.complete((), now=0)) == []
    (folder.folder / before).rename(folder.folder / NAME)
    assert names(folder.complete((), now=1)) == [NAME]


def test_a_name_given_to_a_piece_completes_nothing(folder: WatchedFolder) -> None:
    (folder.folder / "upload.tmp").write_bytes(JPEG[:-100])
    folder.complete((), now=0)
    (folder.folder / "upload.tmp").rename(folder.folder / NAME)
    assert names(folder.complete((), now=1)) == []


def test_what_was_sent_is_known_to_the_next_process_and_other_bytes_are_not(
    folder: WatchedFolder, tmp_path: Path
) -> None:
    place = folder.folder / NAME
    place.write_bytes(JPEG)
    folder.complete((), now=0)
    with SentFiles(tmp_path / "sent.jsonl") as sent:
        sent.note(folder.complete(sent, now=9))
        with pytest.raises(Conflict, match="another process watches"), SentFiles(tmp_path / "sent.jsonl"):
            pass
    with (tmp_path / "sent.jsonl").open("a", encoding="utf-8") as torn:
        torn.write('["half a li')
    with SentFiles(tmp_path / "sent.jsonl") as sent:
        assert names(folder.complete(sent, now=99)) == []
        place.unlink()
        place.write_bytes(JPEG + b"\0")
        folder.complete(sent, now=100)
        assert names(folder.complete(sent, now=106)) == [NAME]


def test_a_folder_that_is_away_is_nobodys_fault(folder: WatchedFolder) -> None:
    folder.folder.rmdir()
    with pytest.raises(Unavailable, match="is not there"):
        folder.complete((), now=0)
