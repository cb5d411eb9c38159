"""Everything that reads bytes of strangers, with whole files to begin from, and how they are damaged."""

import csv
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from bson import json_util
from hypothesis import strategies as st
from pydantic import ValidationError

from api.model_archive import read_archive
from api.multipart import parts_of
from bench.cutout_files import jpegs
from core.errors import ServiceError
from core.filters.fields import WORDS
from core.filters.grammar import parse
from core.settings import Limits
from cutouts.archives import ImageArchive
from cutouts.datasets.classes import classes_of
from cutouts.datasets.votes import Image
from cutouts.datasets.zwickyverse import export_votes, read_export
from cutouts.decode import DecodeLimits, decode_checked
from cutouts.legacy_document import read_legacy
from cutouts.names import safe_name, streak_id
from cutouts.nights.ades import read_ades
from cutouts.nights.layout import kind_of, night_in
from cutouts.nights.table import read_table
from cutouts.nights.tarball import read_tar
from cutouts.packs import IMAGE_BYTES, PackedCutout, preparation, read_index, read_rows, write_pack
from cutouts.recipes import RECIPES
from cutouts.thumbnail import thumbnail
from tests.fits_files import fits_file, noise, tiled, zipped
from tests.images import jpeg, png
from tests.legacy_documents import legacy_document
from tests.record import card

NIGHT = "20181106"  # of the sample
SAMPLE = Path(__file__).parents[1] / "sample" / "night"
LIMITS = Limits(cutout_bytes=500_000, cutouts_per_job=50, unpacked_bytes=4_000_000, unpack_ratio=200)
IMAGES = DecodeLimits(LIMITS.cutout_bytes, LIMITS.cutout_pixels)
_PREAMBLE = struct.Struct("<8sII")  # of a pack


@dataclass(frozen=True)
class Target:
    """One reader: files that it reads, and the call. It may raise ServiceError, and nothing else."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], object]

    def ask(self, data: bytes) -> None:
        """Read; raises what the reader should not have raised."""
        try:
            self.read(data)
        except ServiceError:
            return

    def damaged(self) -> st.SearchStrategy[bytes]:
        """Files of the seeds with some places overwritten, doubled, cut out or cut off, or with no change."""
        return st.builds(_damage, st.sampled_from(list(self.seeds())), st.lists(_edits(), max_size=6))


Edit = tuple[str, float, bytes, int]
_EXTREMES = [
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"9" * 8,
    b"-1",
    b"1e999",
    b"nan",
]


def _edits() -> st.SearchStrategy[Edit]:
    content = st.one_of(st.sampled_from(_EXTREMES), st.binary(min_size=1, max_size=12))
    kinds = st.sampled_from(["over", "in", "out", "double", "end"])
    # Heads, which say what follows, are hit as often as all the rest.
    place = st.one_of(st.floats(0, 1), st.floats(0, 0.02))
    return st.tuples(kinds, place, content, st.integers(1, 3000))


def _damage(data: bytes, edits: Sequence[Edit]) -> bytes:
    for kind, place, content, length in edits:
        at = int(place * len(data))
        if kind == "over":
            data = data[:at] + content + data[at + len(content) :]
        elif kind == "in":
            data = data[:at] + content + data[at:]
        elif kind == "out":
            data = data[:at] + data[at + length :]
        elif kind == "double":
            data = data[: at + length] + data[at:]
        elif kind == "end" and at > 0:
            data = data[:at]
    return data


def _decode(data: bytes) -> None:
    decode_checked(data, recipes=list(RECIPES), limits=IMAGES)
    thumbnail(data, limits=IMAGES)


@cache
def _jpegs() -> Sequence[bytes]:
    return [data for _, data in jpegs(3, seed=5)] + [jpeg(1)]


@cache
def _pngs() -> Sequence[bytes]:
    grey = np.random.default_rng(0).normal(204, 20, (157, 131)).clip(0, 255)
    return [
        png(grey.astype(np.uint8)),
        png((grey * 257).astype(np.uint16)),
        png(np.dstack([grey] * 3).astype(np.uint8)),
    ]


@cache
def _fits() -> Sequence[bytes]:
    plane = noise()
    whole = fits_file(plane, FWHM=2.0)
    integers = fits_file((plane * 100).astype(np.int16), BSCALE=0.01, BZERO=3.0, BLANK=-32768)
    return [whole, integers, zipped(whole), tiled(plane), tiled(plane, "GZIP_2")]


@cache
def _packs() -> Sequence[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 144, 144, 1), np.uint8)
    packed = [PackedCutout(f"cutout {n}", f"{n:064x}", image) for n, image in enumerate(pixels)]
    return [write_pack(preparation(next(iter(RECIPES))), packed)]


def _read_pack(data: bytes) -> None:
    index = read_index(data)
    for row in range(len(index.cutouts)):
        begin, end = index.span(row, row)
        read_rows(index, data[begin:end], row)
    read_rows(index, data[index.pixels_at :][: len(index.cutouts) * IMAGE_BYTES], 0)


@cache
def _pack_indexes() -> Sequence[bytes]:
    return [pack[_PREAMBLE.size : _PREAMBLE.size + _PREAMBLE.unpack_from(pack)[1]] for pack in _packs()]


def _read_pack_index(text: bytes) -> None:
    """As somebody would write it who knows the checksum."""
    (pack,) = _packs()
    _read_pack(_PREAMBLE.pack(pack[:8], len(text), zlib.crc32(text)) + text + bytes(3 * IMAGE_BYTES))


@cache
def _zips() -> Sequence[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for n in range(3):
                archive.writestr(f"stamps/{n}.jpg", jpeg(n, width=40, height=40))
            archive.writestr("meta/ztf_1_streaks.txt", "jd|fid\n")
        found.append(file.getvalue())
    return found


def _read_zip(data: bytes) -> None:
    archive = ImageArchive(io.BytesIO(data), LIMITS)
    for _ in archive:
        pass
    for name in archive.ignored:
        archive.document(name, max_bytes=10_000)


@cache
def _tars() -> Sequence[bytes]:
    found = []
    for mode in ("w", "w:gz"):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=mode) as archive:
            for n in range(3):
                member = tarfile.TarInfo(f"stamps_{NIGHT}/{n}.jpg")
                data = jpeg(n, width=40, height=40)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        found.append(file.getvalue())
    return found


def _read_tar(data: bytes) -> None:
    for member in read_tar(io.BytesIO(data), LIMITS, max_bytes=lambda _: LIMITS.cutout_bytes):
        kind_of(member.name)


@cache
def _tables() -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted(SAMPLE.rglob("*streaks.txt"))[:3]]


def _read_table(data: bytes) -> None:
    for _ in read_table(io.BytesIO(data), "ztf_streaks.txt", night=NIGHT):
        pass


@cache
def _ades() -> Sequence[bytes]:
    seen = "<optical><stn>I41</stn><obsTime>2018-11-06T02:10:33Z</obsTime><ra>10.5</ra></optical>"
    return [f'<?xml version="1.0"?><ades version="2017"><obsData>{seen}{seen}</obsData></ades>'.encode()]


@cache
def _legacy() -> Sequence[bytes]:
    """A predecessor's documents, in extended JSON."""
    return [
        json_util.dumps(legacy_document(n), json_options=json_util.RELAXED_JSON_OPTIONS).encode()
        for n in range(2)
    ]


def _read_legacy(data: bytes) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(document, dict):
        read_legacy(document, {}, source="fuzz")


@cache
def _names() -> Sequence[bytes]:
    with (SAMPLE / "truth.csv").open(encoding="utf-8") as file:
        names = [next(iter(row.values())) for row in csv.DictReader(file)][:3]
    return [name.encode() for name in names] + [b"../../etc/passwd", b"stamps/stamps_20181103/a.jpg"]


def _read_name(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    for read in (streak_id, safe_name, kind_of, night_in):
        read(name)


@cache
def _filters() -> Sequence[bytes]:
    return [word.example.encode() for word in WORDS.values()]


def _read_filter(data: bytes) -> None:
    parse(data.decode("utf-8", "surrogateescape"))


@cache
def _label_files() -> Sequence[bytes]:
    told = {"a.jpg": ["streak"], "b.jpg": ["real", "bogus"], "c.jpg": []}
    return [
        json.dumps(each).encode()
        for each in (told, {"classes": ["bogus", "real"], "datasets": {"5b96": {"files": ["a.jpg"]}}})
    ]


def _read_labels(data: bytes) -> None:
    images = [Image(f"5b96/{letter}.jpg", letter * 64) for letter in "abc"]
    export_votes(read_export({"5b96.20181105_120000.json": data}), images, classes_of("rb"))


@cache
def _models() -> Sequence[bytes]:
    weights = bytes(200)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("card.json", card("rb@7", weights).model_dump_json())
        archive.writestr("weights.npz", weights)
    return [file.getvalue()]


def _read_model(data: bytes) -> None:
    try:
        read_archive(data)
    except ValidationError:  # told by the API like any other document
        return


@cache
def _bodies() -> Sequence[bytes]:
    part = "--cut\r\nContent-Disposition: form-data; name=files; filename={}\r\n\r\n{}\r\n"
    return ["".join(part.format(f"{n}.jpg", n * "x") for n in (0, 1, 900)).encode() + b"--cut--\r\n"]


def _read_body(data: bytes) -> None:
    for part in parts_of(io.BytesIO(data), "multipart/form-data; boundary=cut", spool_dir=Path("/nowhere")):
        part.content.read()


TARGETS = (
    Target("JPEG", _jpegs, _decode),
    Target("PNG", _pngs, _decode),
    Target("FITS", _fits, _decode),
    Target("pack", _packs, _read_pack),
    Target("pack's index", _pack_indexes, _read_pack_index),
    Target("zip", _zips, _read_zip),
    Target("tar", _tars, _read_tar),
    Target("metadata table", _tables, _read_table),
    Target("ADES", _ades, read_ades),
    Target("predecessor's document", _legacy, _read_legacy),
    Target("file name", _names, _read_name),
    Target("filter", _filters, _read_filter),
    Target("labels", _label_files, _read_labels),
    Target("model version", _models, _read_model),
    Target("multipart body", _bodies, _read_body),
)
