"""The tokens of invited hosts, which open the blobs and nothing else. A token is stored as its SHA-256."""

from datetime import UTC, datetime

from core.security import new_token, token_digest
from storage.database import Mongo


class GuestRepository:
    """The collection `guests`."""

    def __init__(self, database: Mongo) -> None:
        self._guests = database["guests"]

    def admit(self, name: str, expires: datetime) -> str:
        """A new token for a host, which holds until then."""
        token = new_token()
        self._guests.insert_one({"_id": token_digest(token), "name": name, "expires": expires})
        return token

    def dismiss(self, name: str) -> None:
        """Let the tokens of a host open nothing any more; harmless when there are none."""
        self._guests.delete_many({"name": name})

    def name_of(self, token: str) -> str | None:
        """The host whose token this is; None for a token that is no host's, or is over."""
        found = self._guests.find_one({"_id": token_digest(token), "expires": {"$gt": datetime.now(UTC)}})
        return None if found is None else str(found["name"])
