"""Finding the service: the one that --server names, or the one that runs on this machine."""

import os
import time
from pathlib import Path

from cli.client import Client, GivenLogin, LocalLogin
from cli.local.record import RecordFile, ServiceRecord
from cli.output import say
from core.errors import Misconfigured, Unavailable
from core.service_secrets import read_secrets
from core.settings import Settings, load_settings

START_S = 420.0


def connect(server: str | None) -> Client:
    """A client of the service; raises Unavailable, saying what to do, when none runs."""
    if server is not None:
        return remote_client(server)
    settings = load_settings()
    record = running_service(settings)
    if record is None:
        raise Unavailable(
            "no service is running on this machine; start one with `./streaks up`, "
            "or name one elsewhere with --server URL"
        )
    return local_client(record.url, Path(record.secrets_file))


def service_if_any(server: str | None) -> Client | None:
    """The service that was named or that runs here; None when neither, and what ships counts."""
    if server is not None:
        return remote_client(server)
    record = running_service(load_settings())
    return None if record is None else local_client(record.url, Path(record.secrets_file))


def remote_client(url: str) -> Client:
    """A client of a service elsewhere, with the account in DA_TOKEN, or DA_USER and DA_PASSWORD."""
    environ = os.environ
    login = GivenLogin(given_token(), environ.get("DA_USER"), environ.get("DA_PASSWORD"))
    return Client(url if "://" in url else f"http://{url}", login)


def given_token() -> str | None:
    """The token in DA_TOKEN, if any; raises Misconfigured, not quoting it, for what fits no header."""
    token = os.environ.get("DA_TOKEN", "").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Misconfigured(
            f"DA_TOKEN has {len(token)} characters, some of which no token has (a space, a line break?); "
            "expected one word such as da_…"
        )
    return token or None


def local_client(url: str, secrets_file: Path) -> Client:
    """A client of the service on this machine, as its administrator."""
    account = read_secrets(secrets_file).database
    login = LocalLogin(
        account.admin_username, account.admin_password.get_secret_value(), secrets_file.with_name("token")
    )
    return Client(url, login)


def running_service(settings: Settings) -> ServiceRecord | None:
    """The service that runs on this machine, once it is ready; None when none does."""
    record_file = RecordFile(settings.state_dir.absolute())
    deadline = time.monotonic() + START_S
    told = False
    while (record := record_file.running()) is not None or record_file.is_locked():
        if record is not None and record.ready:
            return record
        if time.monotonic() > deadline:
            raise Unavailable("the service on this machine does not become ready; ask `./streaks doctor`")
        if not told:
            say("the service is just starting (up to a minute)")
            told = True
        time.sleep(0.2)
    return None
