"""Accounts and their tokens. A password is stored as argon2id, a token as its SHA-256."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, NotAuthenticated
from core.security import hash_password, new_token, password_matches, token_digest
from storage.database import Mongo

Role = Literal["admin", "operator", "labeller", "viewer"]


@dataclass(frozen=True)
class User:
    """Who asks, and what they may do."""

    name: str
    role: Role


@dataclass(frozen=True)
class TokenInfo:
    """A token as its owner may see it: never the token itself."""

    id: str
    user: str
    created: datetime
    expires: datetime


class AccountRepository:
    """The collections `users` and `tokens`."""

    def __init__(self, database: Mongo) -> None:
        self._users = database["users"]
        self._tokens = database["tokens"]

    def add(self, name: str, password: str, role: Role) -> User:
        """Create an account; raises Conflict when the name is taken."""
        try:
            self._users.insert_one({"_id": name, "password": hash_password(password), "role": role})
        except DuplicateKeyError as error:
            raise Conflict(f"there is an account called {name!r} already") from error
        return User(name, role)

    def ensure_admin(self, name: str, password: str) -> None:
        """Make sure that the administrator of secrets.json exists with that password.

        A changed password revokes the tokens that the old one gave.
        """
        existing = self._users.find_one({"_id": name})
        if existing is not None and password_matches(password, existing["password"]):
            return
        self._users.update_one(
            {"_id": name}, {"$set": {"password": hash_password(password), "role": "admin"}}, upsert=True
        )
        self._tokens.delete_many({"user": name})

    def log_in(self, name: str, password: str, *, days: float) -> str:
        """A new token; raises NotAuthenticated, not telling which of the two was wrong."""
        existing = self._users.find_one({"_id": name})
        if not password_matches(password, existing["password"] if existing else None):
            raise NotAuthenticated("wrong user name or password")
        return self.issue(name, days=days)

    def issue(self, name: str, *, days: float) -> str:
        """A new token for an account that exists."""
        token = new_token()
        now = datetime.now(UTC)
        expires = now + timedelta(days=days)
        self._tokens.insert_one(
            {"_id": token_digest(token), "user": name, "created": now, "expires": expires}
        )
        return token

    def user_of(self, token: str) -> User:
        """Whose token this is; raises NotAuthenticated when it is unknown, expired or revoked."""
        found = self._tokens.find_one({"_id": token_digest(token)})
        if found is None or found["expires"] < datetime.now(UTC):
            raise NotAuthenticated("the token is unknown, expired or revoked; log in again at /auth")
        user = self._users.find_one({"_id": found["user"]})
        if user is None:
            raise NotAuthenticated("the token's account was removed")
        return User(user["_id"], user["role"])

    def tokens_of(self, name: str) -> list[TokenInfo]:
        """The tokens of one account, newest first."""
        found = self._tokens.find({"user": name}).sort("created", -1)
        return [TokenInfo(d["_id"][:16], d["user"], d["created"], d["expires"]) for d in found]

    def revoke(self, name: str, token_id: str) -> bool:
        """Revoke one token of an account by the id that `tokens_of` gave; False when there is none."""
        for document in self._tokens.find({"user": name}, {"_id": True}):
            if document["_id"][:16] == token_id:
                return self._tokens.delete_one({"_id": document["_id"]}).deleted_count == 1
        return False

    def revoke_token(self, token: str) -> None:
        """Revoke the token that is given."""
        self._tokens.delete_one({"_id": token_digest(token)})
