"""`./streaks cut IMAGE.fits --catalog TABLE`: cutouts around known places of a full difference image."""

import argparse
from collections import Counter
from typing import Any

from cli.caller import from_caller
from cli.exit_codes import Exit
from cli.output import emit, say
from cli.tables import count
from core.errors import InvalidRequest
from core.instrument import DEFAULT_INSTRUMENT
from core.settings import load_settings
from cutouts.full_images import Cut, cut_night, mjd_of, open_full_image, read_catalogue
from cutouts.instruments import find_instrument

_MEANT = ("id", "x", "y", "ra", "dec")
_MOST_NAMED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the image, the catalogue, and how both are meant."""
    parser.add_argument("image", metavar="IMAGE", help="a difference image: .fits, .fits.gz or .fits.fz")
    parser.add_argument(
        "--catalog",
        required=True,
        metavar="TABLE",
        help="CSV, tabs, | or FITS: a column id, and x and y (FITS pixels, from 1) or ra and dec (degrees)",
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUT", help="a folder, made if it does not exist"
    )
    parser.add_argument(
        "--instrument", metavar="NAME", default=DEFAULT_INSTRUMENT, help="ztf, or a profile in the settings"
    )
    parser.add_argument("--extension", metavar="NAME|N", help="which image of a file that has several")
    parser.add_argument(
        "--columns", metavar="id=NAME,x=NAME…", default="", help="what the catalogue calls id, x, y, ra, dec"
    )
    parser.add_argument("--on-sky", action="store_true", help="take ra and dec where x and y are there too")
    parser.add_argument("--from-zero", action="store_true", help="x and y of the first pixel are 0, not 1")
    parser.add_argument(
        "--exposed", metavar="TIME", help="when the exposure began, UTC, if the header does not tell"
    )


def run(args: argparse.Namespace) -> int:
    """Write the folder; rows that give no cutout are named with the reason."""
    settings = load_settings()
    instrument = find_instrument(args.instrument, settings.instruments)
    out = from_caller(args.out)
    catalogue = read_catalogue(
        from_caller(args.catalog),
        columns=_columns(args.columns),
        on_sky=True if args.on_sky else None,
        first_pixel=0 if args.from_zero else 1,
    )
    most = settings.limits.unpacked_bytes
    with open_full_image(from_caller(args.image), extension=args.extension, max_bytes=most) as image:
        start_mjd = mjd_of(args.exposed) if args.exposed else image.start_mjd
        if start_mjd is None:
            raise InvalidRequest(
                f"{image.name}: {image.time_fault}; say when it was exposed with --exposed "
                "2026-11-20T03:12:45 (UTC)"
            )
        if image.sky is None:
            say(f"{image.name}: {image.sky_fault}; its cutouts get no positions")
        cuts = cut_night(image, catalogue, out, instrument=instrument, start_mjd=start_mjd)
    made = sum(cut.file is not None for cut in cuts)
    _tell(cuts)
    say(f"{count(made, 'cutout')} of {len(cuts):,} in {out}; ./streaks nights ingest {args.out} scores them")
    if args.json:
        emit(
            {"out": str(out), "cut": made, "rejected": len(cuts) - made, "rows": [_as_json(c) for c in cuts]}
        )
    return Exit.OK if made == len(cuts) else Exit.REJECTIONS


def _columns(text: str) -> dict[str, str]:
    """`id=NUMBER,ra=RA_DEG` as a mapping; raises InvalidRequest for other words."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    wrong = next((f"{k}{eq}{v}" for k, eq, v in pairs if k.strip() not in _MEANT or not v.strip()), None)
    if wrong is not None:
        raise InvalidRequest(
            f"--columns {wrong!r:.80}; expected some of {', '.join(f'{m}=NAME' for m in _MEANT)}"
        )
    return {key.strip(): value.strip() for key, _, value in pairs}


def _tell(cuts: list[Cut]) -> None:
    faults = [(cut.row, cut.fault) for cut in cuts if cut.fault is not None]
    for row, fault in faults[:_MOST_NAMED]:
        say(f"row {row.number} ({row.id or 'no id'}): {fault.reason}, {fault.detail}")
    if len(faults) > _MOST_NAMED:
        reasons = Counter(fault.reason for _, fault in faults)
        told = ", ".join(f"{n:,} {reason}" for reason, n in reasons.most_common())
        say(f"… {count(len(faults), 'row')} without a cutout in all: {told}; OUT/…_cutouts.csv has each")


def _as_json(cut: Cut) -> dict[str, Any]:
    fault = cut.fault and {"reason": cut.fault.reason, "detail": cut.fault.detail}
    x, y = (None if pixel is None else pixel + 1 for pixel in (cut.place.x, cut.place.y))
    place = {"x": x, "y": y, "ra": cut.place.ra, "dec": cut.place.dec}
    return {"catalogue_id": cut.row.id, "id": cut.id, "file": cut.file, **place, "rejection": fault}
