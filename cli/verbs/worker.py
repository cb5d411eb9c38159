"""`./streaks worker`: become one worker on this host."""

import argparse
import os
import sys
from pathlib import Path

from cli.caller import from_caller
from cli.local.programs import ROOT
from cli.local.record import RecordFile
from cli.local.secrets import secrets_path
from cli.output import say
from core.settings import load_settings


def run(args: argparse.Namespace) -> int:
    """Replace this process by `python -m worker`; does not return.

    With `--invitation FILE` it works for the service that wrote it. Else, without DA_MONGO_URL and
    DA_REDIS_URL, the servers of the service that runs here are meant.
    """
    invitation, rest = _invited(args.rest)
    if not {"-h", "--help"} & set(rest):
        os.environ.update(_local_servers() if invitation is None else _joined(invitation))
        say("loading TensorFlow and the networks (up to 20 s)")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "worker", *rest])  # noqa: S606


def _invited(words: list[str]) -> tuple[Path | None, list[str]]:
    """The invitation, if one is named, and the words that are the worker's own."""
    parser = argparse.ArgumentParser(prog="./streaks worker", add_help=False, allow_abbrev=False)
    parser.add_argument("--invitation", type=Path)
    found, rest = parser.parse_known_args(words)
    return found.invitation and from_caller(found.invitation), rest


def _joined(invitation: Path) -> dict[str, str]:
    """The settings of a worker of the service that wrote this."""
    from cli.hosts.joining import join

    found = join(invitation, load_settings().state_dir)
    say(f"joining the service as {found['DA_GUEST']}")
    return found


def _local_servers() -> dict[str, str]:
    """The URLs of the embedded servers that run here, as environment, where no others are set."""
    from cli.local.secrets import ensure_secrets
    from cli.local.servers import embedded_mongo, embedded_redis

    settings = load_settings()
    state_dir = settings.state_dir.absolute()
    if RecordFile(state_dir).running() is None:
        return {}
    found: dict[str, str] = {"DA_SECRETS_FILE": str(secrets_path(state_dir)), "DA_STATE_DIR": str(state_dir)}
    secrets = ensure_secrets(state_dir)
    if settings.mongo_url is None:
        found["DA_MONGO_URL"] = embedded_mongo(state_dir, secrets).url
    if settings.redis_url is None:
        found["DA_REDIS_URL"] = embedded_redis(state_dir, secrets).url
    return found
