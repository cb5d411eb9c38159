"""`./streaks invite`: writes, lists and withdraws; says what is missing."""

import argparse
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.__main__ import parse
from cli.hosts.admission import Admission
from cli.hosts.invitation import Invitation
from cli.local.secrets import ensure_secrets
from cli.local.servers import embedded_mongo, embedded_redis
from cli.verbs import invite, up
from core.errors import Conflict, InvalidRequest, Misconfigured, Unavailable
from tests.cli.hosts.conftest import OpenService


@pytest.fixture(autouse=True)
def _at_the_service(opened: OpenService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_STATE_DIR", str(opened.settings.state_dir))
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))


def run(*words: str) -> int:
    return invite.run(parse(["invite", *words]))


def test_it_writes_lists_and_withdraws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-o", "gpu1.invitation", "--note", "the new GPU host", "--days", "7", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    file = tmp_path / "gpu1.invitation"
    assert told["file"] == str(file)
    assert Invitation.read(file).name == told["name"]
    assert run("--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["invited"]
    assert [guest["note"] for guest in listed if guest["name"] == told["name"]] == ["the new GPU host"]
    assert run("--withdraw", told["name"]) == 0
    assert run("--list") == 0
    assert told["name"] not in capsys.readouterr().out


def test_a_file_that_cant_be_written_leaves_no_guest(opened: OpenService, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no folder"):
        run("-o", "nowhere/x.invitation", "--note", "never written")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        run("-o", "taken", "--note", "never written")
    with opened.admission() as admission:
        assert "never written" not in [guest.note for guest in admission.guests()]


@pytest.mark.parametrize("name", ["redis_url", "mongo_url"])
def test_a_server_of_ones_own_on_loopback_is_refused_and_leaves_no_guest(
    opened: OpenService, redis_url: str, mongo_url: str, name: str
) -> None:
    given = SecretStr({"redis_url": redis_url, "mongo_url": mongo_url}[name])
    settings = opened.settings.model_copy(update={name: given})
    with (
        Admission(settings, opened.service.record.gateway) as admission,
        pytest.raises(Misconfigured, match=f"DA_{name.upper()} is on this machine's loopback"),
    ):
        admission.invite(note="never admitted", days=1)
    with opened.admission() as admission:
        assert "never admitted" not in [guest.note for guest in admission.guests()]


def test_of_servers_of_ones_own_it_says_that_nobody_can_be_cut_off_from_them(
    opened: OpenService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the embedded ones, named as servers of one's own and by an address that is not called loopback."""
    found = ensure_secrets(opened.settings.state_dir)
    for setting, embedded in (("DA_MONGO_URL", embedded_mongo), ("DA_REDIS_URL", embedded_redis)):
        url = embedded(opened.settings.state_dir, found).url
        monkeypatch.setenv(setting, url.replace("127.0.0.1", "0.0.0.0"))
    assert run("-o", "own.invitation", "--json") == 0
    told = capsys.readouterr()
    assert "it holds the service's own account of DA_MONGO_URL and DA_REDIS_URL" in told.err
    name = json.loads(told.out)["name"]
    assert run("--withdraw", name, "--json") == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["not_cut_off_from"] == ["DA_MONGO_URL", "DA_REDIS_URL"]
    assert f"{name} can't be cut off from DA_MONGO_URL and DA_REDIS_URL" in told.err
    assert "change that password" in told.err


@pytest.mark.parametrize("days", ["0", "-1", "nan", "1e9"])
def test_days_that_mean_nothing_are_refused(days: str) -> None:
    with pytest.raises(InvalidRequest, match="expected more than 0"):
        run(f"--days={days}")


def test_without_a_service_it_says_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="up --listen ADDRESS"):
        run()


def test_a_service_that_runs_elsewhere_is_not_moved(opened: OpenService) -> None:
    args = argparse.Namespace(
        listen="127.0.0.1:9000", name=None, json=False, detach=True, gpus=None, allow_cpu=False
    )
    with pytest.raises(Conflict, match=f"already and listens at {opened.service.record.gateway}"):
        up.run(args)


@pytest.mark.parametrize(
    ("listen", "name", "expected"),
    [
        ("10.0.0.1", None, {"DA_LISTEN": "10.0.0.1"}),
        ("10.0.0.1:9000", None, {"DA_LISTEN": "10.0.0.1", "DA_LISTEN_PORT": "9000"}),
        ("fd00::1", None, {"DA_LISTEN": "fd00::1"}),
        ("[fd00::1]", None, {"DA_LISTEN": "fd00::1"}),
        (
            "[fd00::1]:9000",
            "gpu",
            {"DA_LISTEN": "fd00::1", "DA_LISTEN_PORT": "9000", "DA_LISTEN_NAME": "gpu"},
        ),
        (None, None, {}),
    ],
)
def test_an_address_may_have_a_port(listen: str | None, name: str | None, expected: dict[str, str]) -> None:
    assert up.listening(listen, name) == expected
