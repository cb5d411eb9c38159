"""A model version as it is sent: a zip of its card and its weights."""

import io
import zipfile
import zlib

from core.errors import InvalidRequest, TooLarge
from core.model_card import ModelCard

MEMBERS = {"card.json": 2**20, "weights.npz": 2**28}
"""What the zip holds, and how many bytes each may have."""
LARGEST_ARCHIVE = sum(MEMBERS.values()) + 2**16

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_archive(data: bytes) -> tuple[ModelCard, bytes]:
    """The card and the weights; that these are the card's, the registry checks.

    Raises InvalidRequest for anything but a zip of exactly those two, TooLarge above their limits, and
    pydantic's ValidationError for a card that is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            if sizes.keys() != MEMBERS.keys() or len(archive.infolist()) != len(MEMBERS):
                raise InvalidRequest(
                    f"a zip of {', '.join(sorted(sizes)[:5]) or 'nothing'}; expected {' and '.join(MEMBERS)}"
                )
            if any(m.compress_type not in _METHODS for m in archive.infolist()):
                raise InvalidRequest("a zip of another compression; expected stored or deflated members")
            for name, most in MEMBERS.items():
                if sizes[name] > most:
                    raise TooLarge(f"{name} has {sizes[name]} bytes; expected at most {most}")
            card, weights = (archive.read(name) for name in MEMBERS)
    except (
        zlib.error,
        zipfile.BadZipFile,
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise InvalidRequest(f"{len(data)} bytes that are no readable zip: {error}") from error
    return ModelCard.model_validate_json(card), weights
