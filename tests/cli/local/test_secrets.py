import json
from pathlib import Path

import pytest

from cli.local.secrets import ensure_secrets, given_secrets
from core.errors import Misconfigured
from core.settings import Settings, load_settings


def test_random_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = ensure_secrets(state)
    assert ensure_secrets(state) == first
    assert ensure_secrets(tmp_path / "other").database.admin_password != first.database.admin_password
    assert (state / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert len(first.database.admin_password.get_secret_value()) >= 20


def test_they_have_the_published_shape(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    contents = json.loads((tmp_path / "secrets.json").read_text())
    assert contents["kowalski"].keys() == {"user", "password"}
    assert contents["database"].keys() == {"admin_username", "admin_password"}


def test_the_operators_file_wins_and_is_completed_but_not_changed(tmp_path: Path) -> None:
    given = tmp_path / "secrets.json"
    database = {"admin_username": "me", "admin_password": "mine"}
    text = json.dumps({"database": database, "kowalski": {"user": "u", "password": "p"}})
    given.write_text(text)
    secrets = ensure_secrets(tmp_path / "state", given=given)
    assert (secrets.database.admin_username, secrets.database.admin_password.get_secret_value()) == (
        "me",
        "mine",
    )
    assert secrets.kowalski.user == "u"
    assert secrets.redis_password is not None
    assert secrets.flower is not None
    assert ensure_secrets(tmp_path / "state", given=given) == secrets
    assert given.read_text() == text


@pytest.mark.parametrize(
    "text", ["not json", "{}", '{"database": {"admin_username": "me", "admin_password": ""}}', "[]"]
)
def test_a_malformed_or_empty_file_is_refused_without_being_quoted(tmp_path: Path, text: str) -> None:
    given = tmp_path / "secrets.json"
    given.write_text(text)
    with pytest.raises(Misconfigured, match=r"secrets\.json"):
        ensure_secrets(tmp_path / "state", given=given)


def test_a_file_that_was_named_and_is_absent_is_a_fault(tmp_path: Path) -> None:
    named = load_settings(secrets_file=tmp_path / "absent.json")
    with pytest.raises(Misconfigured, match=r"absent\.json"):
        ensure_secrets(tmp_path / "state", given=given_secrets(named))


def test_without_a_file_none_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DA_SECRETS_FILE", raising=False)
    assert given_secrets(Settings()) is None
    (tmp_path / "secrets.json").write_text("{}")
    assert given_secrets(Settings()) == Path("secrets.json")
