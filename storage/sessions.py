"""Sessions of people who logged in with a browser, or as the predecessor's client does: by a cookie."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from core.errors import NotAuthenticated
from core.security import new_session, token_digest
from core.user import Proof, User
from storage.accounts_behind import accounts_behind
from storage.database import Mongo


class SessionRepository:
    """The collection `sessions`: a session is stored by the SHA-256 of its random id alone.

    It ends at its time, when it is closed, and with the password it was opened with: the session notes a
    digest of the hash that was verified, so that a login that overlaps a change of the password is worth
    nothing.
    """

    def __init__(self, database: Mongo) -> None:
        self._sessions = database["sessions"]
        self._users = database["users"]

    def open(self, proof: Proof, *, days: float) -> str:
        """A new session of the account that a proof is of; worth nothing if the password changed."""
        session, now = new_session(), datetime.now(UTC)
        self._sessions.insert_one(
            {
                "_id": token_digest(session),
                "user": proof.user.name,
                "password": proof.password,
                "created": now,
                "expires": now + timedelta(days=days),
            }
        )
        return session

    def proof_of(self, session: str) -> Proof:
        """Whose session this is; raises NotAuthenticated when it is unknown, ended or of an old password."""
        proof = self.proofs_of([session])[session]
        if isinstance(proof, NotAuthenticated):
            raise proof
        return proof

    def proofs_of(self, sessions: Sequence[str]) -> dict[str, Proof | NotAuthenticated]:
        """The same of several sessions: the proof of each, or the error."""
        digests = [token_digest(session) for session in sessions]
        found = {d["_id"]: d for d in self._sessions.find({"_id": {"$in": digests}})}
        accounts = accounts_behind(list(found.values()), self._users)
        proofs: dict[str, Proof | NotAuthenticated] = {}
        for session, digest in zip(sessions, digests, strict=True):
            if (account := accounts.get(digest)) is None:
                proofs[session] = NotAuthenticated("the session is unknown or has ended; log in again")
            else:
                user = User(account["_id"], account["role"])
                proofs[session] = Proof(user, found[digest]["password"])
        return proofs

    def close(self, session: str) -> None:
        """End a session; harmless when it has ended."""
        self._sessions.delete_one({"_id": token_digest(session)})
