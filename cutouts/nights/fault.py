"""What is wrong with a file of a night, or with one line of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A file or a line that was not joined, and why.

    Parameters
    ----------
    name : of the file, from the layout's folder on.
    line : its number from 1; None for the whole file.
    reason : a stable word for programs: malformed, conflict, other_night, unreadable, no_footer…
    detail : what came and what was expected, for people.
    """

    name: str
    line: int | None
    reason: str
    detail: str
