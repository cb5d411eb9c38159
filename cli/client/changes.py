"""Calls about what one version changes against another."""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.client.transport import STREAM_S, Json, Transport


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two versions on a job's cutouts, or on those that a filter is true of, or on all.

    Without a `threshold` each version decides by its own.
    """

    before: str
    after: str
    job: str | None = None
    text: str = ""
    threshold: float | None = None

    @property
    def path(self) -> str:
        """Where it is answered."""
        return "/v1/cutouts/changes" if self.job is None else f"/v1/jobs/{self.job}/changes"

    @property
    def params(self) -> dict[str, str]:
        """What it is asked with."""
        params = {"before": self.before, "after": self.after}
        params |= {} if self.threshold is None else {"threshold": str(self.threshold)}
        return params | ({"filter": self.text} if self.job is None else {})


@dataclass(frozen=True)
class Changes:
    """What a comparison finds."""

    _transport: Transport

    def counted(self, asked: Comparison) -> Json:
        """Deltas of the scores, flipped decisions and the most changed cutouts."""
        return self._transport.ask("GET", asked.path, params=asked.params, answer_s=STREAM_S)

    def page(self, asked: Comparison) -> Iterator[bytes]:
        """The same with charts and pictures, as one HTML file; raises Unavailable where it breaks off."""
        return self._transport.stream(asked.path, {**asked.params, "format": "html"})
