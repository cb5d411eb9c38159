"""Failed logins, counted."""

import pytest

from core.errors import TooOften
from storage.login_attempts import PER_ADDRESS, PER_PAIR, counted_as
from storage.record import Record


def test_the_addresses_of_one_ipv6_subscriber_count_as_one(record: Record) -> None:
    for n in range(PER_PAIR):
        record.login_attempts.refuse_flood("olga", f"2001:db8:0:1::{n}")
        record.login_attempts.failed("olga", f"2001:db8:0:1::{n}")
    with pytest.raises(TooOften):
        record.login_attempts.refuse_flood("olga", "2001:db8:0:1:ffff::1")
    record.login_attempts.refuse_flood("olga", "2001:db8:0:2::1")
    for n in range(PER_PAIR, PER_ADDRESS):
        record.login_attempts.failed(f"other-{n}", f"2001:db8:0:1::{n}")
    with pytest.raises(TooOften):
        record.login_attempts.refuse_flood("vera", "2001:db8:0:1::1")


@pytest.mark.parametrize(
    ("address", "as_what"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_is_counted_as_what_one_subscriber_has(address: str, as_what: str) -> None:
    assert counted_as(address) == as_what


def test_a_name_is_not_kept_as_it_was_typed(record: Record) -> None:
    record.login_attempts.failed("a password, typed as a name", "192.0.2.1")
    assert "typed" not in str(list(record.database["login_failures"].find()))
