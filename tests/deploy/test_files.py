"""The files of the deployment: by the Compose Specification, by linters, by our own rules."""

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cli.local.mongo_server import CACHE
from core.service_secrets import read_secrets
from tests.deploy.compose import COMPOSE, HOSTS, ROOT, build_context, read_compose

FILES = sorted(ROOT.glob("docker-compose*.yml"))
STANDING = [file for file in FILES if not file.name.endswith(".override.yml")]
SCHEMA = ROOT / "tests" / "assets" / "compose-spec.json"
OURS = "deep-asteroids:"
SYSTEMD = shutil.which("systemd-analyze")
PROMTOOL = shutil.which("promtool")
BIN = Path(sys.executable).parent


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every service of every file that stands by itself, by a name that tells the file."""
    for file in STANDING:
        for name, service in read_compose(file, PRIVATE_ADDRESS="10.0.0.1")["services"].items():
            yield f"{file.name}: {name}", service


SERVICES = list(services())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_compose_file_is_one_by_the_compose_specification(file: Path) -> None:
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(read_compose(file))


def test_compose_lint_finds_nothing() -> None:
    words = ("check", "--strict-config", "--fail-on", "low")  # which merges the override by itself
    ran = subprocess.run(
        [BIN / "compose-lint", *words, *STANDING], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_hadolint_finds_nothing() -> None:
    ran = subprocess.run(
        [BIN / "hadolint", "Dockerfile", "Dockerfile.gpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"),
        ("check", "rules", "deploy/prometheus/alerts.yml"),
        ("test", "rules", "tests/deploy/alerts_test.yml", "tests/deploy/alerts_drift_test.yml"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_promtool_finds_nothing(words: tuple[str, ...]) -> None:
    ran = subprocess.run([str(PROMTOOL), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not on PATH")
def test_systemd_finds_nothing_in_the_units_but_that_the_service_is_not_installed() -> None:
    units = sorted((ROOT / "deploy" / "systemd").iterdir())
    assert len(units) == 4
    ran = subprocess.run([str(SYSTEMD), "verify", *units], capture_output=True, text=True, check=False)
    said = [line for line in ran.stderr.splitlines() if "/opt/streaks/streaks is not executable" not in line]
    assert said == []


def test_what_prometheus_looks_for_are_services_with_their_ports() -> None:
    compose = read_compose()["services"]
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_token"
        for found in job["dns_sd_configs"]:
            for name in found["names"]:
                port = compose[name]["environment"].get("DA_METRICS_PORT", "8000" if name == "api" else None)
                assert int(port) == found["port"], name


def test_the_build_context_is_small_and_holds_no_secret_and_no_test() -> None:
    files = build_context()
    assert sum(file.stat().st_size for file in files) < 100e6
    assert {file.relative_to(ROOT).parts[0] for file in files}.isdisjoint(
        {"tests", "secrets", ".state", ".git"}
    )


@pytest.mark.parametrize("file", [file for file in STANDING if file != HOSTS], ids=lambda file: file.name)
def test_an_image_of_ours_is_built_by_one_service_that_runs_wherever_it_is_used(file: Path) -> None:
    compose = read_compose(file)["services"]
    builders = {service["image"]: service for service in compose.values() if "build" in service}
    assert len(builders) == sum("build" in service for service in compose.values())
    for name, service in compose.items():
        if service["image"].startswith(OURS):
            profiles = builders[service["image"]].get("profiles")
            assert profiles is None or set(service["profiles"]) <= set(profiles), name


@pytest.mark.parametrize(("name", "service"), SERVICES, ids=[name for name, _ in SERVICES])
def test_every_service_is_held_in(name: str, service: dict[str, Any]) -> None:
    assert service["user"].partition(":")[0].isdecimal()
    assert int(service["user"].partition(":")[0]) > 0
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["restart"] in ("unless-stopped", "on-failure")
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
    image = service["image"]
    assert image.startswith(OURS) or len(image.partition(":")[2].split(".")) == 3, "expected an exact version"


def test_nothing_is_open_but_80_and_443_and_in_development_8000_and_for_hosts_on_their_network() -> None:
    published = {name: service["ports"] for name, service in SERVICES if "ports" in service}
    hosts = [ports for name, ports in published.items() if name.startswith("docker-compose.hosts.yml")]
    assert all(port.startswith("10.0.0.1:") for ports in hosts for port in ports)
    assert set(published) == {
        "docker-compose.yml: traefik",
        "docker-compose.hosts.yml: gateway",
        "docker-compose.hosts.yml: api-hosts",
    }
    assert published["docker-compose.yml: traefik"] == ["80:8080", "443:8443"]
    override = read_compose(ROOT / "docker-compose.override.yml")["services"]
    assert override == {"api": {"ports": ["127.0.0.1:8000:8000"]}}


def test_who_needs_a_server_waits_until_it_is_well() -> None:
    compose = read_compose(COMPOSE)["services"]
    for name, service in compose.items():
        for needed, how in service.get("depends_on", {}).items():
            healthy = how["condition"] == "service_healthy"
            assert healthy or how["condition"] == "service_completed_successfully", name
            assert not healthy or "healthcheck" in compose[needed], f"{name} waits for {needed}"


def test_whoever_may_register_networks_is_told_the_same_ones() -> None:
    """A second API that knew of more would put those into production."""
    told = {
        name: service["environment"].get("DA_SHIPPED")
        for file in (COMPOSE, HOSTS)
        for name, service in read_compose(file, SHIPPED="light")["services"].items()
        if "api.main:create_app" in service.get("command", ())
    }
    assert told == {"api": "light", "api-hosts": "light"}


def test_mongods_cache_is_shared_out_as_the_embedded_ones() -> None:
    word = f"--wiredTigerEngineConfigString={CACHE}"
    assert word in read_compose()["services"]["mongo"]["command"]
    assert word in (ROOT / "docs" / "hosts.md").read_text("utf-8")


def test_no_password_stands_in_a_compose_file_or_an_environment(tmp_path: Path) -> None:
    for name, service in SERVICES:
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or variable.endswith("__FILE"), name
            assert "://" not in value or "@" not in value or "{" in value, name


def test_plain_docker_runs_the_images_and_programs_of_the_compose_file() -> None:
    told = (ROOT / "docs" / "hosts.md").read_text("utf-8")
    services = read_compose()["services"]
    for name in ("redis", "mongo"):
        assert f" {services[name]['image']} " in told
    for name in ("worker", "trainer", "beat", "flower"):
        program = re.escape(" ".join(services[name]["command"][:3]))
        assert re.search(rf"^run {name} .* deep-asteroids:cpu {program}", told, re.MULTILINE), name


def test_the_secret_files_are_made_once_and_kept(tmp_path: Path) -> None:
    def made() -> dict[str, str]:
        subprocess.run([sys.executable, ROOT / "deploy" / "make_secrets.py", folder], check=True)
        return {file.name: file.read_text("utf-8") for file in folder.iterdir()}

    folder = tmp_path / "secrets"
    first = made()
    assert {Path(secret["file"]).name for secret in read_compose()["secrets"].values()} <= first.keys()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made() == first
    known = json.loads(first["secrets.json"])
    known["database"] = {"admin_username": "me", "admin_password": ""}
    (folder / "secrets.json").chmod(0o644)
    (folder / "secrets.json").write_text(json.dumps(known))
    after = made()
    assert after["redis.acl"] == first["redis.acl"]
    assert read_secrets(folder / "secrets.json").database.admin_username == "me"
    assert read_secrets(folder / "secrets.json").database.admin_password.get_secret_value()


def test_secrets_that_are_no_json_are_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    ran = subprocess.run(
        [sys.executable, ROOT / "deploy" / "make_secrets.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "no JSON" in ran.stderr
    assert (tmp_path / "secrets.json").read_text() == "{"
