"""Settings: the environment over config.json over defaults; no secret has a default."""

import json
from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.service_secrets import read_secrets
from core.settings import load_settings

PROFILE = {"arcsec_per_px": 1.86, "fwhm_arcsec": 4.0, "exposure_s": 30.0}

PUBLISHED = {
    "kowalski": {"user": "u", "password": "kowalski-pw"},
    "database": {"admin_username": "admin", "admin_password": "admin-pw"},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "config.json").write_text(json.dumps({"port": 8100, "scoring": {"shard_size": 64}}))
    monkeypatch.setenv("DA_SCORING__SHARD_SIZE", "32")
    settings = load_settings()
    assert settings.port == 8100
    assert settings.scoring.shard_size == 32
    assert settings.scoring.lease_s == 10.0


def test_a_gpu_has_larger_batches_where_nobody_has_set_any(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings()
    assert max(settings.scoring.batch_sizes) == 32
    assert settings.scoring.on_gpu().batch_sizes == (1, 32, 256)
    monkeypatch.setenv("DA_SCORING__BATCH_SIZES", "[1, 8, 32]")
    assert load_settings().scoring.on_gpu().batch_sizes == (1, 8, 32)


def test_a_wrong_field_is_named_with_what_was_expected(here: Path) -> None:
    (here / "config.json").write_text(json.dumps({"port": 99999, "prot": 1}))
    with pytest.raises(Misconfigured, match=r"port: .*65535.*; prot: "):
        load_settings()


def test_the_published_secrets_are_read_and_never_shown(here: Path) -> None:
    path = here / "secrets.json"
    path.write_text(json.dumps(PUBLISHED))
    secrets = read_secrets(path)
    assert secrets.database.admin_password.get_secret_value() == "admin-pw"
    assert secrets.kowalski.user == "u"
    assert "-pw" not in repr(secrets)


def test_missing_or_broken_secrets_are_told_without_their_contents(here: Path) -> None:
    path = here / "secrets.json"
    with pytest.raises(Misconfigured, match="no secrets file"):
        read_secrets(path)
    path.write_text('{"database": {"admin_password": "admin-pw"}}')
    with pytest.raises(Misconfigured, match="can't be read as secrets") as caught:
        read_secrets(path)
    assert "admin-pw" not in str(caught.value)


def test_servers_have_no_default() -> None:
    with pytest.raises(Misconfigured, match="DA_MONGO_URL"):
        load_settings(mongo_url=None).required_mongo_url()


def test_settings_that_are_not_even_json_are_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_LIMITS", "{many}")
    with pytest.raises(Misconfigured, match="limits"):
        load_settings()
    monkeypatch.delenv("DA_LIMITS")
    (here / "config.json").write_text("{")
    with pytest.raises(Misconfigured, match="can't be read"):
        load_settings()


def test_instruments_have_the_name_that_they_stand_under(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_INSTRUMENTS", json.dumps({"coarse": PROFILE}))
    found = load_settings().instruments
    assert {name: (i.name, i.arcsec_per_px) for name, i in found.items()} == {"coarse": ("coarse", 1.86)}


@pytest.mark.parametrize(
    ("name", "profile", "told"),
    [
        ("ztf", PROFILE, "built in"),
        ("a", PROFILE | {"arcsec_per_px": 0}, "instruments.a.arcsec_per_px"),
        ("a", PROFILE | {"pixel_scale": 1}, "instruments.a.pixel_scale"),
        ("a", PROFILE | {"polarity": "up"}, "instruments.a.polarity"),
        ("a", {"arcsec_per_px": 1.0}, "instruments.a.fwhm_arcsec"),
        ("a:b", PROFILE, "instruments.a:b.name"),
        ("a", 5, "instruments.a"),
    ],
)
def test_a_profile_that_can_not_be_is_refused_and_named(
    name: str, profile: object, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DA_INSTRUMENTS", json.dumps({name: profile}))
    with pytest.raises(Misconfigured, match=told):
        load_settings()


def test_families_are_named_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_FAMILIES", '{"kd": {"classes": ["ditch", "keep"], "threshold": 0.6}}')
    families = load_settings().families
    assert list(families) == ["rb", "sl", "kd"]
    assert (families["kd"].classes, families["kd"].threshold) == (("ditch", "keep"), 0.6)


@pytest.mark.parametrize("name", ["night", "Kd", "k d", "", "plausible"])
def test_a_family_whose_name_is_taken_or_none_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_FAMILIES", json.dumps({name: {"classes": ["no", "yes"]}}))
    with pytest.raises(Misconfigured, match="a family named"):
        load_settings()


def test_urls_get_the_accounts_of_the_secrets_quoted(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    account = {"admin_username": "me@here", "admin_password": "a/b:c"}
    file.write_text(json.dumps({"database": account, "redis_password": "x y"}))
    urls = {"mongo_url": "mongodb://{database}@mongo/?replicaSet=r", "redis_url": "redis://{redis}@redis/0"}
    settings = load_settings(secrets_file=file, **urls)
    assert settings.required_mongo_url() == "mongodb://me%40here:a%2Fb%3Ac@mongo/?replicaSet=r"
    assert settings.required_redis_url() == "redis://:x%20y@redis/0"
    file.write_text(json.dumps({"database": account}))
    with pytest.raises(Misconfigured, match=r"DA_REDIS_URL has \{redis\} in it"):
        load_settings(secrets_file=file, **urls)
