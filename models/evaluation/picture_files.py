"""Pictures as files in a folder."""

from collections.abc import Mapping
from pathlib import Path

from core.errors import InvalidRequest


def write_pictures(folder: Path, pictures: Mapping[str, str]) -> list[Path]:
    """Write each SVG under its name and return the files; raises InvalidRequest when that can't be done."""
    files = [folder / f"{name}.svg" for name in pictures]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, picture in zip(files, pictures.values(), strict=True):
            file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(
            f"plots can't be written to {folder}: {error.strerror}; expected a folder"
        ) from error
    return files
