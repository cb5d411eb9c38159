"""What each process of a deployment may do in MongoDB: roles of their own, for accounts of their own.

Derived from the repositories that a process calls; a right that none of its calls needs is not granted. The
operator's is for what people run themselves: backup, restore, migrations, packs, invitations.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from core.errors import Misconfigured
from storage.database import IN_CONTAINERS, PRIVATE, SHARED, Document, Mongo, check

Service = Literal["api", "worker", "trainer", "beat", "operator"]
SERVICES: tuple[Service, ...] = get_args(Service)

_READ = ("find",)
_ADD = ("find", "insert")
_CHANGE = ("find", "insert", "update")
_MEND = ("find", "update")
_OWN = ("find", "insert", "update", "remove")
_PREPARE = ("createCollection", "createIndex")

_API = {
    **dict.fromkeys((*SHARED, *PRIVATE), _CHANGE),
    **dict.fromkeys(("audit", "login_failures"), _ADD),  # what is told of people is not taken back
    **dict.fromkeys(("packs", "guests", "workers", "holds"), _READ),
    **dict.fromkeys(
        ("users", "tokens", "sessions", "subscriptions", "announced", "deliveries", "shards", "trainings"),
        _OWN,
    ),
    **dict.fromkeys(("import_faults", "label_faults", "night_faults", "label_holds"), _OWN),
}
_WORKER = {
    **dict.fromkeys(("jobs", "shards", "packs"), _MEND),
    **dict.fromkeys(("cutouts", "outcomes"), _CHANGE),
    "models": _READ,
    "service": _ADD,  # the canary's scores; no mark that stands there is moved
    "workers": _OWN,
}
_TRAINER = {
    **dict.fromkeys(("jobs", "trainings"), _MEND),
    **dict.fromkeys(("shards", "datasets", "dataset_items"), _READ),
    **dict.fromkeys(("models", "service"), _ADD),
}
_BEAT = {
    "": ("dbStats",),  # of the database itself: how full its disk is
    **dict.fromkeys(("jobs", "trainings"), ("find", "update", "remove")),
    **dict.fromkeys(("shards", "subscriptions", "announced", "deliveries"), _OWN),
    **dict.fromkeys(("cutouts", "models"), _MEND),
    **dict.fromkeys(("outcomes", "audit"), ("find", "remove")),
    **dict.fromkeys(("users", "workers", "night_files", "holds"), _READ),
    "service": _CHANGE,
}
_TABLE: Mapping[Service, Mapping[str, Sequence[str]]] = {
    "api": {name: (*actions, *_PREPARE) for name, actions in _API.items()},
    "worker": _WORKER,
    "trainer": _TRAINER,
    "beat": _BEAT,
    "operator": {},
}


def account_of(service: Service) -> str:
    """The name of a service's account, and of its role."""
    return f"streaks-{service}"


def role_of(service: Service, database: str) -> dict[str, Any]:
    """The `privileges` and `roles` of a service's role on a database, as createRole takes them."""
    listed = {"resource": {"db": database, "collection": ""}, "actions": ["listCollections"]}
    privileges = [
        {"resource": {"db": database, "collection": name}, "actions": list(actions)}
        for name, actions in _TABLE[service].items()
    ]
    if service == "operator":
        return {"privileges": [], "roles": [{"role": "dbOwner", "db": database}]}
    return {"privileges": [listed, *privileges], "roles": []}


def check_service(database: Mongo, service: Service, *, account: str) -> None:
    """As `storage.database.check`; raises Misconfigured, too, where the account may do less than it needs.

    That is so where it is another service's, and where a release that needs more is not initiated yet.
    """
    check(database, account=account)
    told = database.client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not told["authenticatedUsers"]:
        return  # a server that asks nobody who they are
    granted = told["authenticatedUserPrivileges"]
    lacking = [
        f"{action} {name}".strip()
        for name, actions in _TABLE[service].items()
        for action in actions
        if not any(_covers(privilege, database.name, name, action) for privilege in granted)
    ]
    if lacking:
        raise Misconfigured(
            f"the account {account} at MongoDB lacks rights that the {service} needs "
            f"({', '.join(lacking[:3])}; {len(lacking)} in all); expected {account_of(service)}, or another "
            f"that may read and write the database {database.name}; {IN_CONTAINERS}"
        )


def _covers(privilege: Document, database: str, collection: str, action: str) -> bool:
    resource = privilege["resource"]
    if action not in privilege["actions"] and "anyAction" not in privilege["actions"]:
        return False
    if resource.get("anyResource"):
        return True
    return resource.get("db") in ("", database) and resource.get("collection") in ("", collection)
