"""Whose tokens and sessions are, as far as they have not ended."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo.collection import Collection

from core.security import hash_digest
from storage.database import Document


def accounts_behind(documents: Sequence[Document], users: Collection[Document]) -> dict[str, Document]:
    """By the id of a token's or session's document, the account, where neither its time is over nor its
    password another one than it was opened with.
    """
    names = list({document["user"] for document in documents})
    accounts = {d["_id"]: d for d in users.find({"_id": {"$in": names}})} if names else {}
    now = datetime.now(UTC)
    return {
        document["_id"]: account
        for document in documents
        if (account := accounts.get(document["user"])) is not None
        and document["expires"] >= now
        and document.get("password") == hash_digest(account["password"])
    }
