"""Sessions: what ends them."""

import pytest

from core.errors import NotAuthenticated
from storage.record import Record


def test_a_session_says_whose_it_is_and_is_stored_by_its_digest_alone(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    session = record.sessions.open(record.accounts.check("olga", "a password"), days=1)
    assert (record.sessions.proof_of(session).user.name, record.sessions.proof_of(session).user.role) == (
        "olga",
        "operator",
    )
    assert session not in str(list(record.database["sessions"].find()))


@pytest.mark.parametrize("end", ["closed", "expired", "password", "removed", "unknown"])
def test_a_session_ends(record: Record, end: str) -> None:
    record.accounts.add("olga", "a password", "operator")
    session = record.sessions.open(
        record.accounts.check("olga", "a password"), days=-1 if end == "expired" else 1
    )
    if end == "closed":
        record.sessions.close(session)
    elif end == "password":
        record.accounts.set_password("olga", "another password")
    elif end == "removed":
        record.accounts.remove("olga")
    with pytest.raises(NotAuthenticated):
        record.sessions.proof_of("another" if end == "unknown" else session)
