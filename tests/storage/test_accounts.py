"""Accounts and tokens: what opens the door, and what no longer does."""

import json

import pytest

from core.errors import Conflict, InvalidRequest, NotAuthenticated
from storage.record import Record


def test_a_token_says_whose_it_is(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    user = record.accounts.proof_of(record.accounts.log_in("olga", "a password", days=1)).user
    assert (user.name, user.role) == ("olga", "operator")


@pytest.mark.parametrize(("name", "password"), [("olga", "wrong"), ("nobody", "a password"), ("olga", "")])
def test_a_wrong_name_or_password_opens_nothing(record: Record, name: str, password: str) -> None:
    record.accounts.add("olga", "a password", "operator")
    with pytest.raises(NotAuthenticated, match="wrong user name or password"):
        record.accounts.log_in(name, password, days=1)


def test_a_name_is_given_once(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    with pytest.raises(Conflict, match="olga"):
        record.accounts.add("olga", "another password", "admin")


def test_a_token_ends(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    expired = record.accounts.log_in("olga", "a password", days=-1)
    revoked = record.accounts.log_in("olga", "a password", days=1)
    record.accounts.revoke_token(revoked)
    for token in (expired, revoked, "da_unknown", ""):
        with pytest.raises(NotAuthenticated, match="unknown, expired or revoked"):
            record.accounts.proof_of(token)


def test_only_its_owner_revokes_a_token_by_its_id(record: Record) -> None:
    for name in ("olga", "vera"):
        record.accounts.add(name, "a password", "viewer")
    token = record.accounts.log_in("olga", "a password", days=1)
    (info,) = record.accounts.tokens_of("olga")
    assert not record.accounts.revoke("vera", info.id)
    assert record.accounts.proof_of(token)
    assert record.accounts.revoke("olga", info.id)
    assert not record.accounts.revoke("olga", info.id)


def test_the_administrators_tokens_end_with_their_password(record: Record) -> None:
    record.accounts.ensure_admin("admin", "first")
    token = record.accounts.log_in("admin", "first", days=1)
    record.accounts.ensure_admin("admin", "first")
    assert record.accounts.proof_of(token).user.role == "admin"
    record.accounts.ensure_admin("admin", "second")
    with pytest.raises(NotAuthenticated):
        record.accounts.proof_of(token)
    assert record.accounts.log_in("admin", "second", days=1)


@pytest.mark.parametrize("change", ["password", "the same password", "made again"])
def test_a_login_that_overlaps_a_change_of_the_password_opens_nothing(record: Record, change: str) -> None:
    record.accounts.add("olga", "a password", "operator")
    kept = record.accounts.proof_of(record.accounts.log_in("olga", "a password", days=1))
    proof = record.accounts.check("olga", "a password")
    if change == "made again":
        record.accounts.remove("olga")
        record.accounts.add("olga", "a password", "admin")
    else:
        record.accounts.set_password("olga", "a password" if change.startswith("the") else "another password")
    for late in (proof, kept):
        with pytest.raises(NotAuthenticated):
            record.accounts.proof_of(record.accounts.issue(late, days=1).token)
        with pytest.raises(NotAuthenticated):
            record.sessions.proof_of(record.sessions.open(late, days=1))
        with pytest.raises(NotAuthenticated, match="changed meanwhile"):
            record.accounts.set_password("olga", "a password of a thief", proof=late)


def test_ones_own_password_is_changed_on_proof_of_the_old_one(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    record.accounts.set_password(
        "olga", "another password", proof=record.accounts.check("olga", "a password")
    )
    assert record.accounts.check("olga", "another password").user.role == "operator"


def test_neither_a_password_nor_a_token_is_stored(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    token = record.accounts.log_in("olga", "a password", days=1)
    stored = json.dumps([list(record.database[name].find()) for name in ("users", "tokens")], default=str)
    assert "a password" not in stored
    assert token not in stored
    assert "$argon2id$" in stored


def test_the_last_administrator_stays(record: Record) -> None:
    record.accounts.add("anna", "a password", "admin")
    record.accounts.add("olga", "a password", "operator")
    with pytest.raises(Conflict, match="last administrator"):
        record.accounts.remove("anna")
    with pytest.raises(Conflict, match="last administrator"):
        record.accounts.set_role("anna", "viewer")
    assert record.accounts.set_role("olga", "admin") == "operator"
    record.accounts.remove("anna")
    assert [(user.name, user.role) for user in record.accounts.all()] == [("olga", "admin")]


@pytest.mark.parametrize("name", ["", "a b", "-a", "../x", "<script>", "a" * 65, "\u202eolga", "ölga"])
def test_a_name_that_is_none_is_refused(record: Record, name: str) -> None:
    with pytest.raises(InvalidRequest, match="user name"):
        record.accounts.add(name, "a password", "viewer")


def test_a_short_password_is_refused_and_not_quoted(record: Record) -> None:
    with pytest.raises(InvalidRequest, match="5 characters") as refused:
        record.accounts.add("olga", "short", "viewer")
    assert "'short'" not in str(refused.value)


def test_a_token_may_do_no_more_than_its_scope_and_its_owner(record: Record) -> None:
    record.accounts.add("anna", "a password", "admin")
    record.accounts.add("olga", "a password", "admin")
    proof = record.accounts.check("olga", "a password")
    narrow = record.accounts.issue(proof, days=1, scope="labeller").token
    wide = record.accounts.issue(proof, days=1, scope="admin").token
    assert record.accounts.proof_of(narrow).user.role == "labeller"
    record.accounts.set_role("olga", "viewer")
    assert {record.accounts.proof_of(token).user.role for token in (narrow, wide)} == {"viewer"}


def test_a_token_made_with_a_token_ends_with_it_at_the_latest_and_may_do_no_more(record: Record) -> None:
    record.accounts.add("olga", "a password", "operator")
    brief = record.accounts.issue(record.accounts.check("olga", "a password"), days=1, scope="viewer")
    child = record.accounts.issue(record.accounts.proof_of(brief.token), days=3660)
    briefer = record.accounts.issue(record.accounts.proof_of(brief.token), days=0.5)
    assert record.accounts.proof_of(child.token).user.role == "viewer"
    assert briefer.expires < child.expires <= brief.expires


def test_an_account_has_only_so_many_tokens(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.accounts.MOST_TOKENS", 3)
    record.accounts.add("olga", "a password", "operator")
    proof = record.accounts.check("olga", "a password")
    kept = [record.accounts.issue(proof, days=1, scope="viewer").token for _ in range(3)]
    with pytest.raises(Conflict, match="revoke some"):
        record.accounts.issue(proof, days=1, scope="viewer")
    logins = [record.accounts.issue(proof, days=1).token for _ in range(5)]  # a script that logs in each time
    for token in (*kept, *logins[2:]):
        assert record.accounts.proof_of(token)
    for token in logins[:2]:
        with pytest.raises(NotAuthenticated):
            record.accounts.proof_of(token)
    assert record.accounts.revoke_token(kept[0]) is not None
    assert record.accounts.issue(proof, days=1, scope="viewer")
