"""Filters on a real mongod: the query finds all that the filter is true of, and few others."""

import random
from typing import Any

from core.filters.ast import And, Cone, Filter, Node, Not
from core.filters.bind import bind
from core.filters.bound import BoundFilter
from core.filters.grammar import parse
from storage.filter_query import query
from storage.record import Record
from tests.filters import PRODUCTION, naive, random_cone, random_cutout, random_node, random_position

Outcomes = dict[str, float | None]


def bound(text: str) -> BoundFilter:
    return bind(parse(text), PRODUCTION)


def operators(found: object) -> set[str]:
    """Every key of a query that begins with a dollar."""
    if isinstance(found, dict):
        own = {key for key in found if key.startswith("$")}
        return own.union(*map(operators, found.values()))
    return set().union(*map(operators, found)) if isinstance(found, list) else set()


def found(record: Record, node: Node, outcomes: dict[str, Outcomes]) -> tuple[set[str], set[str]]:
    """The ids that the query finds, and those of them that the filter matches."""
    filled = bind(Filter(node), PRODUCTION)
    documents = list(record.database["cutouts"].find(query(filled)))
    matched = {d["_id"] for d in documents if filled.matches(d, outcomes[d["_id"]])}
    return {d["_id"] for d in documents}, matched


def test_query_and_match_together_are_the_filter(record: Record) -> None:
    rng = random.Random(3)
    cutouts = [random_cutout(rng, f"cutout-{n}") for n in range(150)] + [random_cutout(rng, "it's")]
    outcomes = {document["_id"]: scores for document, scores in cutouts}
    record.database["cutouts"].insert_many([document for document, _ in cutouts])
    stored: list[dict[str, Any]] = list(record.database["cutouts"].find())
    some = narrowed = 0
    for _ in range(500):
        node = random_node(rng, depth=rng.randint(1, 4))
        filled = bind(Filter(node), PRODUCTION)
        true = {d["_id"] for d in stored if naive(filled.root, d, outcomes[d["_id"]]) == 1}
        candidates, matched = found(record, node, outcomes)
        assert matched == true, str(filled)
        some += bool(true)
        narrowed += len(candidates) < len(stored)
    assert some > 200
    assert narrowed > 200


def test_cones_over_poles_and_0_h_lose_nothing_to_the_box(record: Record) -> None:
    rng = random.Random(5)
    cutouts: list[dict[str, Any]] = [{"_id": str(n), **random_position(rng)} for n in range(300)]
    record.database["cutouts"].insert_many(cutouts)
    several = 0
    for _ in range(200):
        cone = random_cone(rng)
        true = {d["_id"] for d in cutouts if naive(cone, d, {}) == 1}
        candidates, matched = found(record, cone, {d["_id"]: {} for d in cutouts})
        assert matched == true, str(cone)
        assert candidates >= true
        several += len(true) > 1
    assert several > 20


def test_a_small_cone_reads_few_cutouts(record: Record) -> None:
    rng = random.Random(6)
    cones = (Cone(0.0, 0.0, 60.0), Cone(359.99, 60.0, 60.0), Cone(180.0, -89.9, 60.0))
    near = [{"ra": rng.uniform(0, 360), "dec": cone.dec_deg} for cone in cones for _ in range(300)]
    record.database["cutouts"].insert_many([{"_id": str(n), **place} for n, place in enumerate(near)])
    for cone in cones:
        assert len(found(record, cone, {str(n): {} for n in range(900)})[0]) < 30


def test_a_document_whose_production_score_decides_is_not_read(record: Record) -> None:
    record.database["cutouts"].insert_many(
        [
            {"_id": "low", "scores": {"rb@2": 0.2}},
            {"_id": "high", "scores": {"rb@2": 0.8}},
            {"_id": "of another version", "scores": {"rb@1": 0.8}},
            {"_id": "none"},
        ]
    )

    def read(text: str) -> set[str]:
        return {d["_id"] for d in record.database["cutouts"].find(query(bound(text)))}

    assert read("rb >= 0.5") == {"high", "of another version", "none"}
    assert read("not rb >= 0.5") == {"low", "of another version", "none"}
    assert read("lacks rb") == {"of another version", "none"}


def test_what_is_indexed_is_looked_up_in_its_index(record: Record) -> None:
    for text, index in (
        ("night = 20180301 and rb >= 0.5", "night_1__id_1"),
        ("night between 20180301 and 20180331 and lacks rb@3", "night_1__id_1"),
        ("id in ('a', 'b') and not plausible", "_id_"),
        ("jd > 2458178.5 and jd < 2458179.5", "jd_1_streakid_1"),
        ("streakid = 12345678901234567890", "streakid_1"),
    ):
        stage = record.database["cutouts"].find(query(bound(text))).explain()["queryPlanner"]["winningPlan"]
        while "inputStage" in stage:
            stage = stage["inputStage"]
        assert stage.get("indexName") == index, text


def test_an_operator_in_a_text_is_compared_and_never_run(record: Record) -> None:
    for n, text in enumerate(["$where", "{'$gt': 1}", "$ne", "a\\.b", "'; drop", "\u202e", ".*", "^a"]):
        quoted, name = text.replace("'", "''"), f"cutout-{n}"
        record.database["cutouts"].insert_many([{"_id": text}, {"_id": name, "reference": text}])
        for key, expected in (("id", text), ("reference", name)):
            for told in (f"{key} = '{quoted}'", f"{key} in ('{quoted}')", f"not {key} != '{quoted}'"):
                documents = record.database["cutouts"].find(query(bound(told)))
                assert [d["_id"] for d in documents] == [expected], told


def test_only_these_operators_ever_reach_the_database() -> None:
    rng = random.Random(9)
    used: set[str] = set()
    for _ in range(500):
        used |= operators(query(bind(Filter(random_node(rng, depth=4)), PRODUCTION)))
    compared = {"$eq", "$ne", "$lt", "$lte", "$gt", "$gte", "$in", "$nin", "$type", "$exists", "$not"}
    assert used <= compared | {"$and", "$or"}


def test_the_largest_filter_is_taken_by_the_database(record: Record) -> None:
    wide = " or ".join(["not fid = 1"] * 650)
    deep = Filter(parse("fid = 1 or jd = 2").root)
    for _ in range(15):
        deep = Filter(Not(And((deep.root, parse("fid = 1 or jd = 2").root))))
    for filled in (bound(wide), bind(parse(str(deep)), {})):
        assert list(record.database["cutouts"].find(query(filled))) == []
