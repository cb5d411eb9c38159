"""What the kill benchmark makes of the results of its two runs."""

from bench.kill import Item, compare

CALM = [Item("a.jpg", 0.5, 0.25, None), Item("b.jpg", None, None, "flat"), Item("c.jpg", 0.75, 1.0, None)]
FILES = ["a.jpg", "b.jpg", "c.jpg"]


def test_equal_runs_are_equal_in_any_order() -> None:
    found = compare(FILES, CALM, CALM[::-1])
    assert (found.missing, found.doubled, found.largest_difference) == (0, 0, 0.0)


def test_a_missing_and_a_doubled_item_are_counted_in_either_run() -> None:
    for calm, rough in ((CALM, [CALM[0], CALM[0], CALM[2]]), ([CALM[0], CALM[0], CALM[2]], CALM)):
        found = compare(FILES, calm, rough)
        assert (found.missing, found.doubled) == (1, 1)


def test_a_file_that_nobody_submitted_counts_as_one_too_many() -> None:
    assert compare(FILES, CALM, [*CALM, Item("d.jpg", 0.5, 0.5, None)]).doubled == 1


def test_another_score_or_rejection_is_a_difference() -> None:
    rough = [Item("a.jpg", 0.5, 0.375, None), *CALM[1:]]
    assert compare(FILES, CALM, rough).largest_difference == 0.125
    rough = [CALM[0], Item("b.jpg", None, None, "truncated"), CALM[2]]
    assert compare(FILES, CALM, rough).largest_difference == 1.0
    rough = [*CALM[:2], Item("c.jpg", None, 1.0, None)]
    assert compare(FILES, CALM, rough).largest_difference == 1.0
