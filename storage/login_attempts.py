"""Failed logins, counted for a while by name and by address, so that nobody tries passwords for long."""

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, IPv6Network

from core.errors import TooOften
from storage.database import Mongo

WINDOW_S = 300
PER_PAIR = 10
"""Failures of one name from one address: a person who has forgotten a password stops before."""
PER_ADDRESS = 60
"""Failures of any names from one address, which a whole observatory may share."""
PER_NAME = 200
"""Failures of one name from anywhere; high, because it locks the owner out as well."""


class LoginAttempts:
    """The collection `login_failures`, whose entries end by themselves."""

    def __init__(self, database: Mongo) -> None:
        self._failures = database["login_failures"]

    def refuse_flood(self, name: str, address: str) -> None:
        """Raise TooOften when this name or this address has failed too often during the last minutes."""
        name, address = name_digest(name), counted_as(address)
        since = {"$gte": datetime.now(UTC) - timedelta(seconds=WINDOW_S)}
        limits = (
            ({"name": name, "address": address}, PER_PAIR),
            ({"address": address}, PER_ADDRESS),
            ({"name": name}, PER_NAME),
        )
        for of, limit in limits:
            if self._failures.count_documents({**of, "at": since}, limit=limit) >= limit:
                minutes = WINDOW_S // 60
                raise TooOften(
                    f"{limit} logins failed within {minutes} minutes; try again in {minutes} minutes"
                )

    def failed(self, name: str, address: str) -> None:
        """Note a failure."""
        entry = {"name": name_digest(name), "address": counted_as(address), "at": datetime.now(UTC)}
        self._failures.insert_one(entry)


def name_digest(name: str) -> str:
    """What stands for a name: people type passwords there, which are not to be read from the record."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def counted_as(address: str) -> str:
    """What an address is counted as: of IPv6 the /64, all of which one subscriber has."""
    with suppress(ValueError):
        host = IPv6Address(address)
        if host.ipv4_mapped is not None:
            return str(host.ipv4_mapped)
        return str(IPv6Network((int(host), 64), strict=False))
    return address
