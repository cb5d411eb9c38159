"""The places that the top of every page leads to."""

from dataclasses import dataclass

from core.user import Role


@dataclass(frozen=True)
class Place:
    """A page and those below it; `key`, after `g`, goes there."""

    path: str
    title: str
    key: str
    role: Role = "viewer"

    def holds(self, path: str) -> bool:
        """Whether a path is this page or below it."""
        return path == self.path or path.startswith(f"{self.path}/")


NAVIGATION = (
    Place("/tonight", "Tonight", "t"),
    Place("/results", "Results", "r"),
    Place("/projects", "Labelling", "l"),
    Place("/jobs", "Jobs", "j"),
    Place("/models", "Models", "m"),
    Place("/workers", "Workers", "w"),
    Place("/accounts", "Accounts", "a", role="admin"),
)
