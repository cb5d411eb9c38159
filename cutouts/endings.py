"""Whether a file of a night ends as files of its kind do, which one that is still being written does not."""

import re

TAIL_BYTES = 70_000
"""As much of a file's end as tells: a zip's directory may be followed by a comment of 64 KiB."""

_FITS_BLOCK_BYTES = 2880
_TABLE_END = re.compile(rb"\([0-9]+ rows?\)\s*\Z")
_ENDS = {
    (".jpg", ".jpeg"): re.compile(rb"\xff\xd9\0*\Z"),
    (".png",): re.compile(rb"IEND\xaeB`\x82\Z"),
    (".zip",): re.compile(rb"PK\x05\x06"),
    ("_streaks.txt",): _TABLE_END,
    ("_ades.xml",): re.compile(rb"</(\w+:)?ades\s*>\s*\Z"),
}


def ends_well(name: str, size: int, tail: bytes) -> bool:
    """Whether a file of this name and size, with these bytes at its end, may be whole.

    True for kinds whose end tells nothing, such as gzip; an empty file never is.
    """
    lower = name.lower()
    if not size:
        return False
    if lower.endswith((".fits", ".fits.fz")):
        return size % _FITS_BLOCK_BYTES == 0
    for suffixes, end in _ENDS.items():
        if lower.endswith(suffixes):
            return end.search(tail) is not None
    return True
