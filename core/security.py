"""Passwords and tokens."""

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()  # argon2id with the library's current parameters (RFC 9106, low memory)


def hash_password(password: str) -> str:
    """The argon2id hash of a password, salted, in the PHC string format."""
    return _HASHER.hash(password)


def password_matches(password: str, hashed: str | None) -> bool:
    """Whether the password is the one that was hashed; as slow when there is no such account."""
    try:
        return _HASHER.verify(hashed or _nobody(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def new_token() -> str:
    """A bearer token with 256 random bits."""
    return f"da_{secrets.token_urlsafe(32)}"


def new_session() -> str:
    """A session's id with 256 random bits, fit for a cookie."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """What is stored of a token: it is random enough for a plain SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_digest(hashed: str) -> str:
    """What a session and a token note of the stored hash of the password that they go back to.

    Hashes are salted, so a password that is set again, or given to an account made again, has another.
    """
    return hashlib.sha256(hashed.encode()).hexdigest()


@cache
def _nobody() -> str:
    """The hash of a password that nobody has."""
    return _HASHER.hash(secrets.token_hex(16))
