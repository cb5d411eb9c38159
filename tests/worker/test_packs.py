"""Packing a backlog, and reading it from packs: the same inputs bit by bit, whatever happens to the packs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import Conflict, Unavailable
from core.job import Item, Job
from core.settings import Settings
from cutouts.decode import DecodeLimits
from cutouts.instruments import ZTF
from cutouts.names import streak_id
from storage.blob_hold import BlobHold
from storage.blobs import BlobStore
from storage.cutouts import CutoutRecord
from storage.packs import PackRepository
from storage.record import Record
from tests.images import png
from tests.instruments import COARSE
from tests.record import register
from tests.small_disk import disk_or_skip, fill
from tests.worker.pictures import noisy_png
from tests.worker.test_scorer import MeanGrey
from worker.packed import PackReader
from worker.packer import Packer, Packing, remove_unused
from worker.process import _scorer
from worker.reader import Reader, ReadItem
from worker.readers import decode_limits, open_reader

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample" / "night" / "stamps" / "stamps_20181106"
RECIPE = "deepstreaks-1"


class Backlog:
    """Cutouts on record, their files, and readers with and without packs."""

    def __init__(self, record: Record, settings: Settings) -> None:
        self.record, self.settings = record, settings
        self.files = open_reader(settings, record, name="files", from_packs=False)
        self.reader = open_reader(settings, record, name="packs", from_packs=True)
        self.items: list[Item] = []

    def add(self, files: Sequence[tuple[str, bytes]]) -> None:
        for name, data in files:
            sha256 = self.record.blobs.put(data)
            cutout = streak_id(name) or sha256
            self.record.cutouts.announce([CutoutRecord(cutout, sha256)])
            self.record.cutouts.own([CutoutRecord(cutout, sha256)])
            self.items.append(Item(cutout, cutout, sha256))
        self.items.sort(key=lambda item: str(item.cutout))

    def packer(self, *, record: Record | None = None, check: bool = False) -> Packer:
        limits = decode_limits(self.settings)
        return Packer(record or self.record, self.reader, recipe=RECIPE, limits=limits, check=check)

    def pack(self, *, check: bool = False) -> Packing:
        return self.packer(check=check).pack("")

    def packs(self) -> list[str]:
        return [d["_id"] for d in self.record.database["packs"].find().sort("first", 1)]

    def path(self, sha256: str) -> Path:
        return self.settings.state_dir / "blobs" / sha256[:2] / sha256

    def remove_files(self) -> None:
        for item in self.items:
            self.record.blobs.delete(str(item.sha256))

    def read(self, reader: Reader) -> list[ReadItem]:
        return list(reader.read(list(enumerate(self.items)), [RECIPE]))

    def faults(self) -> int:
        return sum(d.get("faults", 0) for d in self.record.database["packs"].find())


@pytest.fixture
def backlog(record: Record, settings: Settings) -> Backlog:
    return Backlog(record, settings)


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.packer.PACK_SIZE", 4)


def night(*numbers: int, pid: int = 674093830415) -> list[tuple[str, bytes]]:
    return [(f"strkid{pid}{n:04d}_pid{pid}_scimref.png", noisy_png(n)) for n in numbers]


def same(one: Sequence[ReadItem], other: Sequence[ReadItem]) -> bool:
    def told(read: ReadItem) -> ReadItem:
        return replace(read, pixels={})

    return [told(r) for r in one] == [told(r) for r in other] and all(
        np.array_equal(a.pixels[RECIPE], b.pixels[RECIPE])
        and a.pixels[RECIPE].dtype == b.pixels[RECIPE].dtype
        for a, b in zip(one, other, strict=True)
        if a.pixels
    )


def test_every_sample_cutout_is_bit_equal_from_its_pack(backlog: Backlog) -> None:
    backlog.add([(path.name, path.read_bytes()) for path in sorted(SAMPLE.glob("*.jpg"))])
    odd = [("bright.png", noisy_png(1, shape=(60, 60))), ("cut.png", noisy_png(2)[:900])]
    backlog.add(odd)  # one is marked as uncalibrated, one is rejected
    backlog.add([("strkid9510000000010003_pid951000000001_scimref.png", noisy_png(3))])  # of another night
    from_files = backlog.read(backlog.files)
    assert any(read.departures for read in from_files)
    done = backlog.pack()
    assert (done.packed, done.packs, done.left) == (226, 3, {"truncated": 1})
    for read in from_files:
        if read.pixels:
            backlog.record.blobs.delete(str(read.sha256))
    assert same(backlog.read(backlog.reader), from_files)
    assert backlog.faults() == 0


def test_packing_again_changes_nothing_and_only_what_is_new_is_packed(
    backlog: Backlog, small_packs: None
) -> None:
    backlog.add(night(*range(0, 20, 2)))
    assert (backlog.pack().packed, len(backlog.packs())) == (10, 3)
    before = list(backlog.record.database["packs"].find())
    again = backlog.pack()
    assert (again.packed, again.packs, again.before, again.mended) == (0, 0, 10, 0)
    assert list(backlog.record.database["packs"].find()) == before
    backlog.add(night(*range(1, 20, 6)))
    more = backlog.pack()
    assert (more.packed, more.packs, more.before) == (4, 1, 10)
    from_files = backlog.read(backlog.files)
    backlog.remove_files()
    assert same(backlog.read(backlog.reader), from_files)


def test_a_filter_packs_what_it_means(backlog: Backlog) -> None:
    backlog.add(night(1, 2) + night(3, pid=951000000001))
    assert backlog.packer().pack("night = 20181106").packed == 2
    assert backlog.packer().pack("").packed == 1


@pytest.mark.parametrize("kept", [0, 10, 5000, 4096 + 6 * 144 * 144 + 1])
def test_a_pack_that_was_cut_is_read_from_files_as_far_as_it_is_gone(backlog: Backlog, kept: int) -> None:
    backlog.add(night(*range(10)))
    from_files = backlog.read(backlog.files)
    backlog.pack()
    (pack,) = backlog.packs()
    with backlog.path(pack).open("r+b") as file:
        file.truncate(kept)
    assert same(backlog.read(backlog.reader), from_files)
    assert backlog.faults() == (4 if kept > 5000 else 10)


def test_of_a_pack_with_a_flipped_bit_one_cutout_is_read_from_its_file(backlog: Backlog) -> None:
    backlog.add(night(*range(10)))
    from_files = backlog.read(backlog.files)
    backlog.pack()
    (pack,) = backlog.packs()
    flip(backlog.path(pack), at=4096 + 3 * 144 * 144 + 5)
    assert same(backlog.read(backlog.reader), from_files)
    assert backlog.faults() == 1
    backlog.remove_files()
    reads = backlog.read(backlog.reader)
    reasons = [read.fetch_rejection.reason for read in reads if read.fetch_rejection is not None]
    assert (reasons, reads[3].fetch_rejection is not None) == (["blob_missing"], True)


def test_a_pack_that_vanished_costs_nothing_but_time(backlog: Backlog, small_packs: None) -> None:
    backlog.add(night(*range(10)))
    from_files = backlog.read(backlog.files)
    backlog.pack()
    backlog.read(backlog.reader)  # which now knows the packs' indexes
    backlog.record.blobs.delete(backlog.packs()[1])
    assert same(backlog.read(backlog.reader), from_files)
    fresh = open_reader(backlog.settings, backlog.record, name="fresh", from_packs=True)
    assert same(list(fresh.read(list(enumerate(backlog.items)), [RECIPE])), from_files)
    assert backlog.faults() == 8


def test_another_packs_bytes_under_a_packs_name_are_not_taken(backlog: Backlog, small_packs: None) -> None:
    backlog.add(night(*range(7)))
    from_files = backlog.read(backlog.files)
    backlog.pack()
    four, three = backlog.packs()
    backlog.path(four).write_bytes(backlog.path(three).read_bytes())
    assert same(backlog.read(backlog.reader), from_files)
    assert backlog.faults() == 4


def test_packing_again_mends_what_is_damaged_or_gone(backlog: Backlog, small_packs: None) -> None:
    backlog.add(night(*range(12)))
    backlog.pack()
    packs = backlog.packs()
    flip(backlog.path(packs[0]), at=5000)
    backlog.record.blobs.delete(packs[1])
    from_files = backlog.read(backlog.reader)
    assert backlog.faults() > 0
    assert backlog.pack().mended == 2
    assert (backlog.packs(), backlog.faults()) == (packs, 0)
    backlog.remove_files()
    assert same(backlog.read(backlog.reader), from_files)
    flip(backlog.path(packs[2]), at=5000)
    assert backlog.pack().mended == 0  # nobody has complained of it
    assert backlog.pack(check=True).mended == 1
    assert [read.index for read in backlog.read(backlog.reader) if read.fetch_rejection] == [8]


def test_cutouts_of_a_damaged_pack_whose_files_are_gone_stay_packed(backlog: Backlog) -> None:
    backlog.add(night(*range(5)))
    from_files = backlog.read(backlog.files)
    backlog.pack()
    (pack,) = backlog.packs()
    flip(backlog.path(pack), at=4096 + 2 * 144 * 144)
    backlog.remove_files()
    done = backlog.pack(check=True)
    assert (done.mended, done.left) == (1, {"blob_missing": 1})
    (mended,) = backlog.packs()
    assert mended != pack
    reads = backlog.read(backlog.reader)
    assert same(reads[:2] + reads[3:], from_files[:2] + from_files[3:])


def test_killed_between_bytes_and_record_nothing_is_on_record_and_packing_goes_on(
    backlog: Backlog, small_packs: None
) -> None:
    backlog.add(night(*range(10)))
    from_files = backlog.read(backlog.files)

    class Death(BaseException):
        """Stands for the process's end."""

    class Dying(PackRepository):
        def insert(self, *_: object) -> bool:
            if self.near(
                backlog.packer().preparation, [str(item.cutout) for item in backlog.items], at_most=1
            ):
                raise Death
            return super().insert(*_)  # type: ignore[arg-type]

    with pytest.raises(Death):
        backlog.packer(record=replace(backlog.record, packs=Dying(backlog.record.database))).pack("")
    assert len(backlog.packs()) == 1
    assert same(backlog.read(backlog.reader), from_files)
    done = backlog.pack()
    assert (done.before, done.packed, done.packs) == (4, 6, 2)
    assert all(pack in backlog.record.blobs for pack in backlog.packs())


def test_two_packers_at_once_and_one_that_is_killed_leave_each_cutout_in_one_pack(
    backlog: Backlog, mongo_url: str, redis_url: str
) -> None:
    backlog.add(night(*range(60)) + night(*range(60, 90), pid=951000000001))
    from_files = backlog.read(backlog.files)
    env = os.environ | {
        "DA_MONGO_URL": mongo_url,
        "DA_REDIS_URL": redis_url,
        "DA_MONGO_DATABASE": backlog.record.database.name,
        "DA_STATE_DIR": str(backlog.settings.state_dir),
    }
    command = [sys.executable, "-m", "worker.packing", "--json"]
    packers = [subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE) for _ in range(3)]
    packers[2].send_signal(signal.SIGKILL)
    told = [json.loads(packer.communicate(timeout=60)[0]) for packer in packers[:2]]
    packers[2].communicate()
    assert [packer.returncode for packer in packers[:2]] == [0, 0]
    assert sum(one["packed"] for one in told) == 90
    assert (backlog.pack().before, len(backlog.packs())) == (90, 2)
    backlog.remove_files()
    assert same(backlog.read(backlog.reader), from_files)


def test_what_is_wrong_with_a_filter_is_said(backlog: Backlog, mongo_url: str) -> None:
    env = os.environ | {
        "DA_MONGO_URL": mongo_url,
        "DA_MONGO_DATABASE": backlog.record.database.name,
        "DA_STATE_DIR": str(backlog.settings.state_dir),
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker.packing", "rb ~ 1"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, "column 4" in done.stderr) == (1, "", True), done.stderr


def test_other_instruments_recipes_and_narrower_limits_are_read_from_files(backlog: Backlog) -> None:
    backlog.add(night(1, 2))
    backlog.pack()
    reader = PackReader(backlog.record.packs, backlog.record.blobs, decode_limits(backlog.settings))
    assert all(reader.places(backlog.items, [RECIPE], ZTF))
    assert not any(reader.places(backlog.items, [RECIPE], COARSE))
    narrow = PackReader(backlog.record.packs, backlog.record.blobs, DecodeLimits(max_bytes=100))
    assert not any(narrow.places(backlog.items, [RECIPE], ZTF))


def test_cutouts_scattered_over_very_many_packs_are_read_from_files(
    backlog: Backlog, small_packs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog.add(night(*range(10)))
    from_files = backlog.read(backlog.files)
    backlog.pack()
    monkeypatch.setattr("worker.packed.FEWEST_PACKS", 2)
    assert same(backlog.read(backlog.reader), from_files)
    backlog.remove_files()
    assert all(read.fetch_rejection for read in backlog.read(backlog.reader))
    monkeypatch.setattr("worker.packed.FEWEST_PACKS", 3)
    assert same(backlog.read(backlog.reader), from_files)


def test_packs_that_are_prepared_as_none_is_today_are_removed_when_asked(
    backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog.add(night(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr("cutouts.calibration.VERSION", 0)
        backlog.pack()
    (old,) = backlog.packs()
    assert (backlog.pack().packed, len(backlog.packs())) == (2, 2)
    assert remove_unused(backlog.record) == 1
    assert old not in backlog.record.blobs
    assert (old not in backlog.packs(), backlog.pack().before) == (True, 2)
    assert remove_unused(backlog.record) == 0


def test_without_room_for_a_pack_packing_ends_with_the_reason_and_goes_on_once_there_is(
    backlog: Backlog, small_packs: None, settings: Settings
) -> None:
    with disk_or_skip(settings.state_dir / "blobs", kib=2048) as disk:
        backlog.add(night(*range(10)))
        before = backlog.read(backlog.files)
        filler = fill(disk)
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - 100 * 1024)  # for the first pack, and not for the second
        with pytest.raises(Unavailable, match="No space left on device"):
            backlog.pack()
        assert len(backlog.packs()) == 1
        assert same(backlog.read(backlog.reader), before)
        filler.unlink()
        assert (backlog.pack().packed, len(backlog.packs())) == (6, 3)
        backlog.remove_files()
        assert same(backlog.read(backlog.reader), before)
        assert list(disk.glob("*/.*")) == []


def test_no_pack_is_removed_once_a_backup_reads_blobs(
    backlog: Backlog, small_packs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog.add(night(*range(6)))
    with monkeypatch.context() as patch:
        patch.setattr("cutouts.calibration.VERSION", 0)
        backlog.pack()
    packs = backlog.packs()
    assert len(packs) > 1
    hold, delete = BlobHold(backlog.record.database), backlog.record.blobs.delete

    def delete_as_a_backup_begins(sha256: str) -> None:
        delete(sha256)
        hold.renew()

    monkeypatch.setattr(backlog.record.blobs, "delete", delete_as_a_backup_begins)
    with pytest.raises(Conflict, match="a backup is being made"):
        remove_unused(backlog.record)
    assert len(backlog.packs()) == len(packs) - 1
    hold.end()
    monkeypatch.undo()
    assert remove_unused(backlog.record) == len(packs) - 1


def test_a_rescoring_from_packs_writes_what_one_from_files_does(backlog: Backlog) -> None:
    record = backlog.record
    register(record, "rb@1", "rb@2")
    backlog.add([*night(*range(30)), ("small.png", noisy_png(1, shape=(60, 60))), ("flat.png", flat_png())])
    scorer = _scorer(backlog.settings, record, MeanGrey(), "me")

    def outcomes(version: str) -> dict[str, object]:
        record.shards.insert(version, [backlog.items], priority="bulk")
        record.jobs.accept(Job(version, (version,), "bulk", "me", items=32, shards=1))
        scorer.score_shard(version, 0)
        found = record.outcomes.find([str(item.cutout) for item in backlog.items], [version])
        return {cutout: replace(outcome, version="") for (cutout, _), outcome in found.items()}

    from_files = outcomes("rb@1")
    assert backlog.pack().packed == 31
    for item in backlog.items:
        if "flat" not in str(from_files[str(item.cutout)]):
            record.blobs.delete(str(item.sha256))
    assert outcomes("rb@2") == from_files
    assert "sky_grey" in str(from_files) or "side_px" in str(from_files)


def test_neighbours_are_read_together(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    backlog.add(night(*range(40)))
    backlog.pack()
    backlog.read(backlog.reader)
    asked: list[tuple[int, int]] = []

    def counted(store: BlobStore, sha256: str, start: int, end: int) -> bytes:
        asked.append((start, end))
        return whole(store, sha256, start, end)

    whole = BlobStore.get_range
    monkeypatch.setattr(BlobStore, "get_range", counted)
    backlog.read(backlog.reader)
    assert len(asked) == 1


def flat_png() -> bytes:
    return png(np.full((157, 157), 204, np.uint8))


def flip(path: Path, *, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
