"""One label from the votes of several people."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from cutouts.datasets.votes import Vote


def consensus(votes: Iterable[Vote], *, min_votes: int) -> int | None:
    """The label of most people, of two classes or more; None on a tie or with fewer than `min_votes` people.

    The last vote of each person counts; who said both at that time has said nothing.
    """
    by_person: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_person[vote.person].append(vote)
    labels = Counter(label for own in by_person.values() if (label := _last(own)) is not None)
    if not labels or labels.total() < min_votes:
        return None
    (first, most), *others = labels.most_common(2)
    return first if all(n < most for _, n in others) else None


def rule(min_votes: int) -> str:
    """The rule in words, for a data set's card."""
    people = "one person" if min_votes == 1 else f"{min_votes} people"
    return f"the last vote of each person counts, the majority of at least {people} wins, a tie is no label"


def _last(votes: list[Vote]) -> int | None:
    latest = max(vote.when_s for vote in votes)
    labels = {vote.label for vote in votes if vote.when_s == latest}
    return labels.pop() if len(labels) == 1 else None
