"""Questions to the processes of the service: are you ready?"""

import base64
import http.client
import json
from typing import Any

from cli.local.ports import LOOPBACK

TIMEOUT_S = 3.0


def ask(
    port: int, path: str, *, host: str = LOOPBACK, account: tuple[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body of a GET; status 0 when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    headers = {}
    if account:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(account).encode()).decode("ascii")
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def is_healthy(port: int, *, host: str = LOOPBACK) -> bool:
    """Whether the API answers at all."""
    return ask(port, "/healthz", host=host)[0] == http.HTTPStatus.OK


def readiness(port: int, *, host: str = LOOPBACK) -> dict[str, Any]:
    """The API's own view: `{"ready": bool, "checks": {"mongo", "redis", "workers": n}}`; empty if none."""
    try:
        answer = json.loads(ask(port, "/readyz", host=host)[1])
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def has_workers(port: int, wanted: int = 1, *, host: str = LOOPBACK) -> bool:
    """Whether at least so many workers have loaded their networks and take work."""
    workers = readiness(port, host=host).get("checks", {}).get("workers", 0)
    return isinstance(workers, int) and workers >= wanted


def flower_answers(port: int, account: tuple[str, str], *, prefix: str = "") -> bool:
    """Whether Flower, below a prefix of its addresses, lets this account in."""
    return ask(port, f"{prefix}/healthcheck", account=account)[0] == http.HTTPStatus.OK
