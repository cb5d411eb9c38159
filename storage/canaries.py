"""What each version gave the canary, as the first worker noted that scored it; all others are held to it."""

from dataclasses import asdict, dataclass

from pymongo.errors import DuplicateKeyError

from storage.database import Mongo


@dataclass(frozen=True)
class KnownScore:
    """A version's score of the canary, and who gave it."""

    score: float
    engine: str
    precision: str
    worker: str


class CanaryRepository:
    """Entries of the collection `service`, one for each version; the first stays."""

    def __init__(self, database: Mongo) -> None:
        self._service = database["service"]

    def known(self, version: str, *, else_note: KnownScore) -> KnownScore:
        """The score on record; where there is none, this one from now on."""
        key = {"_id": f"canary {version}"}
        found = self._service.find_one(key)
        if found is None:
            try:
                self._service.insert_one(key | asdict(else_note))
                return else_note
            except DuplicateKeyError:
                found = self._service.find_one(key) or asdict(else_note)
        return KnownScore(found["score"], found["engine"], found["precision"], found["worker"])
