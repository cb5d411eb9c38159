"""The secrets of the service on this machine: the operator's where given, else random ones made once."""

import json
import secrets
from pathlib import Path
from typing import Any

from cli.local.private_files import private_folder, write_private
from core.errors import Misconfigured
from core.service_secrets import Secrets, read_secrets
from core.settings import Settings


def secrets_path(state_dir: Path) -> Path:
    """Where the complete secrets of the service on this machine are."""
    return state_dir / "secrets.json"


def ensure_secrets(state_dir: Path, *, given: Path | None = None) -> Secrets:
    """Complete the secrets in `state_dir/secrets.json` (mode 0600) and return them.

    Parameters
    ----------
    given : the operator's file. What it holds wins; what it leaves out (the password of the embedded Redis,
        Flower's account) is random, and the same again at the next start.

    Raises Misconfigured when the operator's file, or the one kept, is malformed or leaves the password empty.
    """
    path = secrets_path(private_folder(state_dir))
    contents = _merge(_random(), _read(path), _read(given))
    text = json.dumps(contents, indent=2) + "\n"
    if not path.exists() or path.read_text("utf-8") != text or path.stat().st_mode & 0o077:
        write_private(path, text)
    complete = read_secrets(path)
    if not complete.database.admin_username or not complete.database.admin_password.get_secret_value():
        raise Misconfigured(f"{given or path}: database.admin_username and admin_password must not be empty")
    return complete


def given_secrets(settings: Settings) -> Path | None:
    """The operator's secrets file; None when there is none and none was asked for by name."""
    if settings.secrets_file.exists() or "secrets_file" in settings.model_fields_set:
        return settings.secrets_file
    return None


def _random() -> dict[str, Any]:
    return {
        "database": {"admin_username": "admin", "admin_password": secrets.token_urlsafe(18)},
        "kowalski": {"user": "", "password": ""},
        "redis_password": secrets.token_urlsafe(32),
        "flower": {"user": "flower", "password": secrets.token_urlsafe(18)},
    }


def _read(path: Path | None) -> dict[str, Any]:
    """The raw contents; empty for no path, and for our own file before it is made."""
    if path is None or (path.name == "secrets.json" and not path.exists()):
        return {}
    if path.exists():
        read_secrets(path)
    try:
        contents: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise Misconfigured(
            f"no secrets file at {path}, which DA_SECRETS_FILE or config.json names"
        ) from error
    return contents


def _merge(*layers: dict[str, Any]) -> dict[str, Any]:
    """Later layers over earlier ones, one level deep; None counts as left out."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if value is None:
                continue
            kept = merged.get(key)
            merged[key] = {**kept, **value} if isinstance(kept, dict) and isinstance(value, dict) else value
    return merged
