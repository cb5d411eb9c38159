"""Accounts and their tokens. A password is stored as argon2id, a token as its SHA-256."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, NotAuthenticated, NotFound
from core.security import hash_digest, hash_password, new_token, password_matches, token_digest
from core.user import ROLES, Proof, Role, User, checked_name, checked_password, lesser
from storage.accounts_behind import accounts_behind
from storage.database import Document, Mongo
from storage.subscriptions import SubscriptionRepository

_T = TypeVar("_T")
_ID_LENGTH = 16  # of what is stored, which is no secret


@dataclass(frozen=True)
class TokenInfo:
    """A token as its owner may see it: never the token itself."""

    id: str
    user: str
    created: datetime
    expires: datetime
    label: str
    scope: Role | None


@dataclass(frozen=True)
class NewToken:
    """A token, which is on record by its digest alone, and when it ends."""

    token: str
    expires: datetime


MOST_TOKENS = 100
"""Of one account, of each kind: those that a login gave, and those that were made with a scope."""


class AccountRepository:
    """The collections `users` and `tokens`; `sessions` end with what they are of.

    A token ends at its time, when it is revoked, and with the password that it goes back to, whose hash it
    notes by a digest.
    """

    def __init__(self, database: Mongo) -> None:
        self._users = database["users"]
        self._tokens = database["tokens"]
        self._sessions = database["sessions"]
        self._service = database["service"]
        self._projects = database["projects"]
        self._subscriptions = SubscriptionRepository(database)
        self._client = database.client

    def add(self, name: str, password: str, role: Role) -> User:
        """Create an account; raises Conflict for a taken name, InvalidRequest for a wrong one or password."""
        document = {"_id": checked_name(name), "password": hash_password(checked_password(password))}
        try:
            self._users.insert_one({**document, "role": role})
        except DuplicateKeyError as error:
            raise Conflict(f"there is an account called {name!r} already") from error
        return User(name, role)

    def ensure_admin(self, name: str, password: str) -> None:
        """Make sure that the administrator of secrets.json exists with that password.

        A changed password revokes the tokens and ends the sessions that the old one gave.
        """
        existing = self._users.find_one({"_id": name})
        if existing is not None and password_matches(password, existing["password"]):
            return
        self._users.update_one(
            {"_id": name}, {"$set": {"password": hash_password(password), "role": "admin"}}, upsert=True
        )
        self._revoke_all(name)

    def all(self) -> list[User]:
        """Every account, by name."""
        return [User(d["_id"], d["role"]) for d in self._users.find({}, {"role": True}).sort("_id", 1)]

    def get(self, name: str) -> User:
        """One account; raises NotFound."""
        found = self._users.find_one({"_id": name}, {"role": True})
        if found is None:
            raise _no_account(name)
        return User(name, found["role"])

    def is_known(self, name: str) -> bool:
        """Whether there is an account of this name."""
        return self._users.find_one({"_id": name}, {"_id": True}) is not None

    def may(self, name: str, role: Role) -> bool:
        """Whether there is such an account, and it may do what a role is needed for."""
        found = self._users.find_one({"_id": name}, {"role": True})
        return found is not None and User(name, found["role"]).may(role)

    def remove(self, name: str) -> None:
        """Remove an account, its tokens, sessions, subscriptions and its place in projects.

        What it labelled stays. Raises NotFound, and Conflict for the last admin.
        """

        def body(session: ClientSession) -> list[str]:
            self._keep_an_admin(name, session)
            if not self._users.delete_one({"_id": name}, session=session).deleted_count:
                raise _no_account(name)
            return self._subscriptions.end_all(name, session)  # none is left to whoever gets that name next

        for ended in self._in_transaction(body):
            self._subscriptions.remove(ended)
        self._revoke_all(name)
        self._projects.update_many({"members.user": name}, {"$pull": {"members": {"user": name}}})

    def set_role(self, name: str, role: Role) -> Role:
        """Give an account another role, at once; returns the one before. Raises as `remove` does."""

        def body(session: ClientSession) -> Role:
            if role != "admin":
                self._keep_an_admin(name, session)
            before = self._users.find_one_and_update({"_id": name}, {"$set": {"role": role}}, session=session)
            if before is None:
                raise _no_account(name)
            return cast(Role, before["role"])

        return self._in_transaction(body)

    def set_password(self, name: str, password: str, *, proof: Proof | None = None) -> None:
        """Change a password; the tokens and sessions of the old one end.

        With a proof only as long as that password is the account's. Raises NotFound, InvalidRequest, and
        NotAuthenticated for a proof that is not worth anything any more.
        """
        change = {"$set": {"password": hash_password(checked_password(password))}}

        def body(session: ClientSession) -> None:
            before = self._users.find_one_and_update({"_id": name}, change, session=session)
            if before is None:
                raise _no_account(name)
            if proof is not None and proof.password != hash_digest(before["password"]):
                raise NotAuthenticated("the password was changed meanwhile; log in with the new one")

        self._in_transaction(body)
        self._revoke_all(name)

    def check(self, name: str, password: str) -> Proof:
        """A proof of the account that a name and its password are of.

        Raises NotAuthenticated, not telling which of the two was wrong.
        """
        existing = self._users.find_one({"_id": name})
        if not password_matches(password, existing["password"] if existing else None) or existing is None:
            raise NotAuthenticated("wrong user name or password")
        return Proof(User(name, existing["role"]), hash_digest(existing["password"]))

    def log_in(self, name: str, password: str, *, days: float) -> str:
        """A new token; raises as `check` does."""
        return self.issue(self.check(name, password), days=days).token

    def issue(self, proof: Proof, *, days: float, label: str = "", scope: Role | None = None) -> NewToken:
        """A new token of the account that a proof is of; with a scope it may do no more than that role.

        Worth nothing if the password has changed since the proof was checked. On the proof of a token it ends
        with that at the latest and may do no more. Where there are MOST_TOKENS of its kind, the oldest of
        those that logins gave ends; for one with a scope, which programs keep, Conflict is raised.
        """
        token = new_token()
        now = datetime.now(UTC)
        expires = now + timedelta(days=days)
        if proof.expires is not None:
            expires = min(expires, proof.expires)
        if proof.is_narrow:
            scope = lesser(scope or ROLES[0], proof.user.role)
        if scope is not None:
            self._refuse_more(proof.user.name)
        self._tokens.insert_one(
            {
                "_id": token_digest(token),
                "user": proof.user.name,
                "password": proof.password,
                "created": now,
                "expires": expires,
                "label": label,
                "scope": scope,
            }
        )
        if scope is None:
            self._end_oldest(proof.user.name)
        return NewToken(token, expires)

    def proof_of(self, token: str) -> Proof:
        """Whose token this is; raises NotAuthenticated when it is unknown, has ended or was revoked."""
        proof = self.proofs_of([token])[token]
        if isinstance(proof, NotAuthenticated):
            raise proof
        return proof

    def proofs_of(self, tokens: Sequence[str]) -> dict[str, Proof | NotAuthenticated]:
        """The same of several tokens: the proof of each, or the error."""
        digests = [token_digest(token) for token in tokens]
        found = {d["_id"]: d for d in self._tokens.find({"_id": {"$in": digests}})}
        accounts = accounts_behind(list(found.values()), self._users)
        return {
            token: _proof(found[digest], accounts[digest])
            if digest in accounts
            else NotAuthenticated("the token is unknown, expired or revoked; log in again at /auth")
            for token, digest in zip(tokens, digests, strict=True)
        }

    def tokens_of(self, name: str) -> list[TokenInfo]:
        """The tokens of one account, newest first."""
        found = self._tokens.find({"user": name}).sort("created", -1)
        return [_info(document) for document in found]

    def revoke(self, name: str, token_id: str) -> TokenInfo | None:
        """Revoke one token of an account by the id that `tokens_of` gave; None when there is none."""
        for document in self._tokens.find({"user": name}, {"_id": True}):
            if document["_id"][:_ID_LENGTH] == token_id:
                found = self._tokens.find_one_and_delete({"_id": document["_id"]})
                return None if found is None else _info(found)
        return None

    def revoke_token(self, token: str) -> TokenInfo | None:
        """Revoke the token that is given; None when there is none."""
        found = self._tokens.find_one_and_delete({"_id": token_digest(token)})
        return None if found is None else _info(found)

    def _refuse_more(self, name: str) -> None:
        live = {"user": name, "scope": {"$ne": None}, "expires": {"$gt": datetime.now(UTC)}}
        if self._tokens.count_documents(live, limit=MOST_TOKENS) >= MOST_TOKENS:
            raise Conflict(f"{name!r} has {MOST_TOKENS} tokens with a scope already; revoke some first")

    def _end_oldest(self, name: str) -> None:
        logins = self._tokens.find({"user": name, "scope": None}, {"_id": True}).sort("created", -1)
        over = [document["_id"] for document in logins.skip(MOST_TOKENS)]
        if over:
            self._tokens.delete_many({"_id": {"$in": over}})

    def _keep_an_admin(self, name: str, session: ClientSession) -> None:
        """Raise Conflict when this is the last administrator; two changes at once see each other."""
        self._service.update_one({"_id": "accounts"}, {"$inc": {"turn": 1}}, upsert=True, session=session)
        admins = [d["_id"] for d in self._users.find({"role": "admin"}, {"_id": True}, session=session)]
        if admins == [name]:
            raise Conflict(f"{name!r} is the last administrator; make another account one first")

    def _revoke_all(self, name: str) -> None:
        self._tokens.delete_many({"user": name})
        self._sessions.delete_many({"user": name})

    def _in_transaction(self, body: Callable[[ClientSession], _T]) -> _T:
        with self._client.start_session() as session:
            return session.with_transaction(body)


def _proof(token: Document, account: Document) -> Proof:
    return Proof(
        User(account["_id"], lesser(account["role"], token.get("scope") or ROLES[0])),
        token["password"],
        expires=token["expires"],
        is_narrow=token.get("scope") is not None,
    )


def _info(document: Document) -> TokenInfo:
    return TokenInfo(
        id=document["_id"][:_ID_LENGTH],
        user=document["user"],
        created=document["created"],
        expires=document["expires"],
        label=document.get("label", ""),
        scope=document.get("scope"),
    )


def _no_account(name: str) -> NotFound:
    return NotFound(f"there is no account {name[:80]!r}")
