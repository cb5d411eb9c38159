"""Are the Redis and the MongoDB that we are to use fit for the promises of this service?"""

from dataclasses import dataclass
from typing import Any

import redis
from pymongo import MongoClient, WriteConcern
from pymongo.errors import InvalidURI, OperationFailure, PyMongoError
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.local.binaries import MONGOD_MINIMUM, REDIS_MINIMUM
from storage.database import AUTHENTICATION_FAILED

_REFUSALS = {
    AUTHENTICATION_FAILED: "refuses the name or the password",
    13: "does not let the account write",
}


@dataclass(frozen=True)
class Finding:
    """What was found of one thing, and what to do about it when it is not well.

    Attributes
    ----------
    fatal : the service can't keep its promises so.
    note : a hint of a fault that may be over, and no fault in itself.
    """

    what: str
    well: bool
    found: str
    cure: str = ""
    fatal: bool = False
    note: bool = False

    def __str__(self) -> str:
        mark = "--" if self.note else "ok" if self.well else "!!"
        line = f"{mark}  {self.what}: {self.found}"
        return f"{line}\n      cure: {self.cure}" if self.cure and mark != "ok" else line


def examine_redis(url: str) -> list[Finding]:
    """Reachable, at least 6.2, never evicting, append-only."""
    try:
        retry = Retry(NoBackoff(), 1)
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=3, retry=retry) as client:
            server: Any = client.info("server")
            persistence: Any = client.info("persistence")
            memory: Any = client.info("memory")
    except (ValueError, TypeError):  # their words may hold a part of the password
        cure = "expected redis://:PASSWORD@HOST:PORT/0, with /, @, : and # in the password percent-encoded"
        return [Finding("redis", False, "DA_REDIS_URL (or redis_url) is malformed", cure, fatal=True)]
    except redis.exceptions.AuthenticationError as error:
        cure = "set the password of this server in DA_REDIS_URL, or in the secrets where that says {redis}"
        return [Finding("redis", False, f"refuses the password: {error}", cure, fatal=True)]
    except (redis.exceptions.RedisError, OSError) as error:
        cure = "start it, or correct DA_REDIS_URL (or config.json's redis_url)"
        return [Finding("redis", False, f"does not answer: {error}", cure, fatal=True)]
    version = str(server["redis_version"])
    policy = str(memory["maxmemory_policy"])
    append_only = bool(persistence["aof_enabled"])
    minimum = ".".join(map(str, REDIS_MINIMUM))
    return [
        Finding(
            "redis version",
            _numbers(version) >= REDIS_MINIMUM,
            f"{version}, expected {minimum} or newer",
            "upgrade the Redis server",
            fatal=True,
        ),
        Finding("redis maxmemory-policy", policy == "noeviction", policy, "set maxmemory-policy noeviction"),
        Finding(
            "redis append-only file",
            append_only,
            "on" if append_only else "off",
            "set appendonly yes in redis.conf",
        ),
    ]


def examine_mongo(url: str, database: str) -> list[Finding]:
    """Reachable, at least 5.0, a replica set, taking journaled majority writes."""
    try:
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=3000, connectTimeoutMS=3000) as client:
            version = str(client.server_info()["version"])
            replica_set = client.admin.command("hello").get("setName")
            concern = WriteConcern(w="majority", j=True, wtimeout=5000)
            probe = client[database].get_collection("doctor", write_concern=concern)
            probe.replace_one({"_id": "probe"}, {"_id": "probe"}, upsert=True)
            probe.delete_one({"_id": "probe"})
    except (ValueError, InvalidURI):  # their words may hold a part of the password
        cure = "expected mongodb://USER:PASSWORD@HOST:PORT/, with /, @, : and % in both percent-encoded"
        return [Finding("mongo", False, "DA_MONGO_URL (or mongo_url) is malformed", cure, fatal=True)]
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and error.code in _REFUSALS:
            cure = "set its account in DA_MONGO_URL, or in the secrets where that says {database}"
            return [Finding("mongo", False, f"{_REFUSALS[error.code]} ({error.code})", cure, fatal=True)]
        cure = "start it, or correct DA_MONGO_URL (or config.json's mongo_url); the account needs readWrite"
        return [Finding("mongo", False, f"does not take writes: {str(error)[:300]}", cure, fatal=True)]
    minimum = ".".join(map(str, MONGOD_MINIMUM))
    return [
        Finding(
            "mongo version",
            _numbers(version) >= MONGOD_MINIMUM,
            f"{version}, expected {minimum} or newer",
            "upgrade the MongoDB server",
            fatal=True,
        ),
        Finding(
            "mongo replica set",
            bool(replica_set),
            str(replica_set or "none: a standalone server"),
            "start mongod with --replSet and initiate the set; one member is enough",
            fatal=True,
        ),
        Finding("mongo writes", True, "journaled by a majority"),
    ]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())
