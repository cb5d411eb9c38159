"""`python3 deploy/make_secrets.py [FOLDER] [--rotate SERVICE]`: the secret files of docker-compose.yml.

What FOLDER/secrets.json holds is kept; what it leaves out is random. Each service has a file of its own, with
its accounts and no more. Run again after a change; `--rotate` gives a service, or all, new passwords at the
servers. Needs nothing but Python: it runs on the host, before any image is built. The files may be read by
everybody who gets into the folder, as each container reads them as a user of its own; the folder lets in its
owner alone.
"""

import argparse
import hashlib
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER_MODE, FILE_MODE = 0o700, 0o444
AT_MONGO = ("api", "worker", "trainer", "beat", "operator")
AT_REDIS = (*AT_MONGO, "flower", "gateway")
_MESSAGES = (
    "-@all +@connection +@transaction +@list +@set +@sortedset +@hash +@pubsub +@scripting +get +set +del"
    " +exists +time -@admin -@dangerous +info"
)
_CELERY = "~unacked* ~_kombu.binding* ~celeryev* ~*.celery.pidbox* &/0.celery.pidbox &/0.celeryev/*"
IN_REDIS = {
    "api": f"~score.* ~train* ~_kombu.binding* {_MESSAGES}",
    "worker": f"~score.* {_CELERY} {_MESSAGES}",
    "trainer": f"~train* {_CELERY} {_MESSAGES}",
    "beat": f"~score.* ~train* ~maintenance* {_CELERY} {_MESSAGES}",
    "operator": "~* &* +@all",
    # It sees how long queues are, hears events and asks workers how they are; it puts no task into a queue.
    "flower": "%R~score.* %R~train* %R~maintenance* ~_kombu.binding*.celeryev*"
    " ~_kombu.binding*.celery.pidbox* ~_kombu.binding_deadlines ~celeryev* ~*.celery.pidbox*"
    f" &/0.celery.pidbox &/0.celeryev/* {_MESSAGES}",
    "gateway": "-@all +@connection -@dangerous +acl|users +acl|setuser",
}
"""What each may do in Redis: the keys and channels of Celery that it needs, and commands for messages."""
BESIDE_ACCOUNTS = {
    "api": ("database", "metrics_token"),
    "worker": ("metrics_token",),
    "trainer": ("metrics_token",),
    "beat": ("metrics_token", "mail"),
    "flower": ("flower",),
    "gateway": ("metrics_token",),
    "operator": ("database", "kowalski", "depot"),
}
"""What else of secrets.json the file of a service holds."""


def make_secrets(folder: Path, *, rotate: Sequence[str] = ()) -> list[str]:
    """Write what is missing or has changed; returns the names of the files that were written."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    known = _complete(_read(folder / "secrets.json"), rotate)
    key = folder / "mongo.key"
    administrator = known["database"]["admin_username"]
    accounts = {"passwords": known["mongo_passwords"], "retired": [administrator]}
    texts = {
        "secrets.json": _json(known),
        **{f"{service}.json": _json(_of(service, known)) for service in BESIDE_ACCOUNTS},
        "mongo_accounts.json": _json(accounts),
        "redis.acl": _redis_accounts(known["redis_passwords"]),
        "mongo.key": key.read_text("ascii") if key.exists() else secrets.token_hex(256) + "\n",
        "grafana_password": known["grafana_password"],
        "metrics_token": known["metrics_token"],
    }
    return [name for name, text in texts.items() if _write(folder / name, text)]


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise SystemExit(f"{file} is no JSON ({error}); mend it or remove it") from error
    if not isinstance(found, dict):
        raise SystemExit(f"{file} holds a {type(found).__name__}; expected an object")
    return found


def _complete(given: dict[str, Any], rotate: Sequence[str]) -> dict[str, Any]:
    """With what was left out, left empty, or is to be another one, made at random."""
    made: dict[str, Any] = {
        "database": {"admin_username": "admin", "admin_password": secrets.token_urlsafe(18)},
        "kowalski": {"user": "", "password": ""},
        "mongo_passwords": {service: secrets.token_urlsafe(32) for service in AT_MONGO},
        "redis_passwords": {service: secrets.token_urlsafe(32) for service in AT_REDIS},
        "flower": {"user": "flower", "password": secrets.token_urlsafe(18)},
        "metrics_token": secrets.token_urlsafe(32),
        "grafana_password": secrets.token_urlsafe(18),
    }
    for name, value in given.items():
        if isinstance(value, dict):
            spent = rotate if name in ("mongo_passwords", "redis_passwords") else ()
            kept = {key: part for key, part in value.items() if part and key not in spent}
            made[name] = {**made.get(name, {}), **kept}
        elif value:
            made[name] = value
    return made


def _of(service: str, known: dict[str, Any]) -> dict[str, Any]:
    """The contents of a service's own file."""
    own: dict[str, Any] = {name: known[name] for name in BESIDE_ACCOUNTS[service] if name in known}
    if service in AT_MONGO:
        own["mongo"] = {"user": f"streaks-{service}", "password": known["mongo_passwords"][service]}
    own["redis"] = {"user": f"streaks-{service}", "password": known["redis_passwords"][service]}
    return own


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def _redis_accounts(passwords: dict[str, str]) -> str:
    """An account for each service, of which Redis needs the hash alone, and one that may only ping."""
    lines = ["user default off resetpass resetkeys resetchannels -@all"]
    for service, rights in IN_REDIS.items():
        digest = hashlib.sha256(passwords[service].encode()).hexdigest()
        lines.append(f"user streaks-{service} on resetpass #{digest} resetkeys resetchannels {rights}")
    lines.append("user health on nopass resetkeys resetchannels -@all +ping")
    return "\n".join(lines) + "\n"


def _write(file: Path, text: str) -> bool:
    if file.exists() and file.read_text("utf-8") == text and file.stat().st_mode & 0o777 == FILE_MODE:
        return False
    fresh = file.with_name(f".{file.name}")
    fresh.unlink(missing_ok=True)
    fresh.write_text(text, "utf-8")
    fresh.chmod(FILE_MODE)
    fresh.replace(file)
    return True


def main() -> int:
    """Write the files, and say which."""
    parser = argparse.ArgumentParser(description="The secret files of docker-compose.yml.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("secrets"))
    parser.add_argument(
        "--rotate",
        action="append",
        default=[],
        choices=[*AT_REDIS, "all"],
        metavar="SERVICE",
        help=f"give {', '.join(AT_REDIS)}, or all, new passwords at MongoDB and Redis",
    )
    args = parser.parse_args()
    written = make_secrets(args.folder, rotate=AT_REDIS if "all" in args.rotate else args.rotate)
    sys.stderr.write(f"{args.folder}: {', '.join(written) or 'nothing'} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
