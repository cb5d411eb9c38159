"""What one version changes against another, as one file that needs nothing else."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from api.services import Services
from api.web.assets import asset_text
from api.web.rendering import rendered
from core.errors import CutoutRejected, ServiceError
from core.instrument import DEFAULT_INSTRUMENT
from core.svg import BLUE, GREY, Area, Axis, Cells, Chart, Line, Mark, render
from cutouts.decode import DecodeLimits
from cutouts.instruments import find_instrument
from cutouts.thumbnail import thumbnail
from storage.score_changes import ScoreChanges
from storage.score_pairs import Change

_FEWEST = 0.5  # where an axis of counts in decades begins


@dataclass(frozen=True)
class ShownChange:
    """A change, and its cutout's picture as a data URI; or, `without` one, why."""

    change: Change
    picture: str | None = None
    without: str = ""


def changes_page(services: Services, found: ScoreChanges, *, subject: str, at: datetime) -> HTMLResponse:
    """The page, to be kept as a file: styles, charts and pictures are in it, and it may load and run nothing.

    `subject` says on which cutouts, `at` when this was counted.
    """
    style = asset_text("site.css") + asset_text("changes.css")
    policy = _policy(style)
    card = services.record.models.get(found.after)
    pictures = _Pictures(services)
    return rendered(
        "score_changes.html",
        user=None,
        headers={
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "Content-Disposition": f'attachment; filename="{found.after}-against-{found.before}.html"',
            "Vary": "Accept",
        },
        found=found,
        subject=subject,
        at=at,
        classes=("0", "1") if card is None else card.classes,
        style=_as_it_is(style),
        policy=policy,
        deltas=_as_it_is(_deltas(found)),
        scores=_as_it_is(_scores(found)),
        most=pictures.of(found.most_changed),
        to_1=pictures.of(found.most_to_1),
        to_0=pictures.of(found.most_to_0),
    )


def _as_it_is(ours: str) -> Markup:
    """A style of ours, or a chart, whose words were escaped as it was drawn."""
    return Markup(ours)  # noqa: S704


def _policy(style: str) -> str:
    digest = b64encode(sha256(style.encode()).digest()).decode()
    allowed = ("default-src 'none'", "img-src data:", f"style-src 'sha256-{digest}'")
    return "; ".join((*allowed, "form-action 'none'", "base-uri 'none'"))


def _deltas(found: ScoreChanges) -> str:
    """How many cutouts moved how far; counts in decades."""
    width = 2 / len(found.histogram)
    steps = [
        (width * (n + end) - 1, max(_FEWEST, float(count)))
        for n, count in enumerate(found.histogram)
        for end in (0, 1)
    ]
    y = Axis("cutouts per bin", _FEWEST, 2.0 * max(1, *found.histogram), log=True)
    x = Axis("score after minus score before", -1, 1)
    chart = Chart(f"Deltas of {found.after} against {found.before}", x, y, [Area("", steps, BLUE)])
    return render(chart, alone=False)


def _scores(found: ScoreChanges) -> str:
    """How many cutouts have which score by one and which by the other, and both thresholds."""
    was, now = found.thresholds
    series: list[Mark] = [
        Cells("cutouts, the denser the more", found.grid, BLUE),
        Line("no change", [(0, 0), (1, 1)], GREY, faint=True),
        Line("", [(was, 0), (was, 1)], GREY),
        Line("thresholds", [(0, now), (1, now)], GREY),
    ]
    x, y = (Axis(f"score by {version}", 0, 1) for version in (found.before, found.after))
    return render(Chart(f"Scores by {found.after} and by {found.before}", x, y, series), alone=False)


class _Pictures:
    """Pictures of cutouts, each made once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._made: dict[str, ShownChange] = {}

    def of(self, changes: Sequence[Change]) -> list[ShownChange]:
        """Each change with its picture."""
        for change in changes:
            if change.cutout not in self._made:
                self._made[change.cutout] = self._shown(change)
        return [self._made[change.cutout] for change in changes]

    def _shown(self, change: Change) -> ShownChange:
        try:
            picture = self._picture(change.cutout)
        except CutoutRejected as error:
            return ShownChange(change, without=error.reason)
        except ServiceError as error:
            return ShownChange(change, without=str(error))
        if picture is None:
            return ShownChange(change, without="its bytes are not stored here")
        return ShownChange(change, f"data:image/jpeg;base64,{b64encode(picture).decode()}")

    def _picture(self, cutout: str) -> bytes | None:
        record = self._services.record
        document = record.cutouts.get(cutout) or {}
        sha256 = document.get("sha256")
        if sha256 is None or sha256 not in record.blobs:
            return None
        name = document.get("instrument", DEFAULT_INSTRUMENT)
        instrument = find_instrument(name, self._services.settings.instruments)
        limits = DecodeLimits.of(self._services.settings.limits)
        return thumbnail(record.blobs.get(sha256), instrument=instrument, limits=limits)
