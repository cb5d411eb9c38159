"""Accounts of a MongoDB that is ours: the administrator of an embedded one, or one for each service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient

from storage.service_rights import SERVICES, account_of, role_of

Client = MongoClient[dict[str, Any]]
CanLogIn = Callable[[str, str], bool]
"""Whether a name and a password open the server."""

_JOURNALED = {"w": "majority", "j": True}


@dataclass(frozen=True)
class MongoAccount:
    """An account in the database `admin`.

    Parameters
    ----------
    role : a role that MongoDB has, or, with `rights`, one that is made: its `privileges` and `roles`.
    """

    name: str
    password: str = field(repr=False)
    role: str
    rights: Mapping[str, Any] | None = None

    def ensure(self, client: Client, can_log_in: CanLogIn) -> None:
        """Make it, or change what is not so; one whose role and password are as they should be stays."""
        if self.rights is not None:
            there = client.admin.command("rolesInfo", self.role)["roles"]
            client.admin.command(
                "updateRole" if there else "createRole",
                self.role,
                **self.rights,
                writeConcern=_JOURNALED,
            )
        found = client.admin.command("usersInfo", self.name)["users"]
        roles = [{"role": self.role, "db": "admin"}]
        if found and found[0]["roles"] == roles and can_log_in(self.name, self.password):
            return
        client.admin.command(
            "updateUser" if found else "createUser",
            self.name,
            pwd=self.password,
            roles=roles,
            writeConcern=_JOURNALED,
        )


def administrator(name: str, password: str) -> MongoAccount:
    """The account that may do everything, by which a service on one machine uses its own server."""
    return MongoAccount(name, password, "root")


def service_accounts(passwords: Mapping[str, str], database: str) -> list[MongoAccount]:
    """An account for each service, which may do what that service needs; KeyError where one is left out."""
    return [
        MongoAccount(account_of(service), passwords[service], account_of(service), role_of(service, database))
        for service in SERVICES
    ]


def retire_administrators(client: Client, names: Sequence[str]) -> list[str]:
    """Take away the accounts of these names that may do everything; returns them.

    Others of such a name are somebody's own and stay.
    """
    root = {"role": "root", "db": "admin"}
    retired = [
        str(found["user"])
        for name in names
        for found in client.admin.command("usersInfo", name)["users"]
        if root in found["roles"]
    ]
    for name in retired:
        client.admin.command("dropUser", name, writeConcern=_JOURNALED)
    return retired
