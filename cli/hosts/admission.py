"""Letting a host in: its own account in MongoDB, Redis and the API, and a certificate, all told once."""

import json
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import SecretStr
from pymongo.errors import OperationFailure, PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from cli.hosts.invitation import AUTHORITY, CERTIFICATE, SHARED_SCORING, SHARED_SECTIONS, Invitation
from cli.local.authority import Authority
from cli.local.guests import Guest, GuestBook, password_sha256
from cli.local.secrets import ensure_secrets, given_secrets
from cli.local.servers import embedded_mongo, embedded_redis
from core.errors import Misconfigured, NotFound, Unavailable
from core.family import FAMILIES
from core.settings import Settings
from storage.database import SHARED, Mongo, connect
from storage.guests import GuestRepository

ROLE = "guest"
ACTIONS = ("find", "insert", "update", "remove")
NOT_FOUND = 11  # MongoDB's UserNotFound
LOOPBACKS = ("localhost", "127.0.0.1", "::1")


class Admission:
    """Writes invitations to the service that runs here, and withdraws them; leaving it closes the connection.

    Parameters
    ----------
    gateway : `NAME:PORT` of the running service; raises Unavailable for none where its servers need one.
    """

    def __init__(self, settings: Settings, gateway: str) -> None:
        self._settings, self._gateway = settings, gateway
        self._guards_mongo = settings.mongo_url is None or settings.behind_gateway
        self._guards_redis = settings.redis_url is None or settings.behind_gateway
        self._state_dir = settings.state_dir.absolute()
        self._book = GuestBook(self._state_dir)
        own = self._guards_mongo or self._guards_redis or _is_local(settings.blobs)
        if own and not self._gateway:
            raise Unavailable(
                "the service listens on this machine only; start it with ./streaks up --listen ADDRESS, "
                "an address that the other hosts reach"
            )
        self._mongo_url, self._redis_url = _servers(settings)
        self._database = connect(self._mongo_url, settings.mongo_database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.client.close()

    @property
    def own_servers(self) -> list[str]:
        """The settings that name servers of one's own, where an invitation holds the service's account."""
        given = {"DA_MONGO_URL": self._settings.mongo_url, "DA_REDIS_URL": self._settings.redis_url}
        guarded = {"DA_MONGO_URL": self._guards_mongo, "DA_REDIS_URL": self._guards_redis}
        named = [setting for setting, url in given.items() if url is not None and not guarded[setting]]
        return named + ["DA_BLOB_URL"] * (urlsplit(self._settings.blobs).password is not None)

    def invite(self, *, note: str, days: float) -> Invitation:
        """Make the accounts of one host; raises Unavailable where a server does not take them.

        Raises Misconfigured where a server that the settings name is on this machine's loopback.
        """
        for given, setting in (
            (self._settings.mongo_url, "DA_MONGO_URL"),
            (self._settings.redis_url, "DA_REDIS_URL"),
        ):
            if not self._settings.behind_gateway:
                _refuse_loopback(given, setting)
        name = f"guest_{secrets.token_hex(5)}"
        password = secrets.token_urlsafe(24)
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        self._book.add(Guest(name, note, expires, password_sha256(password)))  # first: it is found again
        try:
            mark = self._mark()
            token = GuestRepository(self._database).admit(name, expires)
            mongo_url, redis_url = self._mongo_account(name, password), self._redis_account(name, password)
        except (PyMongoError, RedisError, OSError) as error:
            self.withdraw(name)
            raise Unavailable(f"the accounts of {name} can't be made: {error}") from error
        authority = Authority.open(self._state_dir)
        store = self._settings.blobs
        return Invitation(
            name=name,
            service=mark,
            gateway=self._gateway,
            expires=expires.isoformat(),
            mongo_url=mongo_url,
            mongo_database=self._settings.mongo_database,
            redis_url=redis_url,
            blob_url=f"https://{self._gateway}/v1/blobs" if _is_local(store) else store,
            blob_token=token if _is_local(store) else "",
            authority=authority.certificate,
            certificate=authority.guest(name, expires),
            settings=_shared(self._settings),
        )

    def guests(self) -> list[Guest]:
        """Who is invited, the first to expire first."""
        return sorted(self._book, key=lambda guest: guest.expires)

    def withdraw(self, name: str) -> None:
        """Let a host in no more, and cut it off, but from `own_servers`; raises NotFound for a stranger."""
        if name not in self._book:
            known = ", ".join(guest.name for guest in self.guests()) or "none"
            raise NotFound(f"no invitation of {name!r}; there are: {known}")
        try:
            GuestRepository(self._database).dismiss(name)
            if self._guards_mongo:
                _drop_user(self._database, name)
            if self._guards_redis:
                with Redis.from_url(self._redis_url, socket_timeout=5) as client:
                    client.execute_command("ACL", "DELUSER", name)
        except (PyMongoError, RedisError, OSError) as error:
            raise Unavailable(f"{name} can't be cut off: {error}") from error
        self._book.remove(name)

    def tidy(self) -> list[str]:
        """Forget the invitations that are over; returns whose they were."""
        over = [guest.name for guest in self.guests() if guest.expired]
        for name in over:
            self.withdraw(name)
        return over

    def _mark(self) -> str:
        mark = self._database["service"].find_one({"_id": "blobs"})
        if mark is None:
            raise Unavailable("the service is only just starting; try again in a moment")
        return str(mark["mark"])

    def _mongo_account(self, name: str, password: str) -> str:
        if not self._guards_mongo:
            return self._mongo_url
        grant_guests(self._database)
        database = self._settings.mongo_database
        self._database.command("createUser", name, pwd=password, roles=[ROLE])
        options = f"authSource={database}&directConnection=true"
        tls = f"tls=true&tlsCAFile={AUTHORITY}&tlsCertificateKeyFile={CERTIFICATE}"
        return f"mongodb://{name}:{password}@{self._next_port(1)}/?{options}&{tls}"

    def _redis_account(self, name: str, password: str) -> str:
        if not self._guards_redis:
            return self._redis_url
        guest = Guest(name, "", datetime.now(UTC), password_sha256(password))
        with Redis.from_url(self._redis_url, socket_timeout=5) as client:
            client.execute_command("ACL", "SETUSER", *guest.redis_rule.split())
        tls = f"ssl_cert_reqs=required&ssl_ca_certs={AUTHORITY}"
        tls += f"&ssl_certfile={CERTIFICATE}&ssl_keyfile={CERTIFICATE}"
        return f"rediss://{name}:{password}@{self._next_port(2)}/0?{tls}"

    def _next_port(self, offset: int) -> str:
        name, _, port = self._gateway.rpartition(":")
        return f"{name}:{int(port) + offset}"


def _servers(settings: Settings) -> tuple[str, str]:
    """The URLs of MongoDB and Redis by which the service itself reaches them."""
    if settings.mongo_url is not None and settings.redis_url is not None:
        return settings.required_mongo_url(), settings.required_redis_url()
    state_dir = settings.state_dir.absolute()
    found = ensure_secrets(state_dir, given=given_secrets(settings))
    return (
        _given(settings.mongo_url) or embedded_mongo(state_dir, found).url,
        _given(settings.redis_url) or embedded_redis(state_dir, found).url,
    )


def grant_guests(database: Mongo) -> None:
    """Bring the rights of all invited hosts up to date: what workers read and write, and no accounts.

    Only the difference is changed: updateRole asks for rights on every database of the server.
    """
    wanted = {(name, action) for name in SHARED for action in ACTIONS}
    (role, *_) = database.command("rolesInfo", ROLE, showPrivileges=True)["roles"] or [None]
    if role is None:
        database.command("createRole", ROLE, privileges=_privileges(database, wanted), roles=[])
        return
    found = {(p["resource"]["collection"], action) for p in role["privileges"] for action in p["actions"]}
    if missing := wanted - found:
        database.command("grantPrivilegesToRole", ROLE, privileges=_privileges(database, missing))
    if surplus := found - wanted:
        database.command("revokePrivilegesFromRole", ROLE, privileges=_privileges(database, surplus))


def _privileges(database: Mongo, rights: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"resource": {"db": database.name, "collection": name}, "actions": [action]}
        for name, action in sorted(rights)
    ]


def _drop_user(database: Mongo, name: str) -> None:
    try:
        database.command("dropUser", name)
    except OperationFailure as error:
        if error.code != NOT_FOUND:
            raise


def _given(url: SecretStr | None) -> str | None:
    return None if url is None else url.get_secret_value()


def _is_local(blobs: str) -> bool:
    """Whether a blob store is a folder of this machine, which others reach by the API."""
    return urlsplit(blobs).scheme in ("", "file")


def _refuse_loopback(url: SecretStr | None, setting: str) -> None:
    if url is not None and urlsplit(url.get_secret_value()).hostname in LOOPBACKS:
        raise Misconfigured(
            f"{setting} is on this machine's loopback; expected an address that other hosts reach"
        )


def _shared(settings: Settings) -> dict[str, str]:
    """The settings that all workers share, as environment variables."""
    scoring = settings.scoring.model_dump(include=set(SHARED_SCORING))
    shared = json.loads(settings.model_dump_json(include=set(SHARED_SECTIONS)))
    shared["references"]["roots"] = []  # folders of this machine
    for name in FAMILIES:
        del shared["families"][name]
    return {
        **{f"DA_SCORING__{name.upper()}": str(scoring[name]) for name in SHARED_SCORING},
        **{f"DA_{name.upper()}": json.dumps(shared[name]) for name in SHARED_SECTIONS},
    }
