"""Cohen's kappa by known answers and invariances."""

import random

import pytest

from core.agreement import Agreement, agreements, cohens_kappa


def pairs_of(table: list[list[int]]) -> list[tuple[str, str]]:
    """A table of counts, rows one person's classes, columns the other's."""
    return [
        (f"c{row}", f"c{column}")
        for row, counts in enumerate(table)
        for column, n in enumerate(counts)
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[20, 5], [10, 15]], 0.4),  # po .7, pe .5
        ([[45, 15], [25, 15]], 0.130434782),  # po .6, pe .54
        ([[25, 35], [5, 35]], 0.259259259),  # po .6, pe .46
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.491525423),  # three classes: po .7, pe .41
        ([[7, 0], [0, 3]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
    ],
)
def test_kappa_is_agreement_beyond_chance(table: list[list[int]], expected: float) -> None:
    assert cohens_kappa(pairs_of(table)) == pytest.approx(expected)


def test_kappa_is_the_same_for_either_person_and_any_order_and_names() -> None:
    pairs = pairs_of([[20, 5], [10, 15]])
    random.Random(1).shuffle(pairs)
    turned = [(b.replace("c0", "x"), a.replace("c0", "x")) for a, b in pairs]
    assert cohens_kappa(turned) == cohens_kappa(pairs)


def test_kappa_is_not_defined_without_pairs_or_with_one_class() -> None:
    assert cohens_kappa([]) is None
    assert cohens_kappa([("real", "real")] * 5) is None


def test_only_what_two_people_both_labelled_is_compared() -> None:
    labels = {
        "eva": {"a": "real", "b": "bogus", "c": "real"},
        "anna": {"b": "bogus", "c": "bogus", "d": "real"},
        "ben": {"e": "real"},
    }
    (found,) = agreements(labels)
    assert found == Agreement(("anna", "eva"), 2, 1, 0.0)
