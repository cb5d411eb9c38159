"""Subscribers are told of each new match once, whoever dies and whatever receivers do."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import InvalidRequest, Unsafe
from core.job import Item, Job, ShardResult, new_job_id
from core.outcome import Outcome
from core.settings import Mail, Notifications, Settings, Webhooks
from core.subscription import Subscription, checked_address
from cutouts.sources import check_webhook
from storage.cutouts import CutoutRecord
from storage.decisions import set_production
from storage.record import Record
from tasks.notifications import Announcer, Dispatcher
from tests.client_environment import python_blocks
from tests.receivers import Inbox, Mailbox, Posted, inbox, mail_server
from tests.record import register

ROOT = Path(__file__).parents[2]
RB, SL = "rb@1", "sl@1"
OWNER = "ann"
QUICK = Notifications(gather_s=0, mail_gather_s=0, retry_s=(0.2, 0.2), lease_s=1.5)
HERE = Webhooks(schemes=("http",), private_addresses=True, timeout_s=1.0)


@pytest.fixture
def web() -> Iterator[Inbox]:
    with inbox() as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as running:
        yield running


@pytest.fixture
def told(settings: Settings, record: Record, tmp_path: Path) -> Settings:
    """Settings that let notifications go to this machine, and an operator to own them."""
    register(record, RB, SL)
    record.accounts.add(OWNER, "a password of a test", "operator")
    secrets = {"database": {"admin_username": "a", "admin_password": "b"}}
    mail = {"user": Mailbox().user, "password": Mailbox().password}
    (tmp_path / "secrets.json").write_text(json.dumps(secrets | {"mail": mail}), "utf-8")
    changes = {"notifications": QUICK, "webhooks": HERE, "secrets_file": tmp_path / "secrets.json"}
    return settings.model_copy(update=changes)


def score(record: Record, ids: list[str], *, rb: float = 0.9, owner: str = OWNER, end: bool = True) -> str:
    """What a worker does to a job of these cutouts; returns the job."""
    job = new_job_id()
    items = [Item(f"{name}.jpg", name, hashlib.sha256(name.encode()).hexdigest()) for name in ids]
    record.shards.insert(job, [items], priority="live")
    record.jobs.accept(Job(job, (RB, SL), "live", owner, items=len(ids), shards=1))
    lease = record.shards.claim(job, 0, worker="test")
    assert lease is not None
    record.cutouts.own([CutoutRecord(str(item.cutout), item.sha256, None) for item in items])
    scores = {RB: rb, SL: 0.75}
    outcomes = [Outcome(name, version, scores[version]) for name in ids for version in scores]
    record.outcomes.insert(outcomes, provenance={"job": job})
    set_production(record, (RB, SL), dict.fromkeys(ids, scores))
    assert record.shards.close(lease, ShardResult(len(ids), 0))
    if end:
        record.jobs.finish(job)
    return job


def subscribe(record: Record, target: str, name: str = "mine", **changes: Any) -> Subscription:
    values = {"id": name, "name": name, "owner": OWNER, "event": "matches", "channel": "webhook"}
    values |= {"target": target, "filter": "plausible", "secret": "whsec_test"}
    return record.subscriptions.add(Subscription(**(values | changes)))


def ids_of(posted: list[Posted]) -> list[str]:
    return [found["id"] for one in posted for found in json.loads(one.body).get("matches", [])]


@contextmanager
def notifying(record: Record, settings: Settings) -> Iterator[None]:
    """Announcer and dispatcher, as the sweeper runs them."""
    stop = threading.Event()
    runs = (Announcer(record, settings.notifications).run, Dispatcher(record, settings).run)
    threads = [threading.Thread(target=run, args=[stop]) for run in runs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.05)


def states(record: Record, subscription: str) -> Counter[str]:
    return Counter(found.state for found in record.deliveries.latest(subscription, limit=1000))


def test_a_new_match_is_posted_once_and_signed(told: Settings, record: Record, web: Inbox) -> None:
    subscribe(record, f"{web.url}/hook", filter="plausible and rb > 0.8")
    with notifying(record, told):
        job = score(record, ["a", "b"])
        score(record, ["c"], rb=0.6)
        wait_for(lambda: states(record, "mine")["delivered"] == 1)
        score(record, ["a", "b"])  # scored again: no new match
        score(record, ["d"])
        wait_for(lambda: ids_of(web.posted)[-1:] == ["d"])
        wait_for(lambda: not record.shards.untold(limit=1))
    assert sorted(ids_of(web.posted)) == ["a", "b", "d"]
    first = web.posted[0]
    found = json.loads(first.body)
    assert found["subscription"] == {"id": "mine", "name": "mine", "filter": "plausible and rb > 0.8"}
    assert found["matches"][0]["scores"] == {RB: 0.9, SL: 0.75}
    assert found["matches"][0]["job"] == job
    assert found["delivery"] == first.headers["Deep-Asteroids-Delivery"]
    (script,) = python_blocks(ROOT / "docs" / "notifications.md")
    receiver: dict[str, Any] = {}
    exec(script, receiver)
    given, is_genuine = first.headers["Deep-Asteroids-Signature"], receiver["is_genuine"]
    assert is_genuine(first.body, given, "whsec_test", within_s=60)
    assert not is_genuine(first.body + b" ", given, "whsec_test")
    assert not is_genuine(first.body, given, "whsec_other")
    assert not is_genuine(first.body, given, "whsec_test", within_s=-1)


def test_what_was_scored_before_a_query_was_saved_is_not_told(
    told: Settings, record: Record, web: Inbox
) -> None:
    with notifying(record, told):
        score(record, ["old"])
        wait_for(lambda: not record.shards.untold(limit=1))
        subscribe(record, f"{web.url}/hook")
        score(record, ["new"])
        wait_for(lambda: web.posted)
    assert ids_of(web.posted) == ["new"]


def test_a_receiver_that_never_answers_holds_up_nobody(told: Settings, record: Record, web: Inbox) -> None:
    over = threading.Event()
    web.answers["/dead"] = lambda: int(over.wait(60)) * 200
    for n in range(4):
        subscribe(record, f"{web.url}/dead", name=f"dead{n}")
    subscribe(record, f"{web.url}/alive", name="alive")
    with notifying(record, told):
        for n in range(5):
            begun = time.monotonic()
            score(record, [f"x{n}"])
            wait_for(lambda n=n: ids_of(web.at("/alive"))[-1:] == [f"x{n}"])  # type: ignore[misc]
            assert time.monotonic() - begun < 10
        wait_for(lambda: states(record, "dead0")["dead"])
        over.set()
    assert ids_of(web.at("/alive")) == [f"x{n}" for n in range(5)]
    dead = next(one for one in record.deliveries.latest("dead0", limit=10) if one.state == "dead")
    assert "no whole answer within 1 s" in str(dead.last_error)
    assert dead.attempts == 3


def test_a_pile_is_sent_as_fast_as_it_is_taken_and_never_two_at_once_to_one(
    told: Settings, record: Record, web: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, each = ("first", "second", "third"), 5
    going: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def slowly(name: str) -> int:
        going[name] += 1
        most[name] = max(most[name], going[name])
        time.sleep(0.05)
        going[name] -= 1
        return 200

    for name in names:
        web.answers[f"/{name}"] = partial(slowly, name)
        subscription = subscribe(record, f"{web.url}/{name}", name)
        for _ in range(each):
            record.deliveries.add_trial(subscription)
    monkeypatch.setattr("tasks.notifications.dispatcher.POLL_S", 3600.0)
    patient = {
        "notifications": QUICK.model_copy(update={"lease_s": 60.0}),
        "webhooks": HERE.model_copy(update={"timeout_s": 20.0}),
    }
    stop = threading.Event()
    thread = threading.Thread(target=Dispatcher(record, told.model_copy(update=patient)).run, args=[stop])
    thread.start()
    try:
        wait_for(lambda: all(states(record, name)["delivered"] == each for name in names))
    finally:
        stop.set()
        thread.join()
    assert most == dict.fromkeys(names, 1)


def test_a_failure_is_tried_again_with_the_same_message_until_it_is_taken(
    told: Settings, record: Record, web: Inbox
) -> None:
    answers = iter([500, 429, 204])
    web.answers["/hook"] = lambda: next(answers)
    subscribe(record, f"{web.url}/hook")
    with notifying(record, told):
        score(record, ["a"])
        wait_for(lambda: states(record, "mine")["delivered"])
    assert len(web.posted) == 3
    assert len({one.body for one in web.posted}) == 1
    assert len({one.headers["Deep-Asteroids-Delivery"] for one in web.posted}) == 1


def test_what_is_given_up_is_seen_and_can_be_sent_again(told: Settings, record: Record, web: Inbox) -> None:
    statuses = {"/hook": 500, "/gone": 410, "/moved": 302}
    for path, status in statuses.items():
        web.answers[path] = lambda status=status: status  # type: ignore[misc]
        subscribe(record, web.url + path, name=path[1:])
    with notifying(record, told):
        score(record, ["a"])
        wait_for(lambda: all(states(record, path[1:])["dead"] for path in statuses))
        assert len(web.at("/hook")) == 3
        assert len(web.at("/gone")) == 1  # 410: it is not asked again
        assert web.at("/elsewhere") == []  # no redirect is followed
        (dead,) = record.deliveries.latest("hook", limit=9)
        assert "answered with 500; expected 2xx" in str(dead.last_error)
        web.answers.clear()
        assert record.deliveries.revive("hook") == 1
        wait_for(lambda: states(record, "hook")["delivered"])
    assert record.deliveries.counts(["hook", "gone"]) == {"hook": {"delivered": 1}, "gone": {"dead": 1}}


def test_a_target_is_checked_when_it_is_named_and_when_it_is_posted_to(
    told: Settings, record: Record, web: Inbox
) -> None:
    for url, policy, expected in (
        (web.url, Webhooks(), "allowed schemes: https"),
        ("https://127.0.0.1/x", Webhooks(), "private address 127.0.0.1"),
        ("https://[::ffff:10.0.0.1]/x", Webhooks(), "webhooks.private_addresses"),
        ("https://me:you@example.org/", Webhooks(), "carries a user name"),
        ("https://example.org/", Webhooks(hosts=("other.example",)), "allowed: other.example"),
        ("file:///etc/passwd", Webhooks(schemes=("https", "file")), "allowed schemes"),
    ):
        with pytest.raises(Unsafe, match="webhook") as refused:
            check_webhook(url, policy)
        assert expected in str(refused.value)
    subscribe(record, f"{web.url}/hook")
    with notifying(record, told.model_copy(update={"webhooks": Webhooks(schemes=("http",))})):
        score(record, ["a"])
        wait_for(lambda: states(record, "mine")["dead"])
    assert web.posted == []


def test_matches_and_ended_jobs_are_mailed(told: Settings, record: Record, mailbox: Mailbox) -> None:
    mail = Mail(host="127.0.0.1", port=mailbox.port, security="none", sender="streaks@example.org")
    subscribe(record, "ann@example.org", channel="mail", secret="")
    subscribe(record, "b@example.org", "jobs", channel="mail", event="jobs", filter="", everybodys=True)
    with notifying(record, told.model_copy(update={"mail": mail})):
        mailbox.refuse = True
        job = score(record, ["a", "b"], owner="bob")
        wait_for(lambda: any(m.last_error for m in record.deliveries.latest("mine", limit=1)))
        mailbox.refuse = False
        wait_for(lambda: len(mailbox.messages) == 2)
        wait_for(lambda: states(record, "jobs")["delivered"])
    by_to = {message["To"]: message for message in mailbox.messages}
    text = by_to["ann@example.org"].get_content()
    assert by_to["ann@example.org"]["Subject"] == "mine: 2 new matches"
    assert "a  rb@1 0.900  sl@1 0.750" in text
    assert by_to["ann@example.org"]["Message-ID"].startswith("<")
    assert f"{job}  kind score  state finished" in by_to["b@example.org"].get_content()


def test_mail_without_a_server_is_said_and_a_wrong_password_too(
    told: Settings, record: Record, mailbox: Mailbox
) -> None:
    subscribe(record, "ann@example.org", channel="mail")
    with notifying(record, told):
        score(record, ["a"])
        wait_for(lambda: states(record, "mine")["dead"])
    (dead,) = record.deliveries.latest("mine", limit=9)
    assert "set mail.host and mail.sender" in str(dead.last_error)
    mailbox.password = "another one"
    mail = Mail(host="127.0.0.1", port=mailbox.port, security="none", sender="streaks@example.org")
    record.deliveries.revive("mine")
    with notifying(record, told.model_copy(update={"mail": mail})):
        wait_for(lambda: states(record, "mine")["dead"])
    assert "SMTPAuthenticationError" in str(record.deliveries.latest("mine", limit=9)[0].last_error)
    for wrong in (
        "ann",
        "a@b",
        "ann@example.org\r\nBcc: x@y.zz",
        "<ann@example.org>",
        "a@" + "b" * 300 + ".c",
    ):
        with pytest.raises(InvalidRequest, match="no address of e-mail"):
            checked_address(wrong)


def test_a_message_that_cannot_be_made_is_given_up_with_the_reason(
    told: Settings, record: Record, mailbox: Mailbox
) -> None:
    subscribe(record, "ann@example.org", channel="mail")
    record.database["subscriptions"].update_one({"_id": "mine"}, {"$set": {"name": "a\u2028b"}})  # of before
    mail = Mail(host="127.0.0.1", port=mailbox.port, security="none", sender="streaks@example.org")
    with notifying(record, told.model_copy(update={"mail": mail})):
        score(record, ["a"])
        wait_for(lambda: states(record, "mine")["dead"])
    (dead,) = record.deliveries.latest("mine", limit=9)
    assert (dead.attempts, str(dead.last_error).partition(":")[0]) == (3, "ValueError")


def test_only_ones_own_jobs_are_told_unless_all_are_asked_for(
    told: Settings, record: Record, web: Inbox
) -> None:
    subscribe(record, f"{web.url}/own", "own", event="jobs", filter="")
    subscribe(record, f"{web.url}/all", "all", event="jobs", filter="", everybodys=True)
    with notifying(record, told):
        jobs = [score(record, ["a"], owner=owner) for owner in (OWNER, "bob")]
        wait_for(lambda: len([j for one in web.at("/all") for j in json.loads(one.body)["jobs"]]) == 2)
        wait_for(lambda: web.at("/own"))
    assert [j["id"] for one in web.at("/own") for j in json.loads(one.body)["jobs"]] == jobs[:1]


def test_an_owner_who_may_not_any_more_is_not_told_and_a_filter_that_fails_is_noted(
    told: Settings, record: Record, web: Inbox
) -> None:
    record.accounts.add("eve", "a password of a test", "viewer")
    subscribe(record, f"{web.url}/eve", "eve", owner="eve")
    subscribe(record, f"{web.url}/left", "left", owner="nobody")
    subscribe(record, f"{web.url}/wrong", "wrong", filter="rb@77 > 0.5")
    subscribe(record, f"{web.url}/hook")
    with notifying(record, told):
        score(record, ["a"])
        wait_for(lambda: web.posted)
        wait_for(lambda: not record.shards.untold(limit=1))
    assert {one.path for one in web.posted} == {"/hook"}
    assert "rb@77" in str(record.subscriptions.get("wrong").fault)
    assert record.subscriptions.get("mine").fault is None


def test_a_subscription_that_always_fails_holds_up_nobody_and_is_told_why(
    told: Settings, record: Record, web: Inbox
) -> None:
    subscribe(record, f"{web.url}/broken", "broken")  # before the others, by whom it is looked at first
    subscribe(record, f"{web.url}/hook")
    record.database["subscriptions"].update_one({"_id": "broken"}, {"$set": {"filter": 5}})
    announcer = Announcer(record, told.notifications)
    score(record, ["a"])
    for _ in range(2):  # the look is tried again, in case it was our fault
        with pytest.raises(AttributeError):
            announcer.announce()
        assert states(record, "mine") == {"pending": 1}
    assert announcer.announce() == 2  # a shard and a job
    assert "AttributeError" in str(record.subscriptions.get("broken").fault)
    score(record, ["b"])
    assert announcer.announce() == 2
    (message,) = record.deliveries.latest("mine", limit=9)
    assert [entry["id"] for entry in message.entries] == ["a", "b"]
    record.database["subscriptions"].update_one({"_id": "broken"}, {"$set": {"filter": "plausible"}})
    score(record, ["c"])
    assert announcer.announce() == 2
    assert record.subscriptions.get("broken").fault is None
    assert states(record, "broken") == {"pending": 1}


def test_a_message_that_waits_is_not_sent_for_who_may_not_any_more(
    told: Settings, record: Record, web: Inbox
) -> None:
    subscribe(record, f"{web.url}/hook")
    score(record, ["a"])
    Announcer(record, told.notifications).announce()
    record.accounts.set_role(OWNER, "viewer")
    with notifying(record, told):
        wait_for(lambda: states(record, "mine")["dead"])
    assert web.posted == []
    assert record.deliveries.latest("mine", limit=1)[0].last_error == "its owner is no operator any more"


def test_subscriptions_go_with_the_account_and_nobody_of_its_name_inherits_them(
    told: Settings, record: Record, web: Inbox
) -> None:
    record.accounts.add("bob", "a password of a test", "operator")
    subscribe(record, f"{web.url}/bob", "bob", owner="bob")
    subscribe(record, f"{web.url}/hook")
    score(record, ["a"])
    Announcer(record, told.notifications).announce()
    record.accounts.remove("bob")
    record.accounts.add("bob", "another password of a test", "operator")
    with notifying(record, told):
        score(record, ["b"])
        wait_for(lambda: sorted(ids_of(web.posted)) == ["a", "b"])
    assert [one.path for one in web.posted] == ["/hook"] * len(web.posted)
    assert record.subscriptions.all(owner="bob") == []
    assert record.deliveries.latest("bob", limit=9) == []


def test_matches_gather_in_one_message_and_a_removed_subscription_forgets_all(
    told: Settings, record: Record, web: Inbox
) -> None:
    subscription = subscribe(record, f"{web.url}/hook")
    slow = Announcer(record, Notifications(gather_s=1.0))
    for n in range(3):
        score(record, [f"a{n}", f"b{n}"])
        slow.announce()
    entries = {f"many{n}": {"id": f"many{n}"} for n in range(1100)}
    assert record.deliveries.announce(subscription, entries, gather_s=1.0) == 1100
    assert record.deliveries.announce(subscription, entries, gather_s=1.0) == 0
    sizes = sorted(len(one.entries) for one in record.deliveries.latest("mine", limit=9))
    assert sizes == [106, 500, 500]
    record.subscriptions.remove("mine")
    for collection in ("announced", "deliveries", "subscriptions"):
        assert record.database[collection].count_documents({}) == 0


def test_two_announcers_at_once_tell_of_each_match_once(told: Settings, record: Record) -> None:
    subscribe(record, "http://127.0.0.1:9/never")
    for n in range(4):
        score(record, [f"{n}-{m}" for m in range(50)])
    stop = threading.Event()
    threads = [threading.Thread(target=Announcer(record, QUICK).run, args=[stop]) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: not record.shards.untold(limit=1))
    stop.set()
    for thread in threads:
        thread.join()
    entries = [entry["id"] for one in record.deliveries.latest("mine", limit=99) for entry in one.entries]
    assert len(entries) == len(set(entries)) == 200


@contextmanager
def _sweeper(env: dict[str, str]) -> Iterator[None]:
    """The process as it runs in a service; killed at the end, with its beat, which is a process beside it."""
    command = [sys.executable, "-m", "tasks.sweeper"]
    with subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_notifier_that_is_killed_again_and_again_tells_of_every_match(
    told: Settings, record: Record, web: Inbox, mongo_url: str, redis_url: str, tmp_path: Path
) -> None:
    """The sweeper's own process dies by SIGKILL while messages are made, on their way and just answered."""
    subscribe(record, f"{web.url}/hook")
    web.answers["/hook"] = lambda: 200 + int(threading.Event().wait(0.2))
    config = {"notifications": QUICK, "webhooks": HERE}
    env = {name: value for name, value in os.environ.items() if not name.startswith("DA_")} | {
        "DA_MONGO_URL": told.mongo_url.get_secret_value() if isinstance(told.mongo_url, SecretStr) else "",
        "DA_REDIS_URL": redis_url,
        "DA_MONGO_DATABASE": told.mongo_database,
        "DA_STATE_DIR": str(tmp_path / "state"),
        "DA_SECRETS_FILE": str(tmp_path / "secrets.json"),
        **{f"DA_{name.upper()}": value.model_dump_json() for name, value in config.items()},
    }
    wanted: list[str] = []
    for round_ in range(3):
        with _sweeper(env):
            before = len(web.posted)
            for n in range(6):
                ids = [f"{round_}-{n}-{m}" for m in range(3)]
                wanted += ids
                score(record, ids)
                if n == 0:  # it is up, and sends
                    wait_for(lambda before=before: len(web.posted) > before, timeout_s=60)  # type: ignore[misc]
            if round_ == 2:
                wait_for(lambda: not record.shards.untold(limit=1))
                wait_for(lambda: states(record, "mine").keys() == {"delivered"})
    told_in: dict[str, set[str]] = {}
    for one in web.posted:
        for cutout in ids_of([one]):
            told_in.setdefault(cutout, set()).add(one.headers["Deep-Asteroids-Delivery"])
    assert sorted(told_in) == sorted(wanted)
    assert {len(deliveries) for deliveries in told_in.values()} == {1}  # sent twice at most under one id
    bodies = {(one.headers["Deep-Asteroids-Delivery"], one.body) for one in web.posted}
    assert len(bodies) == len({delivery for delivery, _ in bodies})


def test_a_copy_that_is_not_to_send_tells_nobody_and_all_of_it_waits(
    told: Settings, record: Record, web: Inbox
) -> None:
    quiet = told.model_copy(update={"notifications": QUICK.model_copy(update={"send": False})})
    waited = record.deliveries.add_trial(subscribe(record, f"{web.url}/hook"))
    score(record, ["a"])
    for run in (Announcer(record, quiet.notifications).run, Dispatcher(record, quiet).run):
        run(threading.Event())  # which ends by itself
        assert states(record, "mine") == {"pending": 1}
        assert not web.posted
    with notifying(record, told):
        wait_for(lambda: ids_of(web.posted) == ["a"])
    assert any(waited.id in found.body.decode() for found in web.posted)
