"""A night through the service, each process started by the command and environment of docker-compose.yml."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from cli.local.hosted_gateway import restore_accounts
from cli.local.ports import free_port
from cli.local.readiness import flower_answers, has_workers
from core.service_secrets import Secrets, read_secrets
from core.settings import Settings
from storage.service_rights import SERVICES, account_of
from tests.deploy.compose import PORTS, ROOT, Composed

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "streaks.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
NIGHT = ROOT / "sample" / "night"
CUTOUTS = len(list((NIGHT / "stamps").rglob("*.jpg")))
LIGHT = ["rb@3", "sl@2"]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with Composed(tmp_path_factory.mktemp("composed")) as composed:
        composed.start_servers()
        for program in ("api", "beat", "flower"):
            composed.start(program)
        composed.until(partial(composed.well, "api"), timeout_s=120)
        for program in ("worker", "trainer"):  # they find the record as the API prepared it
            composed.start(program)
        for program in ("beat", "worker", "trainer", "flower"):
            composed.until(partial(composed.well, program), timeout_s=120)
        yield composed


@pytest.fixture(scope="module")
def secrets(composed: Composed) -> Secrets:
    return read_secrets(composed.secrets / "secrets.json")


def command(composed: Composed, secrets: Secrets, *words: str) -> "subprocess.CompletedProcess[str]":
    account = secrets.database
    login = {"DA_USER": account.admin_username, "DA_PASSWORD": account.admin_password.get_secret_value()}
    return subprocess.run(
        [sys.executable, "-m", "cli", *words, "--server", composed.url("api"), "--json"],
        cwd=ROOT,
        env=os.environ | login,
        stdout=subprocess.PIPE,
        text=True,
        timeout=200,
        check=False,
    )


def redis_url(composed: Composed, service: str) -> str:
    """As the compose file gives it, with the account of a service."""
    account = read_secrets(composed.secrets / f"{service}.json").accounts["{redis}"]
    return composed.environment("api")["DA_REDIS_URL"].replace("{redis}", str(account))


def redis_as(composed: Composed, service: str) -> Redis:
    return Redis.from_url(redis_url(composed, service), socket_timeout=5, decode_responses=True)


def test_a_night_is_scored_through_the_processes_of_the_compose_file(
    composed: Composed, secrets: Secrets
) -> None:
    composed.until(lambda: has_workers(composed.ports[PORTS["api"]]), timeout_s=120)
    ingested = command(composed, secrets, "nights", "ingest", str(NIGHT))
    assert ingested.returncode == 0, ingested.stdout
    (night,) = json.loads(ingested.stdout)["nights"]
    (job,) = night["jobs"]
    assert command(composed, secrets, "jobs", "watch", job).returncode == 0
    shown = json.loads(command(composed, secrets, "nights", "show", night["night"]).stdout)
    assert {n["scored"] + n["rejected"] for n in shown["scores"].values()} == {CUTOUTS}
    assert sorted(shown["scores"]) == LIGHT
    assert requests.get(f"{composed.url('api')}/readyz", timeout=30).json()["ready"]


def scraped(composed: Composed, port: int, secrets: Secrets) -> list[Sample]:
    """What a process tells to who has the token, and to nobody else."""
    url = f"http://127.0.0.1:{port}/metrics"
    assert requests.get(url, timeout=30).status_code == 401
    answer = requests.get(url, headers={"Authorization": f"Bearer {secrets.collector}"}, timeout=30)
    assert answer.status_code == 200
    return [s for family in text_string_to_metric_families(answer.text) for s in family.samples]


def value(told: list[Sample], name: str, **labels: str) -> float | None:
    return next((s.value for s in told if (s.name, s.labels) == (name, labels)), None)


def test_what_prometheus_scrapes_tells_of_the_night(composed: Composed, secrets: Secrets) -> None:
    cut = composed.folder / "cut.jpg"
    cut.write_bytes(next((NIGHT / "stamps").rglob("*.jpg")).read_bytes()[:900])
    assert command(composed, secrets, "score", str(cut), "--wait").returncode == 3
    ports = [composed.metrics[name] for name in ("beat", "worker", "trainer")]
    told_by = partial(scraped, composed, secrets=secrets)

    def of(told: list[Sample], name: str) -> list[float]:
        return [s.value for s in told if s.name == name]

    composed.until(lambda: value(told_by(ports[0]), "streaks_workers", state="ready") == 1, timeout_s=40)
    composed.until(lambda: of(told_by(ports[1]), "streaks_rejections_total") == [2], timeout_s=20)
    beat, worker, trainer, api = map(told_by, (*ports, composed.ports[PORTS["api"]]))
    assert value(worker, "streaks_cutouts_total") == CUTOUTS
    assert of(worker, "streaks_score_count") == [CUTOUTS, CUTOUTS]
    assert of(worker, "streaks_ready") == of(trainer, "streaks_ready") == [1]
    assert [s > 0 for s in of(worker, "streaks_stage_seconds_total")] == [True] * 5
    assert len(of(beat, "streaks_version_in_production")) == 2
    assert value(beat, "streaks_queue_age_seconds", queue="score.live") == 0
    assert of(api, "streaks_http_answers_total")
    assert unanswerable(asked_of_prometheus(), [*beat, *worker, *trainer, *api]) == []


def asked_of_prometheus() -> list[str]:
    """Every expression of the rules, and of the dashboard with the labels that its legend names."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    drawn = [
        f"{target['expr']} by ({', '.join(re.findall(r'{{(.*?)}}', target['legendFormat']))})"
        for panel in panels
        for target in panel["targets"]
    ]
    return [*drawn, *(rule["expr"] for rule in rules)]


def unanswerable(expressions: list[str], told: list[Sample]) -> list[str]:
    """Those that name a metric, a label of it, or a value of a label, that nobody tells."""
    values: dict[str, dict[str, set[str]]] = {}
    for sample in told:
        known = values.setdefault(sample.name, {})
        for label, text in sample.labels.items():
            known.setdefault(label, set()).add(text)
    of_prometheus = {"job", "instance", "service", "worker"}  # `worker`: of those that the sweeper tells of

    def is_told(expression: str) -> bool:
        named = re.findall(r"(streaks_[a-z_]+|process_[a-z_]+)(?:\{([^}]*)\})?", expression)
        labels = {label for name, _ in named for label in values.get(name, ())} | of_prometheus
        by = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        matched = [(name, *pair) for name, where in named for pair in re.findall(r'(\w+)="([^"]*)"', where)]
        return (
            all(name in values for name, _ in named)
            and all(text in values[name].get(label, ()) for name, label, text in matched)
            and by - {""} <= labels
        )

    return [expression for expression in expressions if not is_told(expression)]


@pytest.mark.parametrize(
    "expression",
    ["streaks_gone", 'streaks_workers{state="tired"}', "sum by (planet) (streaks_workers)"],
)
def test_an_expression_that_nobody_answers_is_found(expression: str) -> None:
    told = [Sample("streaks_workers", {"state": "ready"}, 1)]
    assert unanswerable([expression, 'max(streaks_workers{state="ready"})'], told) == [expression]


def test_each_process_is_at_mongodb_by_its_own_account_and_no_administrator_is_left(
    composed: Composed,
) -> None:
    port = composed.ports[PORTS["mongo"]]
    key = "".join((composed.secrets / "mongo.key").read_text().split())
    with MongoClient[dict[str, Any]](
        "127.0.0.1",
        port,
        username="__system",
        password=key,
        authSource="local",
        directConnection=True,
        tls=True,
        tlsCAFile=str(composed.folder / "volumes" / "authority" / "authority.crt"),
    ) as client:
        known = {user["user"]: user["roles"] for user in client.admin.command("usersInfo", 1)["users"]}
        connected = client.admin.aggregate([{"$currentOp": {"allUsers": True, "idleConnections": True}}])
        who = {user["user"] for found in connected for user in found.get("effectiveUsers", ())}
    assert known == {account_of(s): [{"role": account_of(s), "db": "admin"}] for s in SERVICES}
    assert who == {"__system", *(account_of(s) for s in SERVICES if s != "operator")}


def test_the_trainer_takes_a_training(composed: Composed, secrets: Secrets) -> None:
    words = ("train", "rb", "--dataset", "rb-2018.9", "--count", "300", "--no-wait")
    accepted = json.loads(command(composed, secrets, *words).stdout)
    job = accepted.get("job") or accepted["id"]

    def state() -> str:
        return str(json.loads(command(composed, secrets, "jobs", "show", job).stdout)["state"])

    composed.until(lambda: state() == "running", timeout_s=60)
    assert command(composed, secrets, "jobs", "cancel", job).returncode == 0


def test_flower_is_behind_its_login_below_its_prefix(composed: Composed, secrets: Secrets) -> None:
    assert secrets.flower is not None
    account = (secrets.flower.user, secrets.flower.password.get_secret_value())
    url = f"{composed.url('flower')}/flower/api/workers?refresh=1"
    composed.until(
        lambda: flower_answers(composed.ports[PORTS["flower"]], account, prefix="/flower"), timeout_s=30
    )
    assert requests.get(url, timeout=30).status_code == 401
    assert any(name.startswith("score-") for name in requests.get(url, auth=account, timeout=30).json())


def test_no_process_is_shown_the_passwords_of_another(composed: Composed, secrets: Secrets) -> None:
    everybodys = json.loads((composed.secrets / "mongo_accounts.json").read_text())["passwords"]
    assert everybodys.keys() == set(SERVICES)
    for name in ("api", "worker", "trainer", "beat", "flower", "operator", "gateway"):
        shown = (composed.secrets / f"{name}.json").read_text()
        assert {s for s, password in everybodys.items() if password in shown} == {name} & set(SERVICES)
        administrator = secrets.database.admin_password.get_secret_value()
        assert (administrator in shown) == (name in ("api", "operator")), name


def test_a_further_host_is_invited_and_scores_over_tls(composed: Composed, secrets: Secrets) -> None:
    composed.start("gateway")
    composed.until(partial(composed.well, "gateway"), timeout_s=30)
    composed.start("api-hosts")
    composed.until(partial(composed.well, "api-hosts"), timeout_s=60)
    kept = composed.folder / "volumes" / "hosts"
    invited = composed.by_hand("invite", "-o", "/var/lib/streaks/gpu1.invitation")
    assert invited.returncode == 0, invited.stdout
    shutil.copy(kept / "gpu1.invitation", composed.secrets / "invitation")
    told = (composed.secrets / "invitation").read_text()
    assert secrets.database.admin_password.get_secret_value() not in told
    gateway = Settings(redis_url=SecretStr(redis_url(composed, "gateway")), state_dir=kept)
    with redis_as(composed, "operator") as redis:
        redis.acl_deluser(json.loads(told)["name"])  # as one that was started again
        restore_accounts(gateway)  # unless the gateway that runs came first
        assert json.loads(told)["name"] in redis.acl_users()
    assert restore_accounts(gateway) == 0
    assert composed.end("worker") == 0
    composed.start("gpu-host")
    composed.until(partial(composed.well, "gpu-host"), timeout_s=180)
    pictures = sorted((NIGHT / "stamps").rglob("*.jpg"))[:2]
    for n, picture in enumerate(pictures):
        shutil.copy(picture, composed.folder / f"other{n}.jpg")
    pattern = str(composed.folder / "other*.jpg")
    done = command(composed, secrets, "score", pattern, "--wait")
    assert done.returncode == 0, done.stdout
    results = json.loads(done.stdout)["results"]
    assert [r["rejection"] for r in results] == [None, None]
    assert [sorted(r["versions"].values()) for r in results] == 2 * [LIGHT]  # the second API changed nothing


def test_redis_refused_nobody_what_they_needed_all_this_time(composed: Composed) -> None:
    with redis_as(composed, "operator") as redis:
        refused = [(entry["username"], entry["reason"], entry["object"]) for entry in redis.acl_log()]
    assert refused == []


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("flower", "LPUSH score.bulk x"),
        ("flower", "DEL train"),
        ("flower", "SADD _kombu.binding.score.bulk x"),
        ("worker", "LPUSH train x"),
        ("worker", "LPUSH maintenance x"),
        ("trainer", "LPUSH score.live x"),
        ("api", "LPUSH maintenance x"),
        ("api", "PUBLISH /0.celery.pidbox x"),
        ("gateway", "LLEN score.bulk"),
        ("health", "INFO"),
        *(
            (service, command)
            for service in ("api", "worker", "trainer", "beat", "flower")
            for command in ("ACL LIST", "CONFIG GET dir", "FLUSHALL", "SHUTDOWN", "KEYS *", "GET secret")
        ),
    ],
)
def test_no_process_may_do_more_in_redis_than_its_messages_need(
    composed: Composed, service: str, command: str
) -> None:
    url = redis_url(composed, "api")
    if service == "health":
        url = url.replace(url.split("//")[1].split("@")[0], "health:none")
    else:
        url = redis_url(composed, service)
    with Redis.from_url(url, socket_timeout=5) as redis, pytest.raises(NoPermissionError):
        redis.execute_command(*command.split())


def test_nobody_speaks_to_the_servers_without_tls_or_without_an_account(composed: Composed) -> None:
    port = composed.ports[PORTS["mongo"]]
    with (
        MongoClient[dict[str, Any]]("127.0.0.1", port, serverSelectionTimeoutMS=1000) as client,
        pytest.raises(ConnectionFailure),
    ):
        client.admin.command("ping")
    url = redis_url(composed, "api")
    nobody = url.replace(url.split("//")[1].split("@")[0] + "@", "")
    with Redis.from_url(nobody) as redis, pytest.raises(AuthenticationError):
        redis.ping()


@pytest.mark.parametrize(
    ("program", "file", "told"),
    [
        ("api", "worker.json", "does not hold the administrator"),
        ("beat", "worker.json", "account streaks-worker at MongoDB lacks rights that the beat needs"),
        ("beat", "flower.json", "DA_MONGO_URL has {database} in it, and the secrets file holds no such"),
        ("flower", "beat.json", "the secrets file has no account for Flower"),
        ("trainer", "worker.json", "rights of the account streaks-worker in Redis do not allow"),
    ],
)
def test_a_process_with_another_ones_secrets_ends_and_says_so(
    composed: Composed, program: str, file: str, told: str
) -> None:
    command = composed.compose["services"][program]["command"]
    env = {"DA_SECRETS_FILE": str(composed.secrets / file), "DA_METRICS_PORT": str(free_port())}
    ended = composed.ran(program, command, **env)
    assert ended.returncode != 0
    assert told in ended.stdout


def test_the_sweeper_tells_prometheus_what_a_further_host_has_scored(
    composed: Composed, secrets: Secrets
) -> None:
    def told() -> list[Sample]:
        return scraped(composed, composed.metrics["beat"], secrets)

    def scored() -> list[float]:
        return [s.value for s in told() if s.name == "streaks_cutouts_total" and s.labels["worker"]]

    composed.until(lambda: scored() == [2], timeout_s=40)  # it tells every 5 s, the sweeper looks every 15 s


def test_each_process_ends_by_itself_within_its_grace(composed: Composed) -> None:
    programs = [name for name in composed.processes if name not in ("mongo", "redis")]
    ended = {name: composed.end(name) for name in reversed(programs)}
    for api in ("api", "api-hosts"):
        assert ended.pop(api) in (0, -15)  # uvicorn raises the signal again when it is done
    assert set(ended.values()) == {0}


def test_the_operator_backs_up_migrates_and_restores(composed: Composed) -> None:
    for words in (
        ("doctor",),
        ("backup", "/tmp/backup"),
        ("migrate",),
        ("restore", "/tmp/backup", "--replace"),
    ):
        done = composed.by_hand("operator", *words)
        assert done.returncode == 0, done.stdout
        assert "./streaks" not in done.stdout  # which an image has not


def test_a_rotated_password_is_refused_until_it_is_taken_over(composed: Composed) -> None:
    words = (sys.executable, str(ROOT / "deploy" / "make_secrets.py"), str(composed.secrets))
    before = (composed.secrets / "operator.json").read_text()
    subprocess.run([*words, "--rotate", "operator"], check=True)
    refused = composed.by_hand("operator", "migrate", "--dry-run")
    assert refused.returncode != 0
    assert "refuses the name or the password of the account streaks-operator" in refused.stdout
    assert composed.run("initiate", composed.compose["services"]["initiate"]["command"]) == 0
    assert composed.by_hand("operator", "migrate", "--dry-run").returncode == 0
    (composed.folder / "before.json").write_text(before)
    old = composed.ran(
        "operator",
        ["python", "-m", "cli", "migrate", "--dry-run"],
        DA_SECRETS_FILE=str(composed.folder / "before.json"),
    )
    assert old.returncode != 0


def test_accounts_that_are_cut_are_refused_and_not_shown(composed: Composed) -> None:
    whole = (composed.secrets / "mongo_accounts.json").read_text()
    file = composed.folder / "tmpfs" / "initiate" / "tmp" / "cut.json"
    words = ["python", "-m", "cli.initiate", "/run/secrets/mongo.key", "--accounts", "/tmp/cut.json"]
    for text, told in (
        (whole[:-40], "another shape"),
        ('{"passwords": {"api": "x"}}', "has no password for worker, trainer, beat, operator"),
    ):
        file.write_text(text)
        ended = composed.ran("initiate", words)
        assert ended.returncode == 78
        assert told in ended.stdout


def test_no_log_of_all_this_holds_a_secret(composed: Composed, secrets: Secrets) -> None:
    assert secrets.flower is not None
    own = json.loads((composed.secrets / "secrets.json").read_text())
    hidden = (secrets.database.admin_password, secrets.flower.password)
    texts = [secret.get_secret_value() for secret in hidden] + [secrets.collector]
    texts += [*own["mongo_passwords"].values(), *own["redis_passwords"].values()]
    texts.append((composed.secrets / "grafana_password").read_text().strip())
    texts.append((composed.secrets / "mongo.key").read_text().strip()[:64])
    assert all(len(text) > 15 for text in texts)
    logs = {log.name: log.read_text("utf-8", "replace") for log in composed.folder.glob("*.log")}
    assert len(logs) > 8
    assert [(name, text[:3]) for name, log in logs.items() for text in texts if text in log] == []
