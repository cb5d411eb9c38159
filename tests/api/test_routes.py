"""Who may call what: every route of the app, walked without a session and with each role.

A route that is new has no rule here and fails, so that somebody thinks of one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from api.main import create_app
from core.settings import Settings
from core.user import ROLES, Role
from storage.record import Record
from tests.api.server import ApiServer

PASSWORD = "a password of a test"

OPEN = """
GET /healthz · GET /readyz · POST /auth · GET /login · POST /login · GET /assets/{which}/{name:path}
"""
ANYBODY = """
POST /v1/tokens · GET /v1/tokens · DELETE /v1/tokens/current · DELETE /v1/tokens/{token_id}
GET /v1/jobs · GET /v1/jobs/{job_id} · GET /v1/jobs/{job_id}/results · GET /v1/jobs/{job_id}/events
GET /v1/jobs/{job_id}/changes · GET /v1/jobs/{job_id}/export
GET /v1/cutouts/changes · GET /v1/cutouts/export · POST /v1/cutouts/export · GET /v1/cutouts
GET /v1/cutouts/{cutout} · GET /v1/cutouts/{cutout}/image · GET /v1/cutouts/{cutout}/verdicts
GET /v1/scores · GET /v1/ades · GET /v1/models · GET /v1/models/{version} · GET /v1/models/{version}/weights
GET /v1/models/{version}/plots/{name} · GET /v1/datasets · GET /v1/datasets/{name}
GET /v1/datasets/{name}/left-out · GET /v1/datasets/{name}/images · GET /v1/nights · GET /v1/nights/{night}
GET /v1/imports/{name} · GET /v1/workers · GET /v1/users/me
GET /v1/queues · POST /streaks · PUT /v1/users/me/password · GET /openapi.json
GET / · POST /logout · GET /me · POST /me/password · POST /me/tokens · POST /me/tokens/{token_id}/revoke
GET /tonight · GET /tonight/streaks · GET /tonight/events · GET /results · POST /results/export
GET /results/count · GET /cutouts/{cutout} · GET /cutouts/{cutout}/picture · GET /jobs · GET /jobs/{job_id}
GET /models · GET /models/{version} · GET /workers · GET /projects · GET /v1/projects · GET /metrics
"""
FROM: Mapping[Role, str] = {
    "labeller": """
PUT /v1/verdicts/{event} · POST /v1/projects/import · POST /v1/projects · POST /projects · PUT /projects
""",
    "operator": """
POST /v1/jobs/score · POST /v1/jobs/train · POST /v1/jobs/rescore · PATCH /v1/jobs/{job_id}
DELETE /v1/jobs/{job_id} · POST /v1/datasets · POST /v1/nights/{night} · POST /v1/imports/{name}
POST /v1/imports/{name}/documents · POST /jobs/{job_id}/{change}
GET /v1/subscriptions · POST /v1/subscriptions · GET /v1/subscriptions/{subscription}
DELETE /v1/subscriptions/{subscription} · POST /v1/subscriptions/{subscription}/trial
POST /v1/subscriptions/{subscription}/retry · POST /me/subscriptions
POST /me/subscriptions/{subscription}/{change}
""",
    "admin": """
POST /v1/models · POST /v1/models/{version}/promote · POST /v1/models/{version}/archive
PUT /v1/models/{version}/threshold · GET /v1/users · POST /v1/users · PATCH /v1/users/{name}
DELETE /v1/users/{name} · GET /accounts · POST /accounts · POST /accounts/{name}/role
POST /accounts/{name}/password · POST /accounts/{name}/remove · GET /models/{version}/promote
GET /models/{version}/changes · POST /models/{version}/promote · GET /v1/blobs/{sha256}
HEAD /v1/blobs/{sha256} · PUT /v1/blobs/{sha256}
""",
}
OF_MEMBERS = "{pid}"
"""What is of a labelling project is of its members: to others it is not there."""
ENDS_THE_TOKEN = "DELETE /v1/tokens/current"


def listed(text: str) -> set[str]:
    return {route.strip() for line in text.splitlines() for route in line.split("·") if route.strip()}


def routes() -> Iterator[str]:
    """Every method and path of the app."""
    found: list[Any] = []
    for included in create_app(Settings()).routes:
        contexts = getattr(included, "effective_route_contexts", None)
        found += [included] if contexts is None else contexts()
    for route in found:
        yield from (f"{method} {route.path}" for method in route.methods)


_ANY: Mapping[str, Role] = dict.fromkeys(listed(ANYBODY), "viewer")
RULES = {**_ANY, **{route: role for role, text in FROM.items() for route in listed(text)}}


@pytest.fixture(scope="module")
def tokens(api: ApiServer, api_record: Record) -> dict[Role, str]:
    """A token of each role."""
    for role in ROLES:
        api_record.accounts.add(f"route-{role}", PASSWORD, role)
    return {role: api.log_in(f"route-{role}", PASSWORD) for role in ROLES}


@pytest.fixture(scope="module")
def asked(api: ApiServer) -> Iterator[requests.Session]:
    """A connection that is kept, without cookies."""
    with requests.Session() as session:
        yield session


def status(session: requests.Session, api: ApiServer, route: str, token: str | None = None) -> int:
    """What a route answers to a request without a body, about things that are not there."""
    method, path = route.split(" ")
    path = re.sub(r"\{[^}]*\}", "nothing", path)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with session.request(
        method, api.url + path, headers=headers, stream=True, allow_redirects=False, timeout=30
    ) as answer:
        return answer.status_code


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    found = set(routes())
    assert len(found) > 100
    ruled = RULES.keys() | listed(OPEN)
    assert {route for route in found - ruled if OF_MEMBERS not in route} == set()
    assert ruled - found == set()


def test_nothing_but_what_is_open_answers_without_a_session(api: ApiServer, asked: requests.Session) -> None:
    others = sorted(set(routes()) - listed(OPEN))
    answered = {route: status(asked, api, route) for route in others}
    assert {route: found for route, found in answered.items() if found != 401} == {}
    for route in listed(OPEN):
        assert status(asked, api, route) != 401, route


def test_a_role_may_do_what_those_below_it_may_and_nothing_else(
    api: ApiServer, tokens: Mapping[Role, str], asked: requests.Session
) -> None:
    wrong: list[str] = []
    for route, lowest in sorted(RULES.items()):
        for role, token in tokens.items():
            if route == ENDS_THE_TOKEN:
                continue
            found = status(asked, api, route, token)
            may = ROLES.index(role) <= ROLES.index(lowest)
            if found == 401 or found >= 500 or (found == 403) == may:
                wrong.append(f"{route} as {role}: {found}, expected {'' if may else 'not '}to be let in")
    assert wrong == []


def test_what_is_of_a_project_is_not_there_for_others(
    api: ApiServer, tokens: Mapping[Role, str], asked: requests.Session
) -> None:
    of_members = sorted(route for route in set(routes()) if OF_MEMBERS in route)
    assert len(of_members) > 20
    for route in of_members:
        found = status(asked, api, route, tokens["viewer"])
        assert found in (403, 404, 422), f"{route}: {found}"
