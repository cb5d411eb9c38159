"""Which programs make up the service on one machine, and how each says that it is ready."""

import os
import secrets as chance
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cli.local.ports import reachable
from cli.local.readiness import flower_answers, has_workers, is_healthy
from cli.local.supervisor import Program
from core.gpus import SEAT_TOKEN, choose, host_gpus
from core.service_secrets import Secrets
from core.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
DRAIN_S = 30.0


@dataclass(frozen=True)
class Place:
    """Where the parts of one running service are.

    Attributes
    ----------
    state_dir : absolute.
    secrets_file : the complete secrets, absolute.
    """

    state_dir: Path
    secrets_file: Path
    mongo_url: str
    redis_url: str
    host: str
    port: int
    flower_port: int

    def environment(self) -> dict[str, str]:
        """What each program finds in its environment, over what this process has."""
        return {
            **os.environ,
            "DA_MONGO_URL": self.mongo_url,
            "DA_REDIS_URL": self.redis_url,
            "DA_STATE_DIR": str(self.state_dir),
            "DA_SECRETS_FILE": str(self.secrets_file),
            "DA_HOST": self.host,
            "DA_PORT": str(self.port),
            "DA_FLOWER_PORT": str(self.flower_port),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONUNBUFFERED": "1",
        }


ProgramsFor = Callable[[Place, Secrets], Sequence[Program]]


def service_programs(place: Place, secrets: Secrets) -> list[Program]:
    """The API, the workers, one that trains, the sweeper and Flower, in the order a reader would meet them.

    Raises Misconfigured where the GPUs that the settings name can't be used.
    """
    env: Mapping[str, str] = place.environment()
    host = reachable(place.host)
    account = (
        (secrets.flower.user, secrets.flower.password.get_secret_value()) if secrets.flower else ("", "")
    )
    return [
        Program(
            "api",
            api_command(place.host, place.port),
            env,
            ready=lambda: is_healthy(place.port, host=host),
        ),
        *_workers(place, env),
        Program("trainer", _python("worker", "--train"), env, grace_s=DRAIN_S),
        Program("sweeper", _python("tasks.sweeper"), env),
        Program(
            "flower",
            _python("cli.local.flower_app", f"--port={place.flower_port}"),
            env,
            ready=lambda: flower_answers(place.flower_port, account),
        ),
    ]


def api_command(host: str, port: int, *options: str) -> tuple[str, ...]:
    """The command line of an API that listens there.

    It keeps a connection longer than proxies do (90 s): one closed just when a request comes fails it. Open
    answers have five seconds when it is to end: who follows a job would hold it for hours. Requests are
    parsed by h11, whatever else is installed: httptools would be quicker, but takes the body of what asks for
    an upgrade for the next request, and trailers for headers, and a head may go on for ever.
    """
    listen = (
        "--host",
        host,
        "--port",
        str(port),
        "--no-access-log",
        "--no-server-header",
        "--no-proxy-headers",
    )
    options = ("--timeout-keep-alive", "120", "--timeout-graceful-shutdown", "5", *options)
    server = ("--http", "h11", "--loop", "uvloop")
    return _python("uvicorn", "--factory", "api.main:create_app", *server, *listen, *options)


def scoring_programs(
    arguments: Sequence[str], env: Mapping[str, str], *, gpus: str, allow_cpu: bool
) -> list[Program]:
    """A worker for each of these GPUs, pinned to it: `worker-gpu0`, `worker-gpu2`, …

    Raises Misconfigured as `core.gpus.choose` does.
    """
    return [
        _worker("worker", arguments, env)
        if gpu is None
        else _worker(f"worker-gpu{gpu.index}", ("--gpus", gpu.index, *arguments), env)
        for gpu in choose(gpus, host_gpus(), allow_cpu=allow_cpu)
    ]


def _worker(name: str, arguments: Sequence[str], env: Mapping[str, str]) -> Program:
    return Program(
        name,
        _python("worker", *arguments),
        {**env, SEAT_TOKEN: chance.token_hex(8)},
        grace_s=DRAIN_S,
        ready_timeout_s=300.0,
        group="workers",
    )


def _workers(place: Place, env: Mapping[str, str]) -> list[Program]:
    """The scoring workers of the service: one, or one for each GPU that the settings name."""
    scoring = load_settings().scoring
    if scoring.gpus is None:
        programs = [_worker("worker", (), env)]
    else:
        programs = scoring_programs((), env, gpus=scoring.gpus, allow_cpu=scoring.allow_cpu)
    ready = partial(has_workers, place.port, len(programs), host=reachable(place.host))
    return [replace(program, ready=ready) for program in programs]


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
