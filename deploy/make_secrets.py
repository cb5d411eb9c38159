"""`python3 deploy/make_secrets.py [FOLDER]`: the secret files of docker-compose.yml, from secrets.json.

What FOLDER/secrets.json holds is kept; what it leaves out is random. Run again after a change to it. Needs
nothing but Python: it runs on the host, before any image is built. The files may be read by everybody who
gets into the folder, as each container reads them as a user of its own; the folder lets in its owner alone.
"""

import hashlib
import json
import secrets
import sys
from pathlib import Path
from typing import Any

FOLDER_MODE, FILE_MODE = 0o700, 0o444


def make_secrets(folder: Path) -> list[str]:
    """Write what is missing or has changed; returns the names of the files that were written."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    known = _complete(_read(folder / "secrets.json"))
    key = folder / "mongo.key"
    texts = {
        "secrets.json": json.dumps(known, indent=2) + "\n",
        "redis.acl": _redis_accounts(known["redis_password"]),
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


def _complete(given: dict[str, Any]) -> dict[str, Any]:
    """With what was left out, or left empty, made at random."""
    made: dict[str, Any] = {
        "database": {"admin_username": "admin", "admin_password": secrets.token_urlsafe(18)},
        "kowalski": {"user": "", "password": ""},
        "redis_password": secrets.token_urlsafe(32),
        "flower": {"user": "flower", "password": secrets.token_urlsafe(18)},
        "metrics_token": secrets.token_urlsafe(32),
        "grafana_password": secrets.token_urlsafe(18),
    }
    for name, value in given.items():
        if isinstance(value, dict):
            made[name] = {**made.get(name, {}), **{key: part for key, part in value.items() if part}}
        elif value:
            made[name] = value
    return made


def _redis_accounts(password: str) -> str:
    """The service's account, of which Redis needs the hash alone, and one that may only ping."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    health = "user health on nopass resetkeys resetchannels -@all +ping"
    return f"user default on #{digest} ~* &* +@all\n{health}\n"


def _write(file: Path, text: str) -> bool:
    if file.exists() and file.read_text("utf-8") == text and file.stat().st_mode & 0o777 == FILE_MODE:
        return False
    fresh = file.with_name(f".{file.name}")
    fresh.unlink(missing_ok=True)
    fresh.write_text(text, "utf-8")
    fresh.chmod(FILE_MODE)
    fresh.replace(file)
    return True


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "secrets")
    written = make_secrets(folder)
    sys.stderr.write(f"{folder}: {', '.join(written) or 'nothing'} written\n")
