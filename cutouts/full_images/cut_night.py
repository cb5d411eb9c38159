"""Cut a catalogue's candidates out of an image, into files of a night's layout."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from core.errors import CutoutRejected, InvalidRequest
from core.instrument import Instrument
from cutouts.full_images.catalogue import Catalogue, CatalogueRow
from cutouts.full_images.full_image import FullImage
from cutouts.full_images.names import image_name, is_pid, pid_of, streak_name
from cutouts.full_images.place import NOWHERE, Place, place_of
from cutouts.full_images.stamp import WCS_KEYS, Stamp, cut_stamp
from cutouts.names import night_of
from cutouts.nights import COLUMNS, read_metadata, write_table

SAME_SCALE = 0.02
_HEAD = ("catalogue_id", "id", "file", "image", "x", "y", "ra", "dec", "reason", "detail")
_JD_OF_MJD = 2400000.5
_MOST_STRID_DIGITS = 15  # which a number holds


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What became of a row of the catalogue.

    Parameters
    ----------
    id : the streak id; empty where the row tells none.
    file : the picture, relative to the folder; None where there is none, for which `fault` is the reason.
    texts : the row's line in the night's table, by column.
    """

    row: CatalogueRow
    id: str = ""
    place: Place = NOWHERE
    file: str | None = None
    stamp: Stamp | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    fault: CutoutRejected | None = None


def cut_night(
    image: FullImage,
    catalogue: Catalogue,
    out: Path,
    *,
    instrument: Instrument,
    start_mjd: float,
) -> list[Cut]:
    """Write a picture for each row that can be had, a table of metadata, and what became of every row.

    `stamps/stamps_YYYYMMDD/{id}_scimref.png`, `meta/YYYYMMDD/ztf_YYYYMMDD_{image}_streaks.txt`, and
    `{image}_cutouts.csv` with the catalogue's own ids and the WCS of each picture. The same image gives the
    same files again; another's are left as they are. Raises InvalidRequest where no row can be cut: positions
    on the sky without a WCS, a WCS that contradicts the profile, a time out of range, a table of an image of
    the same name.
    """
    _refuse_contradictions(image, catalogue, instrument)
    stem = _stem(image.name) + (f"-{_stem(image.extension)}" if image.extension else "")
    identity = f"{instrument.name}\n{stem}\n{image.sha256}"
    pid = pid_of(start_mjd, identity)
    table, own = out / f"{stem}_cutouts.csv", image_name(pid, identity)
    _refuse_another(table, own)
    cutter = _Cutter(image, catalogue.on_sky, out, instrument, pid, identity, start_mjd)
    cuts = [cutter.cut(row) for row in catalogue.rows]
    _write(table, _as_csv(cuts, own).encode())  # first, as it tells whose the others are
    made = [cut for cut in cuts if cut.file]
    for night in sorted({str(night_of(cut.id)) for cut in made}):
        rows = [cut.texts for cut in made if night_of(cut.id) == night]
        used = [name for name in COLUMNS if any(name in row for row in rows)]
        path = out / "meta" / night / f"ztf_{night}_{stem}_streaks.txt"
        _write(path, write_table(used, rows).encode())
    return cuts


class _Cutter:
    """Cuts one row after the other, each id once."""

    def __init__(
        self,
        image: FullImage,
        on_sky: bool,
        out: Path,
        instrument: Instrument,
        pid: str,
        identity: str,
        start_mjd: float,
    ) -> None:
        self._image, self._on_sky, self._out = image, on_sky, out
        self._instrument, self._start_mjd = instrument, start_mjd
        self._pid, self._identity = pid, identity
        self._seen: dict[str, int] = {}

    def cut(self, row: CatalogueRow) -> Cut:
        """Write the picture of a row; why it can't be written is in what is returned."""
        if row.place is None:
            return Cut(row=row, fault=row.fault)
        pid = row.texts["pid"] if is_pid(row.texts.get("pid", "")) else self._pid
        name = streak_name(row.id, pid, self._identity)
        file = f"stamps/stamps_{night_of(name)}/{name}_scimref.png"
        place = place_of(self._image, row.place, on_sky=self._on_sky)
        try:
            self._refuse_name(row, name)
            stamp = cut_stamp(self._image, *place.pixel, self._instrument)
            texts = self._texts(row, name, place)
            self._keep(file, stamp)
        except CutoutRejected as fault:
            return Cut(row=row, id=name, place=place, fault=fault)
        return Cut(row=row, id=name, place=place, file=file, stamp=stamp, texts=texts)

    def _refuse_name(self, row: CatalogueRow, name: str) -> None:
        if night_of(name) is None:
            raise _rejected("bad_id", f"{name} tells no night; expected a pid of the survey's form")
        first = self._seen.setdefault(name, row.number)
        if first != row.number:
            raise _rejected("duplicate_id", f"row {first} has the id {row.id!r:.80} too; expected it once")

    def _keep(self, file: str, stamp: Stamp) -> None:
        """Write a picture, unless it is there; raises CutoutRejected where there is another."""
        data = io.BytesIO()
        Image.fromarray(stamp.picture).save(data, "PNG")
        path = self._out / file
        if not path.exists():
            _write(path, data.getvalue())
        elif path.read_bytes() != data.getvalue():
            raise _rejected(
                "duplicate_id", f"{file} is there with another picture, and was left; expected another folder"
            )

    def _texts(self, row: CatalogueRow, name: str, place: Place) -> dict[str, str]:
        """A line of the night's table; both ends of a streak are where the row is, unless it tells them."""
        streak, pid = name.removeprefix("strkid").split("_pid")
        exposure_s = self._image.exposure_s or self._instrument.exposure_s
        texts = {
            "jd": f"{self._start_mjd + _JD_OF_MJD:.7f}",
            "startmjd": f"{self._start_mjd:.8f}",
            "endmjd": f"{self._start_mjd + exposure_s / 86400:.8f}",
            "pdiffimfilename": self._image.name.replace("|", "_"),
        }
        if row.id.isascii() and row.id.isdigit() and len(row.id) <= _MOST_STRID_DIGITS:
            texts["strid"] = row.id
        if place.ra is not None:
            texts |= dict.fromkeys(("ra1", "ra2"), f"{place.ra:.7f}")
            texts |= dict.fromkeys(("dec1", "dec2"), f"{place.dec:.7f}")
        texts |= {column: text for column, text in row.texts.items() if text}
        texts |= {"streakid": streak, "pid": pid}
        try:
            read_metadata(texts)
        except InvalidRequest as error:
            raise _rejected("malformed", str(error)) from error
        if any("|" in text for text in texts.values()):
            raise _rejected("malformed", "a text with | in it, which would end its column; expected none")
        return texts


def _refuse_contradictions(image: FullImage, catalogue: Catalogue, instrument: Instrument) -> None:
    sky = image.sky
    if catalogue.on_sky and sky is None:
        raise InvalidRequest(f"the catalogue gives ra and dec, and of {image.name} {image.sky_fault}")
    if sky is not None and abs(sky.scale / instrument.arcsec_per_px - 1) > SAME_SCALE:
        raise InvalidRequest(
            f"{image.name} has {sky.scale:.4g} arcsec/px by its WCS, and the instrument {instrument.name} "
            f"{instrument.arcsec_per_px:g}; name another with --instrument (a profile in config.json)"
        )


def _stem(name: str) -> str:
    """An image's name without its endings, fit to be part of a file's."""
    stem = name.split(".fit", 1)[0] or "image"
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem)[:120]


def _refuse_another(table: Path, own: str) -> None:
    """Raise InvalidRequest where a table of this name does not say that it is of this image."""
    if not table.exists():
        return
    try:
        lines = io.StringIO(table.read_text("utf-8", errors="replace"))
        found = next(csv.DictReader(lines), {}).get("image") or "not told"
    except csv.Error:
        found = "not told"
    if found != own:
        raise InvalidRequest(
            f"{table} is of another image, exposure or instrument ({found:.60}); expected {own}: "
            "name another folder, or remove what is there"
        )


def _write(path: Path, data: bytes) -> None:
    """Write a file that is whole wherever it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def _as_csv(cuts: list[Cut], image: str) -> str:
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow((*_HEAD, *map(str.lower, WCS_KEYS)))
    written.writerows(_csv_row(cut, image) for cut in cuts)
    return text.getvalue()


def _csv_row(cut: Cut, image: str) -> Iterator[str]:
    """Pixels as FITS counts them, from 1."""
    place, fault = cut.place, cut.fault
    yield from (cut.row.id, cut.id, cut.file or "", image)
    yield from ("" if pixel is None else f"{pixel + 1:.3f}" for pixel in (place.x, place.y))
    yield from ("" if angle is None else f"{angle:.7f}" for angle in (place.ra, place.dec))
    yield from (fault.reason, fault.detail) if fault else ("", "")
    wcs = cut.stamp.wcs if cut.stamp else {}
    yield from (f"{v:.10g}" if isinstance(v := wcs.get(key, ""), float) else str(v) for key in WCS_KEYS)


def _rejected(reason: str, detail: str) -> CutoutRejected:
    return CutoutRejected("cut", reason, detail)
