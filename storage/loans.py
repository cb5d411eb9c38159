"""Which blobs a host has put into the store by the API, so that it may remove those and no others."""

from storage.database import Mongo


class LoanRepository:
    """The collection `loans`."""

    def __init__(self, database: Mongo) -> None:
        self._loans = database["loans"]

    def lend(self, sha256: str, account: str) -> None:
        """Note that this account is about to put a blob that was not there."""
        self._loans.update_one({"_id": sha256}, {"$setOnInsert": {"account": account}}, upsert=True)

    def keep(self, sha256: str, *, against: str) -> None:
        """Let nobody remove a blob any more that others than `against` had put there, now that two have."""
        self._loans.delete_one({"_id": sha256, "account": {"$ne": against}})

    def take_back(self, sha256: str, account: str) -> bool:
        """Whether this account may remove the blob; it may once."""
        return self._loans.delete_one({"_id": sha256, "account": account}).deleted_count == 1
