"""Metadata of a small night, by number."""

from cutouts.simulator.metadata import COLUMNS
from cutouts.simulator.metadata import table as simulated_table

NIGHT = "20181106"
PID = "674093830415"
ID = f"strkid{PID}0000_pid{PID}"

ADES = b"""<?xml version="1.0" encoding="UTF-8"?>
<ades version="2017"><obsBlock>
  <obsContext><observatory><mpcCode>I41</mpcCode></observatory><comment/></obsContext>
  <obsData>
    <optical><trkSub>a1</trkSub><obsTime>2018-11-06T09:22:53Z</obsTime><ra>215.6560501</ra></optical>
    <optical><trkSub>a1</trkSub><obsTime>2018-11-06T09:23:23Z</obsTime><ra>215.6561</ra></optical>
  </obsData>
</obsBlock></ades>
"""


def streak(n: int) -> str:
    """The id of the night's n-th streak."""
    return f"strkid{PID}{n:04}_pid{PID}"


def metadata(n: int, **changes: str) -> dict[str, str]:
    """The n-th streak's values by column, as in a table."""
    values = {name: f"{n + i / 10:.4f}" for i, name in enumerate(COLUMNS)}
    values |= {"pid": PID, "streakid": f"{PID}{n:04}", "jd": "2458428.59383", "programpi": "Simulated"}
    values |= {"ra1": "10.0", "ra2": "10.002", "dec1": "-5.0", "dec2": "-5.0"}
    values |= {"pdiffimfilename": f"ztf_{PID}_scimrefdiffimg.fits", "fid": "2", "strid": str(n)}
    values |= {"startmjd": "58428.0938", "endmjd": "58428.0942"}
    return values | changes


def table(rows: list[dict[str, str]]) -> str:
    """The text of a table."""
    return simulated_table(rows)
