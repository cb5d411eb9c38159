"""Sessions: what ends them."""

import pytest

from core.errors import NotAuthenticated
from storage.record import Record


def test_a_session_says_whose_it_is_and_is_stored_by_its_digest_alone(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    session = record.sessions.open("olga", days=1)
    assert (record.sessions.user_of(session).name, record.sessions.user_of(session).role) == (
        "olga",
        "operator",
    )
    assert session not in str(list(record.database["sessions"].find()))


@pytest.mark.parametrize("end", ["closed", "expired", "password", "removed", "unknown"])
def test_a_session_ends(record: Record, end: str) -> None:
    record.accounts.add("olga", "a password", "operator")
    session = record.sessions.open("olga", days=-1 if end == "expired" else 1)
    if end == "closed":
        record.sessions.close(session)
    elif end == "password":
        record.accounts.set_password("olga", "another password")
    elif end == "removed":
        record.accounts.remove("olga")
    with pytest.raises(NotAuthenticated):
        record.sessions.user_of("another" if end == "unknown" else session)


def test_a_login_that_overlaps_a_change_of_the_password_is_worth_nothing(record: Record) -> None:
    """The session is put on record after those of the old password were ended."""
    record.accounts.add("olga", "a password", "operator")
    session = record.sessions.open("olga", days=1)
    (late,) = record.database["sessions"].find()
    record.accounts.set_password("olga", "another password")
    record.database["sessions"].insert_one(late)
    with pytest.raises(NotAuthenticated):
        record.sessions.user_of(session)


def test_a_removed_account_that_is_made_again_does_not_revive_a_session(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    session = record.sessions.open("olga", days=1)
    (late,) = record.database["sessions"].find()
    record.accounts.remove("olga")
    record.database["sessions"].insert_one(late)
    record.accounts.add("olga", "a password", "admin")  # the same password has another hash
    with pytest.raises(NotAuthenticated):
        record.sessions.user_of(session)
