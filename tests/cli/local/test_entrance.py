"""Where other hosts enter: only at an address that can be told, on ports that are free."""

import socket
from pathlib import Path

import pytest

from cli.local.authority import Authority
from cli.local.entrance import Entrance
from core.errors import Misconfigured
from core.settings import Settings
from tests.cli.hosts.conftest import open_settings, three_free_ports


def test_without_an_address_there_is_none() -> None:
    assert Entrance.of(Settings(listen=None)) is None


def test_the_name_that_others_use_stands_before_the_address(tmp_path: Path) -> None:
    settings = open_settings(tmp_path, three_free_ports())
    found = Entrance.of(settings.model_copy(update={"listen": "0.0.0.0", "listen_name": "streaks.example"}))
    assert found is not None
    assert found.known_as == f"streaks.example:{settings.listen_port}"


@pytest.mark.parametrize(
    ("listen", "complaint"),
    [
        ("0.0.0.0", "which no host can be told"),
        ("192.0.2.7", "where nothing can listen: .*expected an address of this machine"),
        ("no such host", "where nothing can listen"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, listen: str, complaint: str) -> None:
    settings = open_settings(tmp_path, three_free_ports()).model_copy(update={"listen": listen})
    with pytest.raises(Misconfigured, match=complaint):
        Entrance.of(settings)


def test_ports_don_t_move(tmp_path: Path) -> None:
    port = three_free_ports()
    taken = pytest.raises(Misconfigured, match=f"port {port + 2} of 127.0.0.1 is taken")
    with socket.create_server(("127.0.0.1", port + 2)), taken:
        Entrance.of(open_settings(tmp_path, port))


def test_an_authority_stays_the_same_and_its_key_is_private(tmp_path: Path) -> None:
    first = Authority.open(tmp_path)
    assert Authority.open(tmp_path).certificate == first.certificate
    assert "PRIVATE" not in first.certificate_file.read_text()
    first.server_file(["127.0.0.1"])
    assert {file.stat().st_mode & 0o777 for file in first.folder.iterdir()} == {0o600}


def test_a_damaged_authority_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = Authority.open(tmp_path).folder / "authority.pem"
    file.write_text(file.read_text()[:200])
    with pytest.raises(Misconfigured, match=f"{file} is damaged.*write new invitations"):
        Authority.open(tmp_path)
