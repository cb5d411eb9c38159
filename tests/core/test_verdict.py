"""Which of several verdicts stands."""

from datetime import UTC, datetime, timedelta

from core.verdict import Verdict, Word, standing

START = datetime(2026, 11, 26, tzinfo=UTC)


def event(n: int, word: Word, *, undoes: int | None = None) -> Verdict:
    at = START + timedelta(seconds=n)
    return Verdict(str(n), "c", word, "somebody", at, undoes=None if undoes is None else str(undoes))


def test_the_last_one_stands_that_nobody_has_undone() -> None:
    events = [event(1, "accepted"), event(2, "rejected"), event(3, "accepted")]
    assert standing([]) is None
    assert standing(events) == events[2]
    assert standing([*events, event(4, "undone", undoes=3)]) == events[1]
    assert standing([*events, event(4, "undone", undoes=1)]) == events[2]
    undone = [*events, *(event(4 + n, "undone", undoes=n) for n in (1, 2, 3))]
    assert standing(undone) is None
    assert standing([*undone, event(9, "rejected")]) == event(9, "rejected")
