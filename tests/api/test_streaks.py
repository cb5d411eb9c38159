"""The predecessors' call for streaks, asked as their scripts ask, and held against the typed API."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from bson import json_util

from core.outcome import Outcome
from cutouts.nights import Row, read_metadata
from storage.cutouts import CutoutRecord
from storage.decisions import production_fields
from storage.record import Record
from tests.api.server import ADMIN, ApiServer
from tests.api.versions import RB, SL
from tests.nights import metadata

PID = "680000000115"
NAMES = [f"strkid{PID}{n:04}_pid{PID}" for n in range(6)]
GEO = "midpoint_coordinates.radec_geojson"
OURS = {"streakid": {"$in": [int(f"{PID}{n:04}") for n in range(6)]}}


@pytest.fixture(scope="module", autouse=True)
def night(api_record: Record) -> Iterator[None]:
    """Six streaks, a degree of ra apart; the last one has no score, the first three are plausible."""
    rows = []
    for n, name in enumerate(NAMES):
        ends = {"ra1": f"{200 + n}.0", "ra2": f"{200 + n}.002", "jd": str(2458434.5 + n)}
        _, values = read_metadata(metadata(n, pid=PID, streakid=f"{PID}{n:04}", **ends))
        rows.append(Row("table.txt", n, name, values))
    api_record.nights.join_metadata(rows)
    api_record.cutouts.own([CutoutRecord(name, "a" * 64) for name in NAMES])
    scores = {name: {RB: 1 - n / 8, SL: 0.75 if n < 3 else 0.25} for n, name in enumerate(NAMES[:5])}
    outcomes = [Outcome(name, version, score) for name, of in scores.items() for version, score in of.items()]
    api_record.outcomes.insert(outcomes, provenance={})
    api_record.cutouts.set_production(production_fields(api_record.models, scores))
    yield
    api_record.database["cutouts"].delete_many({"_id": {"$in": NAMES}})


def ask(api: ApiServer, filter: Any = None, **more: Any) -> requests.Response:  # noqa: A002
    return api.ask("POST", "/streaks", json={"filter": filter} | more)


def found(api: ApiServer, filter: Any, **more: Any) -> list[str]:  # noqa: A002
    answer = ask(api, {"$and": [OURS, filter]}, **more)
    assert answer.status_code == 200, answer.text
    return [document["_id"] for document in json_util.loads(answer.text)]


def old_script(url: str, scheme: str) -> list[dict[str, Any]]:
    """As it was written for the old service."""
    login = requests.post(f"{url}/auth", json={"username": ADMIN[0], "password": ADMIN[1]}, timeout=30)
    headers = {"Authorization": scheme + login.json()["access_token"]}
    query = {
        "filter": {"jd": {"$gte": 2458434.5, "$lt": 2458438.5}, "rb": {"$gt": 0.5}, "pid": PID},
        "projection": {
            "_id": 1,
            "jd": 1,
            "rb": 1,
            "sl": 1,
            "plausible": 1,
            "midpoint_coordinates": 1,
            "last_modified": 1,
        },
    }
    answer = requests.post(f"{url}/streaks", json=query, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    documents: list[dict[str, Any]] = json_util.loads(answer.text)
    return documents


def test_a_script_for_the_old_service_gets_the_documents_that_the_typed_api_gives(api: ApiServer) -> None:
    documents = old_script(api.url, "Bearer ")
    assert documents == old_script(api.url, "")
    text = f"jd >= 2458434.5 and jd < 2458438.5 and {RB} > 0.5 and pid = {PID}"
    listed = api.ask("GET", "/v1/cutouts", params={"filter": text}).json()["cutouts"]
    assert [document["_id"] for document in documents] == [cutout["id"] for cutout in listed] == NAMES[:4]
    for document, cutout in zip(documents, listed, strict=True):
        typed = api.ask("GET", f"/v1/cutouts/{document['_id']}").json()
        assert (document["rb"], document["sl"]) == (cutout["scores"][RB], cutout["scores"][SL])
        assert document.pop("plausible") == int(typed["plausible"]) == int(cutout["plausible"])
        typed_time = datetime.fromisoformat(typed["last_modified"]).replace(tzinfo=None)
        assert abs((document.pop("last_modified") - typed_time).total_seconds()) < 0.001
        assert document.pop("_id") == typed["id"]
        assert document == {key: typed[key] for key in ("jd", "rb", "sl", "midpoint_coordinates")}


def test_without_a_projection_a_document_is_whole(api: ApiServer) -> None:
    (document,) = json_util.loads(ask(api, {"_id": NAMES[5]}).text)
    typed = api.ask("GET", f"/v1/cutouts/{NAMES[5]}").json()
    assert {"id": document.pop("_id"), **document, "outcomes": []} == typed
    assert "rb" not in document


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, range(6)),
        ({"plausible": 1}, [0, 1, 2]),
        ({"plausible": {"$gt": 0}}, [0, 1, 2]),
        ({"plausible": {"$ne": True}}, [3, 4, 5]),
        ({"rb": {"$exists": False}}, [5]),
        ({"rb": None}, [5]),
        ({"streakid": {"$numberLong": f"{PID}0002"}}, [2]),
        ({"streakid": {"$nin": [f"{PID}0002", int(f"{PID}0003")]}}, [0, 1, 4, 5]),
        ({"$or": [{"rb": {"$gte": 1}}, {"sl": {"$lt": 0.5}}]}, [0, 3, 4]),
        ({"$nor": [{"rb": {"$gte": 0.75}}, {"jd": {"$gt": 2458439}}]}, [3, 4]),
        ({"rb": {"$not": {"$gte": 0.75}}}, [3, 4, 5]),
        ({"midpoint_coordinates.radec_deg.0": {"$gt": 203}}, [3, 4, 5]),
        ({"last_modified": {"$gt": {"$date": "2018-01-01T00:00:00Z"}}}, range(5)),
        ({"last_modified": {"$gt": {"$date": 1514764800000}}, f"scores.{RB}": 1}, [0]),
        ({GEO: {"$geoWithin": {"$centerSphere": [[22.001, -5.0], 0.02]}}}, [1, 2, 3]),
        (
            {
                GEO: {
                    "$geoWithin": {
                        "$geometry": {
                            "type": "Polygon",
                            "coordinates": [[[19.5, -6], [21.5, -6], [21.5, -4], [19.5, -4], [19.5, -6]]],
                        }
                    }
                }
            },
            [0, 1],
        ),
    ],
)
def test_a_filter_finds_what_it_says(api: ApiServer, filter: Any, expected: Any) -> None:  # noqa: A002
    assert found(api, filter, projection={"_id": 1}) == [NAMES[n] for n in expected]


def test_a_projection_includes_or_excludes_and_a_limit_limits(api: ApiServer) -> None:
    assert ask(api, OURS, projection={"_id": 0, "rb": 1}, limit=2).json() == [{"rb": 1}, {"rb": 0.875}]
    whole = ask(api, OURS, limit=1).json()[0]
    assert ask(api, OURS, projection={"_id": 0}, limit=1).json()[0].keys() == whole.keys() - {"_id"}
    part = ask(api, OURS, projection={"midpoint_coordinates": 0, "ades": 0}, limit=1).json()[0]
    assert part.keys() == whole.keys() - {"midpoint_coordinates"}
    nested = ask(api, OURS, projection={"midpoint_coordinates.radec_deg": 1}, limit=0).json()
    assert [document["_id"] for document in nested] == NAMES
    assert nested[0]["midpoint_coordinates"].keys() == {"radec_deg"}
    assert ask(api, {"_id": "strkid"}).json() == []


def test_more_than_one_look_gives_every_document_once(api: ApiServer, api_record: Record) -> None:
    names = [f"strkid6800000002150{n:05}_pid680000000215" for n in range(2500)]
    cutouts = api_record.database["cutouts"]
    cutouts.insert_many(
        [{"_id": name, "sha256": None, "night": "19990909", "pid": "680000000215"} for name in names]
    )
    try:
        asked = {"pid": 680000000215}
        answer = ask(api, asked)
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert [document["_id"] for document in answer.json()] == names
        assert [d["_id"] for d in ask(api, asked, projection={"_id": 1}, limit=1500).json()] == names[:1500]
    finally:
        cutouts.delete_many({"_id": {"$in": names}})


def deep(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"jd": 1}
    for _ in range(levels):
        inner = {"$and": [inner]}
    return inner


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"filter": {"$where": "sleep(9999)"}}, "operator '$where'; expected a field, or $and"),
        ({"filter": {"$expr": {"$function": {"body": "x"}}}}, "operator '$expr'"),
        ({"filter": {"$or": [{"jd": {"$gt": 1}}, {"$where": "1"}]}}, "operator '$where'"),
        ({"filter": {"jd": {"$not": {"$where": "1"}}}}, "operator '$where' of jd"),
        ({"filter": {"pdiffimfilename": {"$regex": "(a+)+$"}}}, "operator '$regex' of pdiffimfilename"),
        ({"filter": {"jd": {"$not": {"$regularExpression": {"pattern": "a", "options": ""}}}}}, "operator"),
        ({"filter": {"jd": {"$code": "1"}}}, "operator '$code' of jd"),
        ({"filter": {"password": 1}}, "field 'password' is not known; expected one of _id"),
        ({"filter": {"ades.$where": 1}}, "is not known"),
        ({"filter": {"midpoint_coordinates.nowhere": 1}}, "is not known"),
        ({"filter": {"jd": "2458434"}}, "jd is compared with '2458434'; expected a number"),
        ({"filter": {"jd": True}}, "jd is compared with True"),
        ({"filter": {"jd": 10**30}}, "expected a number"),
        ({"filter": {"jd": {}}}, "expected a value, or operators"),
        ({"filter": {"jd": {"gt": 1}}}, "expected a value, or operators"),
        ({"filter": {"jd": [1]}}, "jd is compared with [1]"),
        ({"filter": {"jd": {"$in": 5}}}, "expected a list of at most 10000"),
        ({"filter": {"jd": {"$in": [{"$gt": 1}]}}}, "jd is compared with {'$gt': 1}"),
        ({"filter": {"jd": {"$exists": "yes"}}}, "$exists of jd is 'yes'; expected true or false"),
        ({"filter": {"jd": {"$numberLong": "x"}}}, "expected extended JSON"),
        ({"filter": {"last_modified": {"$gt": "2018-01-01"}}}, 'expected a time such as {"$date"'),
        ({"filter": {"last_modified": {"$gt": {"$date": "soon"}}}}, "expected extended JSON"),
        ({"filter": {"_id": "\ud800"}}, "expected a text"),
        ({"filter": {"plausible": 0.5}}, "plausible is compared with 0.5; expected 1 or 0"),
        ({"filter": {"$and": []}}, "$and of []; expected a list of filters"),
        ({"filter": {"$or": [1]}}, "filter 1; expected an object"),
        ({"filter": deep(30)}, "over 20 levels"),
        ({"filter": {"$or": [{"jd": n} for n in range(2001)]}}, "over 2000 conditions"),
        (
            {"filter": {"jd": {"$geoWithin": {"$centerSphere": [[0, 0], 1]}}}},
            f"$geoWithin of jd; expected {GEO}",
        ),
        (
            {"filter": {GEO: {"$geoWithin": {"$centerSphere": [[200, 0], 1]}}}},
            "expected $centerSphere of [[ra",
        ),
        ({"filter": {GEO: {"$geoWithin": {"$box": [[0, 0], [1, 1]]}}}}, "expected $centerSphere"),
        (
            {
                "filter": {
                    GEO: {"$geoWithin": {"$geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}}
                }
            },
            "MongoDB can't ask this",
        ),
        ({"projection": {"jd": {"$slice": 1}}}, "expected 1 or 0"),
        ({"projection": {"jd": "$password"}}, "expected 1 or 0"),
        ({"projection": {"x": 1}}, "field 'x' is not known"),
        ({"projection": {"jd": 1, "rb": 0}}, "includes and excludes"),
        ({"projection": {"ades": 1, "ades.obsBlock": 1}}, "names ades.obsBlock and ades"),
    ],
)
def test_what_is_not_of_the_language_is_told_and_never_asked(api: ApiServer, asked: Any, said: str) -> None:
    answer = api.ask("POST", "/streaks", json=asked)
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert said in answer.json()["detail"], answer.text


@pytest.mark.parametrize("asked", [{"limit": -1}, {"limit": "all"}, {"filter": []}, {"sort": {"jd": 1}}, []])
def test_what_is_no_such_request_is_told(api: ApiServer, asked: Any) -> None:
    assert api.ask("POST", "/streaks", json=asked).status_code == 422


def test_nobody_asks_without_a_token(api: ApiServer) -> None:
    for headers in ({}, {"Authorization": "Bearer da_wrong"}, {"Authorization": "da_wrong"}):
        answer = requests.post(f"{api.url}/streaks", json={"filter": {}}, headers=headers, timeout=30)
        assert answer.status_code == 401
