"""What fits the OpenAPI, and what does not, is answered as it says: no 5xx, nothing undescribed.

A few examples of each operation, the same in each run. Many, others each time:
`OPENAPI_EXAMPLES=100 pytest -s --timeout 3600 tests/api/test_openapi.py`.
"""

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from storage.record import Record
from tests.api.scoring import score_job
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.label_project import LabelProject
from tests.record import fresh_record, register, settings_for

MANY = os.environ.get("OPENAPI_EXAMPLES")
EXAMPLES = int(MANY or 2)
FEWEST = 90
ENDS_THE_TOKEN = ("DELETE", "/v1/tokens/current")
SAYS_503 = "/readyz"
"""By design: no worker is there."""
DESCRIBED = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def record(mongo_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    database = f"test_openapi_{secrets.token_hex(6)}"
    state = tmp_path_factory.mktemp("openapi")
    record = fresh_record(settings_for(mongo_url, redis_url, database, state / "state"))
    register(record, RB, SL)
    yield record
    record.database.client.drop_database(database)
    record.close()


@pytest.fixture(scope="module")
def server(
    record: Record, mongo_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """An API of its own: what is made up here may change anything."""
    servers = {"mongo_url": mongo_url, "redis_url": redis_url, "database": record.database.name}
    with ApiServer(tmp_path_factory.mktemp("openapi-api"), **servers) as server:
        yield server


@pytest.fixture(scope="module")
def known(server: ApiServer, record: Record) -> dict[str, Any]:
    """What is on record, by the name of the parameter that asks for it."""
    files = [("files", (f"{n}.jpg", jpeg(n))) for n in range(3)]
    job = str(server.ask("POST", "/v1/jobs/score", files=files).json()["job"])
    score_job(record, job, {RB: 0.75, SL: 0.25})
    project = LabelProject(server, record)
    project.add_cutouts({"a.jpg": jpeg(1), "b.jpg": jpeg(2)})
    cutout = server.ask("GET", "/v1/cutouts").json()["cutouts"][0]["id"]
    return {"job_id": job, "cutout": cutout, "version": RB, "pid": project.id, "did": project.dataset}


def test_every_operation_answers_as_described(server: ApiServer, known: dict[str, Any]) -> None:
    authorized = {"Authorization": f"Bearer {server.token}"}
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers=authorized)
    found: dict[str, str] = {}
    operations = 0
    with requests.Session() as session:
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            if (operation.method.upper(), operation.path) == ENDS_THE_TOKEN:
                continue
            operations += 1
            there = {name: known[name] for name in known if f"{{{name}}}" in operation.path}
            asked = [(GenerationMode.POSITIVE, there), (GenerationMode.NEGATIVE, {})]
            asked += [(GenerationMode.POSITIVE, {}), (GenerationMode.NEGATIVE, there)] if MANY else []
            for mode, parameters in asked:
                fault = _fault(operation, mode, parameters, session, authorized)
                if fault:
                    found.setdefault(f"{operation.method.upper()} {operation.path}", fault)
    assert operations >= FEWEST
    told = "\n\n".join(f"{name}\n{fault}" for name, fault in found.items())
    assert not found, f"{len(found)} of {operations} operations\n\n{told}"


def _fault(
    operation: Any,
    mode: GenerationMode,
    parameters: dict[str, Any],
    session: requests.Session,
    headers: dict[str, str],
) -> str:
    """How an operation answers otherwise than described, if it does."""
    strategy = operation.as_strategy(generation_mode=mode, path_parameters=parameters or None)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not MANY,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        answer = case.call(session=session, headers=headers, timeout=30)
        case.validate_response(answer, checks=checks)

    checks = DESCRIBED if operation.path == SAYS_503 else [not_a_server_error, *DESCRIBED]
    try:
        ask()
    except Unsatisfiable:  # nothing can be sent that does not fit
        return ""
    except FailureGroup as group:
        return "\n".join(str(failure)[:600] for failure in group.exceptions)
    except Exception as error:  # noqa: BLE001  told beside the others
        return f"{type(error).__name__}: {str(error)[:600]}"
    return ""
