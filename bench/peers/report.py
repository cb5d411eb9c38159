"""`python -m bench.peers.report FILE`: what `bench.peers --json` printed, as a table and a plot in docs."""

import argparse
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from bench.cost import printed
from core.svg import BLUE, GREEN, GREY, ORANGE

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PLOT = "performance.md", "peers.svg"
BEGIN, END = "<!-- bench.peers -->", "<!-- /bench.peers -->"
WIDTH, ROW, LEFT, RIGHT = 680, 24, 290, 600


def main() -> int:
    """Write both; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.report", description=__doc__)
    parser.add_argument("file", type=Path, help="what bench.peers --json printed")
    parser.add_argument("--docs", type=Path, default=DOCS)
    args = parser.parse_args()
    try:
        found = printed(args.file)
    except ValueError as error:
        parser.error(str(error))
    page = args.docs / PAGE
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    if END not in rest:
        parser.error(f"{page} has no {BEGIN} … {END}; expected the place of the table between them")
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{told(found)}\n{END}{after}", "utf-8")
    (args.docs / PLOT).write_text(plot(found["contenders"]), "utf-8")
    return 0


def told(found: dict[str, Any]) -> str:
    """The machine and the table, in Markdown."""
    machine = found["machine"]
    networks = " and ".join(found["networks"])
    what = (
        f"{found['cutouts']} simulated JPEGs through {networks}, {found['precision']}, "
        f"{found['rounds']} rounds; {machine['processor']} with {', '.join(machine['instructions'])}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system'].partition('-with')[0]}, "
        f"Python {machine['python']}."
    )
    lines = [
        "| contender | engine | cutouts/s | of the floor beside it, each round | start of a run, s |"
        " peak MiB | scores off Keras's |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found["contenders"]:
        ratios = ", ".join(f"{ratio:.3f}" for ratio in one["ratios"])
        beside = "1" if one["ratios"] == [1.0] else f"**{one['of_floor']:.3f}** ({ratios})"
        lines.append(
            f"| {one['name']} | {one['engine']} | {one['per_s']:.1f} | {beside} | {one['before_s']:.2f} | "
            f"{one['peak_mib']:,} | {one['difference']:.0e} |"
        )
    lines += ["", *(f"- {one['name']}: {_settings(one)}." for one in found["contenders"] if _has(one))]
    lines += [f"- Not run: {one}." for one in found["missing"]]
    return "\n".join([what, "", *lines, "", f"![cutouts per second of each contender]({PLOT})"])


def plot(contenders: Sequence[dict[str, Any]]) -> str:
    """A bar for each contender, its cutouts/s, as SVG."""
    most = max(one["per_s"] for one in contenders)
    height = ROW * len(contenders) + 40
    parts = [f"<title>{escape('Cutouts per second, rb and sl, into MongoDB')}</title>"]
    for n, one in enumerate(contenders):
        y = ROW * n + 10
        width = (RIGHT - LEFT) * one["per_s"] / most
        name = f"{one['name']} ({one['engine'].partition('-')[0]})"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{ROW - 6}" fill="{_colour(one)}"/>'
        )
        parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 14}">{one["per_s"]:.1f}</text>')
    parts.append(f'<text x="{LEFT}" y="{height - 8}">cutouts/s, median of the rounds</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#6b7078">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _colour(one: dict[str, Any]) -> str:
    kinds = {"bare": GREY, "service": BLUE, "plain": ORANGE}
    return kinds.get(one["name"].split()[0].removesuffix(","), GREEN)


def _has(one: dict[str, Any]) -> bool:
    return bool(set(one["settings"]) - {"reads"})


def _settings(one: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in one["settings"].items())


if __name__ == "__main__":
    sys.exit(main())
