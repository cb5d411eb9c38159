"""A report of two observations; `python -m tests.core.ades.sample FILE.xml` (or FILE.psv) writes it."""

import sys
from pathlib import Path
from typing import Any

from core.ades import FORMS, Form, Report, observations
from core.station import Station

STATION = Station(
    mpc_code="I41",
    observatory="Palomar Mountain--ZTF",
    submitter="A. N. Observer",
    institution="An Institute",
    observers=("A. N. Observer",),
    measurers=("N. Ames & <Co>", "É. Autre"),
    design="Schmidt",
    aperture_m=1.22,
    detector="CCD",
    pixel_arcsec=1.01,
    astrometric_catalogue="Gaia2",
)
STREAK: dict[str, Any] = {
    "_id": "strkid6740900221150000_pid674090022115",
    "streakid": "6740900221150000",
    "ra": 146.9014115,
    "dec": -9.51680985,
    "startmjd": 58428.09002,
    "endmjd": 58428.09036722,
    "length": 8.6673,
    "rb": 0.9731,
    "sl": 0.99,
    "versions": {"rb": "rb@3", "sl": "sl@2"},
}
_OWN = {
    "trkSub": "theirs",
    "obsTime": "2018-11-06T02:09:37.73Z",
    "ra": "146.9",
    "dec": "+9.5",
    "rmsRA": "0.11",
    "rmsDec": "0.12",
    "astCat": "Gaia1",
    "mag": "19.2",
    "rmsMag": "0.2",
    "band": "r",
    "notes": "K",
}
MEASURED = STREAK | {
    "_id": "coarse:" + 8 * "0123456789abcdef",
    "ades": {"obsBlock": {"obsData": {"optical": _OWN}}},
}


def report() -> Report:
    """One streak by its middle, one by its survey's measurement."""
    found = [*observations(STREAK, STATION), *observations(MEASURED, STATION)]
    return Report(STATION, found, ["a line |  another"])


if __name__ == "__main__":
    path = Path(sys.argv[1])
    form: Form = "psv" if path.suffix == ".psv" else "xml"
    path.write_bytes(FORMS[form][1](report()))
