"""Which items a person gets to label, and in which order."""

import pytest

from core.label_queue import Candidate, Order, QueueKind, Wanted, in_order

ITEMS = (
    Candidate("sure", score=0.99, other=0.9),
    Candidate("doubtful", score=0.55, other=0.1),
    Candidate("unscored"),
    Candidate("bogus", score=0.005, other=0.7),
    Candidate("by others", score=0.5, other=0.2, people=1),
    Candidate("mine", label="bogus", value=0, when_s=1, score=0.8, other=0.1),
    Candidate("mine, later", label="real", value=1, when_s=2, score=0.9),
    Candidate("mine, surely wrong", label="real", value=1, when_s=0, score=0.02),
    Candidate("mine, of another kind", label="ghost", when_s=3, score=0.02),
)


@pytest.mark.parametrize(
    ("kind", "order", "expected"),
    [
        ("unlabelled", "high", ["sure", "doubtful", "bogus", "unscored"]),
        ("unlabelled", "low", ["bogus", "doubtful", "sure", "unscored"]),
        ("uncertain", "high", ["doubtful", "sure", "bogus"]),
        ("contradicted", "high", ["mine, surely wrong", "mine"]),
        ("disagreeing", "high", ["bogus", "doubtful"]),
        ("labelled", "high", ["mine, of another kind", "mine, later", "mine", "mine, surely wrong"]),
    ],
)
def test_a_queue_holds_what_it_is_for(kind: QueueKind, order: Order, expected: list[str]) -> None:
    assert [found.item for found in in_order(ITEMS, Wanted(kind, order, overlap=1))] == expected


def test_an_item_is_wanted_until_enough_people_have_labelled_it() -> None:
    for overlap, is_wanted in ((1, False), (2, True), (0, True)):
        found = [found.item for found in in_order(ITEMS, Wanted("unlabelled", overlap=overlap))]
        assert ("by others" in found) == is_wanted
        assert "mine" not in found


def test_chance_gives_everybody_one_order_that_knows_no_score() -> None:
    scored = [Candidate(f"item {n}", score=n / 100) for n in range(100)]
    unscored = [Candidate(f"item {n}") for n in reversed(range(100))]
    orders = [[found.item for found in in_order(some, Wanted("random"))] for some in (scored, unscored)]
    assert orders[0] == orders[1]
    assert orders[0] != [item.item for item in scored]


def test_thresholds_decide_what_a_network_calls_an_item() -> None:
    high = Wanted("disagreeing", threshold=0.6, other_threshold=0.8, overlap=1)
    assert [found.item for found in in_order(ITEMS, high)] == []
