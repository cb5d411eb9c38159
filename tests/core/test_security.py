"""Passwords and tokens."""

from core.security import hash_password, new_token, password_matches, token_digest


def test_a_password_matches_its_own_argon2id_hash_only() -> None:
    hashed = hash_password("correct")
    assert hashed.startswith("$argon2id$")
    assert password_matches("correct", hashed)
    assert not password_matches("wrong", hashed)
    assert hash_password("correct") != hashed


def test_nobody_has_no_password() -> None:
    assert not password_matches("", None)
    assert not password_matches("x", "not a hash")


def test_tokens_differ_and_are_not_their_digests() -> None:
    one, other = new_token(), new_token()
    assert one != other
    assert token_digest(one) != token_digest(other)
    assert one not in token_digest(one)
