"""Each service's account on a real MongoDB: what it may not do. That it may do what it needs, others show."""

from collections.abc import Iterator

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from core.errors import Misconfigured
from storage.database import PRIVATE, SHARED, Document, Mongo, check, connect
from storage.schema import prepare
from storage.service_rights import SERVICES, Service, check_service, role_of
from tests.service_accounts import url_of

DATABASE = "test_service_rights"
OF_PEOPLE = (
    "users",
    "tokens",
    "sessions",
    "login_failures",
    "audit",
    "guests",
    "subscriptions",
    "deliveries",
)
MANAGES = (
    {"createUser": "x", "pwd": "x", "roles": ["root"]},
    {"createRole": "x", "privileges": [], "roles": []},
    {"grantRolesToUser": "streaks-api", "roles": ["root"]},
    {"usersInfo": 1},
    {"shutdown": 1},
    {"getParameter": "*"},
    {"setParameter": 1, "quiet": True},
    {"replSetGetConfig": 1},
    {"getLog": "global"},
    {"fsync": 1},
)


Accounts = dict[Service, Mongo]


@pytest.fixture(scope="module")
def accounts(mongo_url: str) -> Iterator[Accounts]:
    with MongoClient[Document](mongo_url) as client:
        prepare(client[DATABASE])
        opened = {s: connect(url_of(s, mongo_url, DATABASE), DATABASE) for s in SERVICES}
        yield opened
        for database in opened.values():
            database.client.close()
        client.drop_database(DATABASE)


def refused(database: Mongo, command: Document) -> bool:
    try:
        database.command(command)
    except OperationFailure as error:
        return error.code == 13
    return False


@pytest.mark.parametrize("service", ["worker", "trainer"])
@pytest.mark.parametrize("name", OF_PEOPLE)
def test_who_computes_neither_reads_nor_writes_what_is_of_people(
    accounts: Accounts, service: Service, name: str
) -> None:
    of_people = accounts[service][name]
    with pytest.raises(OperationFailure, match="not authorized"):
        of_people.find_one()
    with pytest.raises(OperationFailure, match="not authorized"):
        of_people.insert_one({})
    with pytest.raises(OperationFailure, match="not authorized"):
        of_people.update_one({"_id": "admin"}, {"$set": {"role": "admin"}})
    joined = {"$lookup": {"from": name, "localField": "_id", "foreignField": "_id", "as": "stolen"}}
    with pytest.raises(OperationFailure, match="not authorized"):
        list(accounts[service]["jobs"].aggregate([joined]))


def test_a_worker_removes_no_score_and_moves_no_mark(accounts: Accounts) -> None:
    worker = accounts["worker"]
    for name in ("outcomes", "cutouts", "jobs", "shards", "models"):
        assert refused(worker, {"delete": name, "deletes": [{"q": {}, "limit": 0}]}), name
    with pytest.raises(OperationFailure, match="not authorized"):
        worker["service"].update_one({"_id": "schema"}, {"$set": {"version": 99}})


@pytest.mark.parametrize("service", [s for s in SERVICES if s != "operator"])
def test_no_service_drops_anything_or_reads_another_database(accounts: Accounts, service: Service) -> None:
    database = accounts[service]
    for name in ("jobs", "users", "service"):
        assert refused(database, {"drop": name}), name
        assert refused(database, {"dropIndexes": name, "index": "*"}), name
    assert refused(database, {"dropDatabase": 1})
    for other, name in (("admin", "system.users"), ("local", "oplog.rs"), ("other", "x")):
        assert refused(database.client[other], {"find": name}), other


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("command", MANAGES, ids=lambda command: next(iter(command)))
def test_no_service_manages_the_server(accounts: Accounts, service: Service, command: Document) -> None:
    assert refused(accounts[service].client["admin"], command)


def test_what_is_in_the_audit_stays_as_it_is_to_all_but_the_sweeper_that_removes_by_age(
    accounts: Accounts,
) -> None:
    change = {"update": "audit", "updates": [{"q": {}, "u": {"$set": {"who": "nobody"}}}]}
    remove = {"delete": "audit", "deletes": [{"q": {"_id": "none"}, "limit": 0}]}
    services: tuple[Service, ...] = ("api", "worker", "trainer", "beat")
    assert [refused(accounts[service], change) for service in services] == [True] * 4
    assert [refused(accounts[service], remove) for service in services] == [True, True, True, False]


def test_rights_are_on_collections_that_there_are() -> None:
    there = {*PRIVATE, *SHARED, ""}
    for service in SERVICES:
        named = {p["resource"]["collection"] for p in role_of(service, "d")["privileges"]}
        assert named <= there, service


def test_another_services_account_is_told_with_what_it_lacks_and_ones_own_is_enough(
    accounts: Accounts,
) -> None:
    with pytest.raises(Misconfigured, match=r"streaks-x at MongoDB lacks rights that the beat needs \("):
        check_service(accounts["worker"], "beat", account="streaks-x")
    for service in ("api", "worker", "trainer", "beat"):
        check_service(accounts[service], service, account="streaks-x")
        check_service(accounts["operator"], service, account="streaks-x")


def test_a_wrong_password_and_another_database_are_told_with_the_account_and_the_cure(
    accounts: Accounts, mongo_url: str
) -> None:
    nobody = connect(url_of("worker", mongo_url, DATABASE).replace("password", "passwort"), DATABASE)
    with nobody.client, pytest.raises(Misconfigured, match=r"of the account streaks-x; .*make_secrets\.py"):
        check(nobody, account="streaks-x")
    elsewhere = accounts["worker"].client["elsewhere"]
    with pytest.raises(Misconfigured, match=r"rights of the account streaks-x at MongoDB .*compose up"):
        check(elsewhere, account="streaks-x")
