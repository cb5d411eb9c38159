"""A hold on the blobs: while somebody reads all of them (a backup), nobody removes any."""

import secrets
import time
from datetime import UTC, datetime, timedelta

from storage.database import Mongo

HOLD_S = 300.0
_RENEW_S = 30.0


class BlobHold:
    """Lasts while it is renewed, and for five minutes after a death."""

    def __init__(self, database: Mongo) -> None:
        self._holds = database["holds"]
        self._id = secrets.token_hex(8)
        self._renewed = -_RENEW_S

    def renew(self) -> None:
        """Call this often: it writes every half a minute."""
        if time.monotonic() - self._renewed >= _RENEW_S:
            self._renewed = time.monotonic()
            until = datetime.now(UTC) + timedelta(seconds=HOLD_S)
            self._holds.update_one({"_id": self._id}, {"$set": {"until": until, "of": "blobs"}}, upsert=True)

    def end(self) -> None:
        """Let blobs be removed again."""
        self._holds.delete_one({"_id": self._id})


def blobs_are_held(database: Mongo) -> bool:
    """Whether blobs that nobody names any more are to stay for now."""
    held = {"of": "blobs", "until": {"$gte": datetime.now(UTC)}}
    return database["holds"].find_one(held, {"_id": True}) is not None
