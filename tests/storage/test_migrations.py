"""A database of an earlier release is migrated, whatever dies; one of another release is refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import Conflict, Misconfigured
from core.settings import Settings
from storage.database import INDEXES, Document
from storage.decisions import plausible_now
from storage.migrations import MIGRATIONS, Migration, migrate, pending
from storage.record import Record, open_record
from storage.schema import SCHEMA, prepare, refuse_unfit, schema_of
from storage.workers import WorkerInfo
from tests.record import register


@pytest.fixture
def untouched(settings: Settings) -> Iterator[Record]:
    """A database that no service has been on."""
    record = open_record(settings)
    yield record
    record.close()


@pytest.fixture
def old(untouched: Record) -> Record:
    """A database as the first release left it: no version, no ranks, one score for each family."""
    database = untouched.database
    scored = {"rb": 0.75, "sl": 0.25, "plausible": True, "versions": {"rb": "rb@1", "sl": "sl@1"}}
    database["cutouts"].insert_many([{"_id": f"{n:04}", **scored} for n in range(2500)])
    database["cutouts"].insert_one({"_id": "unscored", "sha256": None})
    database["jobs"].insert_many([{"_id": "a"}, {"_id": "b", "rank": 5}])
    database["shards"].insert_one({"_id": {"job": "a", "n": 0}, "state": "waiting"})
    names = ("strkid68050000000015_pid680500000015", "f" * 64)
    database["outcomes"].insert_many(
        [{"_id": {"cutout": n, "version": "rb@1"}, "score": 0.75} for n in names]
    )
    database["outcomes"].create_index([("_id.version", 1), ("score", 1)])
    return untouched


def shapes(record: Record) -> dict[str, list[Document]]:
    return {n: list(record.database[n].find().sort("_id", 1)) for n in ("cutouts", "jobs", "shards")}


def test_the_migrations_lead_to_this_release_without_a_gap() -> None:
    assert [migration.to for migration in MIGRATIONS] == list(range(1, SCHEMA + 1))


def test_a_new_database_is_of_this_release(untouched: Record) -> None:
    refuse_unfit(untouched.database)
    assert pending(untouched.database) == []
    prepare(untouched.database)
    assert schema_of(untouched.database) == SCHEMA
    assert pending(untouched.database) == []
    prepare(untouched.database)


def test_a_database_of_before_there_were_versions_is_refused_and_migrated(old: Record) -> None:
    with pytest.raises(Misconfigured, match=r"has schema 0, .* needs 2; .*streaks migrate"):
        prepare(old.database)
    assert set(old.database["cutouts"].index_information()) == {"_id_"}  # nothing was changed
    assert [migration.to for migration in migrate(old)] == [1, 2]
    prepare(old.database)
    register(old, "rb@1", "sl@1")
    cutout = old.database["cutouts"].find_one({"_id": "0000"})
    assert cutout is not None
    assert cutout["scores"] == {"rb@1": 0.75, "sl@1": 0.25}
    assert plausible_now(old.models, cutout) is False  # sl is below its threshold
    assert old.database["cutouts"].find_one({"_id": "unscored"}) == {"_id": "unscored", "sha256": None}
    assert {d["_id"]: d["rank"] for d in old.database["jobs"].find()} == {"a": 0, "b": 5}
    assert [d["rank"] for d in old.database["shards"].find()] == [0]
    assert [d["night"] for d in old.database["outcomes"].find()] == ["20181112", None]
    assert migrate(old) == []


def test_a_migrated_database_has_the_indexes_of_a_new_one(old: Record) -> None:
    migrate(old)
    for name, wanted in INDEXES.items():
        there = set(old.database[name].index_information())
        assert there == {"_id_", *(index.document["name"] for index in wanted)}, name


def test_a_dry_run_counts_and_touches_nothing(old: Record) -> None:
    before = shapes(old)
    first, second = pending(old.database)
    assert first.pending(old.database) == 2500 + 1 + 1
    assert second.pending(old.database) == 2
    assert shapes(old) == before
    assert "service" not in old.database.list_collection_names()


def test_a_migration_that_dies_goes_on_and_services_refuse_meanwhile(old: Record) -> None:
    said: list[str] = []

    def die(sentence: str) -> None:
        if sentence not in said:
            said.append(sentence)
            raise KeyboardInterrupt

    while True:
        try:
            migrate(old, tell=die)
        except KeyboardInterrupt:
            if said[-1] != "building indexes":
                with pytest.raises(Misconfigured, match=r"not ended; \./streaks migrate"):
                    prepare(old.database)
        else:
            break
    assert len(said) > 4
    refuse_unfit(old.database)
    assert (
        old.database["cutouts"].count_documents({"versions": {"$exists": True}, "scores": {"$exists": False}})
        == 0
    )


def test_migrations_are_done_in_order_and_only_those_that_are_due(old: Record) -> None:
    done: list[int] = []

    def step(to: int) -> Migration:
        def change(_: str, document: Document) -> dict[str, Any]:
            done.append(to)
            return {f"is_{to}": True}

        return Migration(to, f"step {to}", {"jobs": {f"is_{to}": {"$exists": False}}}, change)

    migrate(old, [step(1)])
    migrate(old, [step(1), step(2), step(3)])
    assert done == [1, 1, 2, 2, 3, 3]
    assert schema_of(old.database) == 3


def test_a_newer_database_is_refused_by_services_and_by_migrate(record: Record) -> None:
    record.database["service"].update_one({"_id": "schema"}, {"$set": {"version": SCHEMA + 1}})
    for refuse in (prepare, refuse_unfit, pending):
        with pytest.raises(Misconfigured, match=f"has schema {SCHEMA + 1}, and this release knows {SCHEMA}"):
            refuse(record.database)


def test_nothing_is_migrated_while_workers_are_at_work(old: Record) -> None:
    old.workers.report(WorkerInfo("host:cpu", "mean-grey", "cpu", ("rb@1",), 0, 0), token="t")
    before = shapes(old)
    with pytest.raises(Conflict, match=r"host:cpu.*stop the service"):
        migrate(old)
    assert shapes(old) == before
