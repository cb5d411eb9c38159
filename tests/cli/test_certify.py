"""Certificates of the internal network: made once, made again where they are of no use."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli import certify

NAMES = ["mongo", "redis", "localhost", "127.0.0.1"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "server", tmp_path / "authority"
    for folder in made:
        folder.mkdir()
    certify.certify(*made, NAMES)
    return made


def test_what_is_made_is_good_and_the_key_is_for_the_servers_group_alone(
    folders: tuple[Path, Path],
) -> None:
    server, authority = folders
    assert certify.fault(server, authority, NAMES) == ""
    assert stat.S_IMODE((server / "server.pem").stat().st_mode) == 0o440
    assert [file.name for file in authority.iterdir()] == ["authority.crt"]
    assert "PRIVATE" not in (authority / "authority.crt").read_text()
    assert sum("PRIVATE" in file.read_text() for file in server.iterdir()) == 1  # the authority's is nowhere
    made = x509.load_pem_x509_certificate((server / "server.pem").read_bytes())
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    # without the second an index on a collection that holds anything is never done: mongod calls itself
    assert set(uses) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_none_half_of_them_another_authority_s_and_damaged_ones_are_told(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    server, authority = folders
    assert certify.fault(tmp_path, tmp_path, NAMES) == "there were none"
    assert certify.fault(server, authority, [*NAMES, "10.0.0.1"]) == "they lacked 10.0.0.1"
    other = tmp_path / "other"
    other.mkdir()
    certify.certify(other, other, NAMES)
    assert certify.fault(server, other, NAMES) == "they did not belong together"
    pem = server / "server.pem"
    pem.chmod(0o600)
    pem.write_text(pem.read_text()[:-200])
    assert certify.fault(server, authority, NAMES) == "they did not belong together"


def test_they_are_made_again_before_they_end_and_kept_until_then(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server, authority = folders
    monkeypatch.setattr("sys.argv", ["certify", str(server), str(authority), *NAMES])
    before = (server / "server.pem").read_text()
    assert certify.main() == 0
    assert (server / "server.pem").read_text() == before
    monkeypatch.setattr(certify, "RENEW_BEFORE", timedelta(days=4000))
    assert certify.main() == 0
    assert (server / "server.pem").read_text() != before
    assert "they end on 20" in capsys.readouterr().err
