"""Subscriptions on record."""

from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from core.errors import Conflict, NotFound
from core.subscription import Subscription
from storage.database import Document, Mongo

MOST = 50
"""Of one owner."""


class SubscriptionRepository:
    """The collection `subscriptions`, and what goes with one that is removed."""

    def __init__(self, database: Mongo) -> None:
        self._database = database
        self._subscriptions = database["subscriptions"]

    def add(self, subscription: Subscription) -> Subscription:
        """Record one; raises Conflict where its owner has too many."""
        if self._subscriptions.count_documents({"owner": subscription.owner}) >= MOST:
            raise Conflict(f"{subscription.owner} has {MOST} subscriptions; expected fewer: remove some")
        document = vars(subscription) | {"_id": subscription.id, "created": datetime.now(UTC)}
        del document["id"]
        self._subscriptions.insert_one(document)
        return _subscription(document)

    def get(self, subscription: str) -> Subscription:
        """One of them; raises NotFound."""
        document = self._subscriptions.find_one({"_id": subscription})
        if document is None:
            raise NotFound(f"there is no subscription {subscription[:80]!r}")
        return _subscription(document)

    def all(self, *, owner: str | None = None) -> list[Subscription]:
        """All of them, or an owner's, the oldest first."""
        query: Document = {} if owner is None else {"owner": owner}
        return [
            _subscription(found)
            for found in self._subscriptions.find(query).sort([("created", 1), ("_id", 1)])
        ]

    def note_fault(self, subscription: str, fault: str | None) -> None:
        """Note why it is not told, or that nothing is wrong with it any more."""
        self._subscriptions.update_one(
            {"_id": subscription, "fault": {"$ne": fault}}, {"$set": {"fault": fault}}
        )

    def remove(self, subscription: str) -> None:
        """Forget it with all that was told of it; what is just being sent may still arrive."""
        self._subscriptions.delete_one({"_id": subscription})
        self._database["deliveries"].delete_many({"subscription": subscription})
        self._database["announced"].delete_many({"_id": of_subscription(subscription)})

    def end_all(self, owner: str, session: ClientSession) -> list[str]:
        """End an owner's in a transaction; returns them, of which what was told is to be removed after it."""
        found = self._subscriptions.find({"owner": owner}, {"_id": True}, session=session)
        ended = [str(document["_id"]) for document in found]
        self._subscriptions.delete_many({"_id": {"$in": ended}}, session=session)
        return ended


def of_subscription(subscription: str) -> Document:
    """A range of the keys {subscription, subject}, which their index serves."""
    first = {"subscription": subscription}
    return {"$gte": first, "$lt": {"subscription": subscription + "\0"}}


def _subscription(document: Document) -> Subscription:
    found = {**document, "id": document["_id"]}
    del found["_id"]
    return Subscription(**found)
