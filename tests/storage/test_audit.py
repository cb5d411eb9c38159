"""The audit log, read page by page."""

from datetime import UTC, datetime

import pytest

from core.errors import InvalidRequest
from storage.audit import AuditEntry
from storage.record import Record


def test_pages_of_the_log_are_everything_once_newest_first(record: Record) -> None:
    moment = datetime(2026, 11, 1, 0, 0, 0, 789_000, tzinfo=UTC)
    acts = [
        {"what": "login" if n % 3 else "role", "who": f"u{n}", "at": moment.replace(second=n // 4), "n": n}
        for n in range(20)
    ]
    record.database["audit"].insert_many(acts)  # four of each second

    def walk(what: str | None) -> list[AuditEntry]:
        found: list[AuditEntry] = []
        before: str | None = None
        while True:
            page = record.audit.read(limit=3, what=what, before=before)
            found += page.entries
            if page.next is None:
                return found
            before = page.next

    assert [entry.more["n"] for entry in walk(None)] == list(range(19, -1, -1))
    assert [entry.more["n"] for entry in walk("role")] == list(range(18, -1, -3))
    assert walk("nothing") == []
    assert record.audit.kinds() == ["login", "role"]
    assert walk(None)[0] == AuditEntry("login", "u19", moment.replace(second=4), {"n": 19})


@pytest.mark.parametrize("place", ["", "x", "1.2", "٣.", "9" * 60 + "." + "0" * 24, "-1." + "0" * 24])
def test_a_place_that_no_page_told_is_refused(record: Record, place: str) -> None:
    with pytest.raises(InvalidRequest, match="place"):
        record.audit.read(limit=3, before=place)
