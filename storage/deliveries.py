"""Messages to subscribers: made once for each thing to tell, sent until the receiver has said yes."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from core.subscription import CHANNELS, Channel, Delivery, Subscription
from storage.database import Document, Mongo

MOST_ENTRIES = 500
_AT_ONCE = 1000


class DeliveryRepository:
    """The collections `announced`, keyed by {subscription, subject}, and `deliveries`."""

    def __init__(self, database: Mongo) -> None:
        self._database = database
        self._deliveries, self._announced = database["deliveries"], database["announced"]

    def announce(self, to: Subscription, entries: Mapping[str, Mapping[str, Any]], *, gather_s: float) -> int:
        """Put entries, by subject (a cutout or a job), into messages, each subject once for ever.

        Returns how many were new. A message takes up to 500 entries for `gather_s` before it is first sent.
        Subjects and messages are one transaction, so that whoever is killed here has done all or nothing;
        of two at the same time one raises pymongo's errors, and may do it again.
        """
        new = 0
        subjects = list(entries)
        for start in range(0, len(subjects), _AT_ONCE):
            part = subjects[start : start + _AT_ONCE]
            keys = [{"subscription": to.id, "subject": subject} for subject in part]
            known = {d["_id"]["subject"] for d in self._announced.find({"_id": {"$in": keys}}, {"_id": True})}
            fresh = [subject for subject in part if subject not in known]
            if fresh:
                with self._database.client.start_session() as session:
                    session.with_transaction(
                        lambda session, fresh=fresh: self._announce(  # type: ignore[misc]
                            session, to, fresh, [dict(entries[subject]) for subject in fresh], gather_s
                        )
                    )
            new += len(fresh)
        return new

    def add_trial(self, to: Subscription) -> Delivery:
        """A message without entries, to be sent at once."""
        document = _new(to, [], 0.0)
        self._deliveries.insert_one(document)
        return _delivery(document)

    def any_due(self) -> bool:
        """Whether a message of any channel is due: one look, for who asks again and again."""
        due = {"state": "pending", "channel": {"$in": CHANNELS}, "next_at": {"$lte": datetime.now(UTC)}}
        return self._deliveries.find_one(due, {"_id": True}) is not None

    def claim(self, channel: Channel, *, but: Collection[str], lease_s: float) -> Delivery | None:
        """A message that is due, the oldest first, of none of these subscriptions; None when none is.

        It is due again after `lease_s`, should nobody tell what became of it.
        """
        now = datetime.now(UTC)
        query: Document = {"state": "pending", "channel": channel, "next_at": {"$lte": now}}
        if but:
            query["subscription"] = {"$nin": list(but)}
        if self._deliveries.find_one(query, {"_id": True}) is None:
            return None  # for a write of nothing, too, waits for the journal
        found = self._deliveries.find_one_and_update(
            query,
            {
                "$set": {"token": secrets.token_hex(8), "next_at": now + timedelta(seconds=lease_s)},
                "$inc": {"attempts": 1},
            },
            sort=[("next_at", 1), ("_id", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return None if found is None else _delivery(found)

    def delivered(self, delivery: Delivery) -> None:
        """The receiver has it. That holds also for a try whose lease is over."""
        self._deliveries.update_one(
            {"_id": delivery.id, "state": {"$ne": "delivered"}},
            {"$set": {"state": "delivered", "delivered": datetime.now(UTC), "last_error": None}},
        )

    def failed(self, delivery: Delivery, error: str, *, again_s: float | None) -> None:
        """A try failed: the next one comes after so long, or never, and it is dead."""
        change: Document = {"last_error": error[:500], "token": ""}
        if again_s is None:
            change["state"] = "dead"
        else:
            change["next_at"] = datetime.now(UTC) + timedelta(seconds=again_s)
        self._deliveries.update_one(
            {"_id": delivery.id, "state": "pending", "token": delivery.token}, {"$set": change}
        )

    def revive(self, subscription: str) -> int:
        """Send what is dead once more, from the first try on; returns how many."""
        changed = self._deliveries.update_many(
            {"subscription": subscription, "state": "dead"},
            {"$set": {"state": "pending", "attempts": 1, "next_at": datetime.now(UTC)}},
        )
        return changed.modified_count

    def latest(self, subscription: str, *, limit: int) -> list[Delivery]:
        """Messages of a subscription, the newest first."""
        found = self._deliveries.find({"subscription": subscription})
        return [_delivery(d) for d in found.sort([("created", -1), ("_id", 1)]).limit(limit)]

    def counts(self, subscriptions: Sequence[str]) -> dict[str, dict[str, int]]:
        """By subscription, how many messages are in which state."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"subscription": {"$in": list(subscriptions)}}},
            {"$group": {"_id": {"subscription": "$subscription", "state": "$state"}, "n": {"$sum": 1}}},
        ]
        counts: dict[str, dict[str, int]] = {}
        for found in self._deliveries.aggregate(pipeline):
            counts.setdefault(found["_id"]["subscription"], {})[found["_id"]["state"]] = found["n"]
        return counts

    def _announce(
        self,
        session: ClientSession,
        to: Subscription,
        subjects: Sequence[str],
        entries: Sequence[Document],
        gather_s: float,
    ) -> None:
        now = datetime.now(UTC)
        keys = [{"_id": {"subscription": to.id, "subject": subject}, "at": now} for subject in subjects]
        self._announced.insert_many(keys, session=session)
        rest = list(entries)
        open_one = self._deliveries.find_one(
            {
                "subscription": to.id,
                "state": "pending",
                "attempts": 0,
                "count": {"$gt": 0, "$lt": MOST_ENTRIES},
            },
            {"count": True},
            session=session,
        )
        if open_one is not None:
            taken, rest = rest[: MOST_ENTRIES - open_one["count"]], rest[MOST_ENTRIES - open_one["count"] :]
            self._deliveries.update_one(
                {"_id": open_one["_id"]},
                {"$push": {"entries": {"$each": taken}}, "$inc": {"count": len(taken)}},
                session=session,
            )
        parts = [rest[start : start + MOST_ENTRIES] for start in range(0, len(rest), MOST_ENTRIES)]
        if parts:
            self._deliveries.insert_many([_new(to, part, gather_s) for part in parts], session=session)


def _new(to: Subscription, entries: Sequence[Document], gather_s: float) -> Document:
    now = datetime.now(UTC)
    return {
        "_id": secrets.token_hex(16),
        "subscription": to.id,
        "event": to.event,
        "channel": to.channel,
        "state": "pending",
        "entries": list(entries),
        "count": len(entries),
        "attempts": 0,
        "token": "",
        "created": now,
        "next_at": now + timedelta(seconds=gather_s),
        "delivered": None,
        "last_error": None,
    }


def _delivery(document: Document) -> Delivery:
    found = {**document, "id": document["_id"]}
    del found["_id"], found["count"]
    return Delivery(**found)
