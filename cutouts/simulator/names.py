"""Names and numbers as the survey gives them."""

from dataclasses import dataclass
from datetime import date, timedelta

FIRST_DAY = date(2017, 1, 1)
FIRST_DAY_JD = 2457754.5
"""The Julian date at 0 h UTC of the first day."""

CHANNELS = 64


@dataclass(frozen=True, slots=True)
class Exposure:
    """One readout channel of one exposure: days since 2017-01-01, its fraction in 1e-5, and the channel."""

    day: int
    fraction: int
    channel: int

    @property
    def pid(self) -> str:
        """Day (3 or more digits), fraction (5), channel (2) and 15; a string, since it outgrew 2^53."""
        return f"{self.day:03d}{self.fraction:05d}{self.channel:02d}15"

    @property
    def jd(self) -> float:
        """The Julian date at its start, UTC."""
        return FIRST_DAY_JD + self.day + self.fraction * 1e-5

    def streakid(self, index: int) -> str:
        """The id of the exposure's streak of this index, 0 to 9999."""
        return f"{self.pid}{index:04d}"

    def document_id(self, index: int) -> str:
        """The predecessors' id of a streak's document."""
        return f"strkid{self.streakid(index)}_pid{self.pid}"


def day_of(night: str) -> int:
    """Days since 2017-01-01 of a night, `YYYYMMDD`; raises ValueError when malformed."""
    return (date.fromisoformat(f"{night[:4]}-{night[4:6]}-{night[6:]}") - FIRST_DAY).days


def night_of(day: int) -> str:
    """The night, `YYYYMMDD`, of a number of days since 2017-01-01."""
    return (FIRST_DAY + timedelta(days=day)).strftime("%Y%m%d")
