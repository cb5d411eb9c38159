"""Flower with a password on every page. Run as: `python -m cli.local.flower_app --port=P [FLOWER OPTIONS]`.

Flower 2.2 leaves `/metrics` and `/healthcheck` open whatever its settings say. Here every handler of its own
asks for the account first; static files (its style sheets) and the page for unknown addresses stay open. The
account comes from the secrets file and not from an argument or the environment, where others could read it.
"""

import os
import sys
from collections.abc import Awaitable
from typing import Any

from tornado.options import options
from tornado.web import HTTPError

from cli.local.ports import LOOPBACK
from core.errors import Misconfigured
from core.memory import bound_arenas, settle
from core.service_secrets import Secrets
from core.settings import load_settings
from tasks.queues import QUEUE_OF
from tasks.redis_account import check_redis_account

APP = "tasks.app"
SHOWN = 1000  # tasks that it remembers: an hour with little to do, minutes of a backlog


class Guarded:
    """Mixed into a handler: nothing is served, to no method, without the account."""

    current_user: Any

    def prepare(self) -> Awaitable[None] | None:
        """Ask for the account (Flower's own check answers 401 to a wrong one) before anything else."""
        if not self.current_user:
            raise HTTPError(401)
        following: Awaitable[None] | None = super().prepare()  # type: ignore[misc]
        return following


def guard_all(handlers: list[Any]) -> None:
    """Put `Guarded` before every handler of Flower's in its table of addresses, in place."""
    from flower.views import BaseHandler
    from flower.views.error import NotFoundErrorHandler
    from tornado.routing import URLSpec

    for index, entry in enumerate(handlers):
        handler = entry.handler_class if isinstance(entry, URLSpec) else entry[1]
        if not issubclass(handler, BaseHandler) or handler is NotFoundErrorHandler:
            continue
        guarded = type(f"Guarded{handler.__name__}", (Guarded, handler), {})
        if isinstance(entry, URLSpec):
            entry.handler_class = guarded
        else:
            handlers[index] = (entry[0], guarded, *entry[2:])


def basic_auth(secrets: Secrets) -> list[str]:
    """Flower's `basic_auth` option; raises Misconfigured where the secrets hold no account for Flower."""
    if secrets.flower is None or not secrets.flower.password.get_secret_value():
        raise Misconfigured('the secrets file has no account for Flower: {"flower": {"user", "password"}}')
    return [f"{secrets.flower.user}:{secrets.flower.password.get_secret_value()}"]


def _keep_apart() -> None:
    """Have it note what it received under keys of its own: in containers it may not touch the workers'."""
    from tasks.app import app

    own = {f"{name}_key": f"celeryev.{name}" for name in ("unacked", "unacked_index", "unacked_mutex")}
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, **own}


def main(arguments: list[str]) -> None:
    """Run Flower on loopback until it is stopped; exits 78 for accounts that are missing or refused."""
    import flower.options  # noqa: F401  defines the options
    from celery.__main__ import main as celery
    from flower.urls import handlers

    for name in [name for name in os.environ if name.startswith("FLOWER_")]:
        del os.environ[name]  # FLOWER_BASIC_AUTH and FLOWER_UNAUTHENTICATED_API would open it again
    bound_arenas()
    try:
        settings = load_settings()
        options.basic_auth = basic_auth(settings.secrets)
        check_redis_account(settings.required_redis_url(), queue=QUEUE_OF["live"])
    except Misconfigured as error:
        sys.stderr.write(f"flower: {error}\n")
        sys.exit(os.EX_CONFIG)
    guard_all(handlers)
    _keep_apart()
    sys.argv = ["celery", "-A", APP, "flower", f"--address={LOOPBACK}", f"--max-tasks={SHOWN}", *arguments]
    settle()  # it keeps tasks in cycles
    celery()


if __name__ == "__main__":
    main(sys.argv[1:])
