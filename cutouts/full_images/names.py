"""Names of the survey's form for cutouts of other images, so that nights, tables and filters know them."""

import hashlib

from core.errors import InvalidRequest
from cutouts.names import streak_id

_PID_EPOCH_MJD = 57754.0  # 2017-01-01
_MOST_DIGITS, _IMAGE_DIGITS, _TEXT_DIGITS = 40, 12, 10
_FIRST_CHANNEL, _CHANNELS = 65, 35  # above the survey's own 64


def pid_of(start_mjd: float, image: str) -> str:
    """The name of an image in the survey's form: days since 2017-01-01, 1e-5 of a day, two digits, and 15.

    The two digits, 65 to 99, stand for `image`, which no other has. Raises InvalidRequest for a time before
    2017 or after 2290.
    """
    moment = round((start_mjd - _PID_EPOCH_MJD) * 100_000)
    if not 0 <= moment < 100_000 * 100_000:
        raise InvalidRequest(f"an exposure at MJD {start_mjd:g}; expected {_PID_EPOCH_MJD:g} to 157754")
    channel = _FIRST_CHANNEL + _hashed(image) % _CHANNELS
    day, fraction = divmod(moment, 100_000)
    return f"{day:03d}{fraction:05d}{channel}15"


def is_pid(text: str) -> bool:
    """Whether a text may be a pid."""
    return text.isascii() and text.isdigit() and 8 <= len(text) <= 40


def image_name(pid: str, image: str) -> str:
    """The pid, which images of one exposure may share, and twelve digits for `image`, which no other has."""
    return f"{pid}{_hashed(image) // _CHANNELS % 10**_IMAGE_DIGITS:0{_IMAGE_DIGITS}d}"


def streak_name(own: str, pid: str, image: str) -> str:
    """The streak id of a candidate: its own where it has that form, else one made of its own and the image's.

    10 to 40 digits take the place of the streakid; fewer follow the image's name, as the survey's index
    follows its pid; a text is hashed to ten digits, so that the whole has the 35 that ADES has room for.
    """
    if streak_id(own) == own:
        return own
    if own.isascii() and own.isdigit() and len(own) <= _MOST_DIGITS:
        index = own.zfill(4)
    else:
        index = f"{_hashed(own) % 10**_TEXT_DIGITS:0{_TEXT_DIGITS}d}"
    whole = own if index == own and len(own) >= 10 else (image_name(pid, image) + index)[-_MOST_DIGITS:]
    return f"strkid{whole}_pid{pid}"


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])
