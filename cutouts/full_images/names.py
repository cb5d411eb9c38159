"""Names of the survey's form for cutouts of other images, so that nights, tables and filters know them."""

import hashlib

from core.errors import InvalidRequest
from cutouts.names import streak_id

_PID_EPOCH_MJD = 57754.0  # 2017-01-01
_FIRST_CHANNEL, _CHANNELS = 65, 35  # above the survey's own 64


def pid_of(start_mjd: float, instrument: str, image: str) -> str:
    """The name of an image in the survey's form: days since 2017-01-01, 1e-5 of a day, two digits, and 15.

    The two digits, 65 to 99, stand for the instrument and the image. Raises InvalidRequest for a time before
    2017 or after 2290.
    """
    moment = round((start_mjd - _PID_EPOCH_MJD) * 100_000)
    if not 0 <= moment < 100_000 * 100_000:
        raise InvalidRequest(f"an exposure at MJD {start_mjd:g}; expected {_PID_EPOCH_MJD:g} to 157754")
    channel = _FIRST_CHANNEL + _hashed(f"{instrument}\n{image}") % _CHANNELS
    day, fraction = divmod(moment, 100_000)
    return f"{day:03d}{fraction:05d}{channel}15"


def is_pid(text: str) -> bool:
    """Whether a text may be a pid."""
    return text.isascii() and text.isdigit() and 8 <= len(text) <= 40


def streak_name(own: str, pid: str) -> str:
    """The streak id of a candidate: its own where it has that form, else one made of its own and the image's.

    10 to 40 digits take the place of the streakid, fewer follow the pid, as the survey's index does; a text
    is hashed to twelve digits.
    """
    if streak_id(own) == own:
        return own
    if own.isascii() and own.isdigit() and len(own) <= 40:
        return f"strkid{own if len(own) >= 10 else pid + own.zfill(4)}_pid{pid}"
    return f"strkid{pid}{_hashed(own) % 10**12:012d}_pid{pid}"


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
