"""Draw the pictures of the documentation: `python docs/make_pictures.py`, from the repository's root."""

import csv
from pathlib import Path

from PIL import Image, ImageDraw

NIGHT = Path("sample/night")
COLUMNS, CELL_PX, LABEL_PX, GAP_PX = 8, 157, 14, 4
PER_KIND = {"short": 8, "short_hard": 8, "long": 8, "masked_star": 8, "blank": 4, "yin_yang": 4}
PER_KIND |= {"ghost": 4, "flash": 2, "cosmic_ray": 2}


def draw_sample_night(night: Path) -> Image.Image:
    """A grid of the night's cutouts, a few of each kind, with the kind below each, in 32 colours."""
    with (night / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = [
        row
        for kind, count in PER_KIND.items()
        for row in [row for row in rows if row["kind"] == kind][:count]
    ]
    lines = -(-len(chosen) // COLUMNS)
    step_x, step_y = CELL_PX + GAP_PX, CELL_PX + LABEL_PX + GAP_PX
    picture = Image.new("RGB", (COLUMNS * step_x + GAP_PX, lines * step_y + GAP_PX), "white")
    pen = ImageDraw.Draw(picture)
    for n, row in enumerate(chosen):
        x, y = GAP_PX + n % COLUMNS * step_x, GAP_PX + n // COLUMNS * step_y
        with Image.open(night / row["file"]) as cutout:
            picture.paste(cutout, (x, y))
        pen.text((x + 2, y + CELL_PX + 1), _label(row), fill="black")
    return picture.quantize(palette=_palette(), dither=Image.Dither.NONE)


def _palette() -> Image.Image:
    """31 greys from black to white, and the red of the end marks."""
    colours = [(level * 255 // 30,) * 3 for level in range(31)] + [(255, 0, 0)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in colours for channel in colour])
    return palette


def _label(row: dict[str, str]) -> str:
    if not row["length_px"]:
        return row["kind"].replace("_", " ")
    length = "" if row["kind"] == "long" else f" {float(row['length_px']):.0f} px"
    return f"{row['kind'].replace('_', ' ')}{length}, {float(row['peak_sigma']):.1f} sigma"


if __name__ == "__main__":
    draw_sample_night(NIGHT).save("docs/sample-night.png", optimize=True)
