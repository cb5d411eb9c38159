"""Names of projects and classes: what is taken, and what is told to who writes otherwise."""

import pytest

from core.errors import InvalidRequest
from core.project import checked_classes, checked_description, checked_id, checked_name, new_id


def test_classes_are_sorted() -> None:
    assert checked_classes(["streak", "no_streak", "2nd"]) == ("2nd", "no_streak", "streak")


@pytest.mark.parametrize(
    "name", ["<script>", "a b", "", "a" * 65, 'a"', "a'", "a\u202eb", "_<", "a/b", "a\0"]
)
def test_a_class_that_is_no_word_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="expected 1 to 64 letters"):
        checked_classes(["streak", name])


@pytest.mark.parametrize("twin", ["streak", "Streak", "ｓtreak"])
def test_two_classes_of_one_name_are_refused(twin: str) -> None:
    with pytest.raises(InvalidRequest, match="are one name"):
        checked_classes(["streak", twin])


def test_a_project_has_at_least_one_class_and_not_too_many() -> None:
    for names in ([], [f"c{n}" for n in range(51)]):
        with pytest.raises(InvalidRequest, match="expected 1 to 50"):
            checked_classes(names)


def test_a_name_may_be_anything_that_can_be_read() -> None:
    assert checked_name("  Streaks <b> & 'more' \u00e9  ") == "Streaks <b> & 'more' \u00e9"
    for wrong in ("", "  ", "a" * 201, "a\u202eb", "a\nb", "a\0"):
        with pytest.raises(InvalidRequest, match="expected 1 to 200"):
            checked_name(wrong)


def test_a_description_may_have_lines() -> None:
    assert checked_description("one\r\ntwo") == "one\ntwo"
    for wrong in ("a" * 4001, "a\u2067b", "\x1b[0m"):
        with pytest.raises(InvalidRequest, match="expected at most 4000"):
            checked_description(wrong)


def test_ids_look_like_the_old_sites() -> None:
    assert len(new_id()) == 24
    assert checked_id(new_id()) != new_id()
    for wrong in ("", "../a", "a.b", "a" * 65):
        with pytest.raises(InvalidRequest, match="expected up to 64"):
            checked_id(wrong)
