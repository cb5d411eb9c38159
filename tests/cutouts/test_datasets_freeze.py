"""Votes to labels, nights to splits, contents to a fingerprint."""

import random
from collections import Counter

import pytest

from core.dataset import Reserved, Split
from core.errors import InvalidRequest
from cutouts.datasets.classes import classes_of
from cutouts.datasets.consensus import consensus
from cutouts.datasets.fingerprint import fingerprint
from cutouts.datasets.freeze import Frozen, freeze
from cutouts.datasets.split import split_by_night
from cutouts.datasets.votes import Image, Told, Vote

RB = classes_of("rb")


def vote(label: int, person: str = "anna", when_s: float = 0.0, image: str = "a") -> Vote:
    return Vote(image, person, label, when_s)


@pytest.mark.parametrize(
    ("votes", "min_votes", "expected"),
    [
        ([vote(1)], 1, 1),
        ([vote(0)], 2, None),
        ([vote(1), vote(0, "ben")], 1, None),
        ([vote(1), vote(0, "ben"), vote(0, "eva")], 1, 0),
        ([vote(1, when_s=1), vote(0, when_s=2)], 1, 0),
        ([vote(0, when_s=2), vote(1, when_s=1)], 1, 0),
        ([vote(1), vote(0)], 1, None),
        ([vote(1), vote(0), vote(1, "ben")], 1, 1),
        ([vote(1), vote(1), vote(1)], 2, None),
        ([], 1, None),
        ([vote(2), vote(0, "ben"), vote(2, "eva")], 3, 2),
        ([vote(2), vote(1, "ben"), vote(0, "eva")], 1, None),
    ],
)
def test_the_last_vote_of_each_person_counts_and_most_people_win(
    votes: list[Vote], min_votes: int, expected: int | None
) -> None:
    assert consensus(votes, min_votes=min_votes) == expected


def cutouts(nights: int, per_night: int, lonely: int = 0) -> list[tuple[str, str | None, int]]:
    found: list[tuple[str, str | None, int]] = [
        (f"{night:04x}-{n:04x}", f"2018{night:04}", (n + night) % 3 == 0)
        for night in range(nights)
        for n in range(per_night)
    ]
    return found + [(f"lonely-{n:04x}", None, n % 2) for n in range(lonely)]


def test_a_night_is_in_one_split_and_shares_are_kept() -> None:
    data = cutouts(60, 20, lonely=500)
    found = split_by_night(data, seed=1)
    nights = {(night, found[sha256]) for sha256, night, _ in data if night}
    assert len(nights) == 60
    for label in (0, 1):
        counts = Counter(found[sha256] for sha256, _, own in data if own == label)
        shares = [counts[split] / counts.total() for split in ("train", "validation", "test")]
        assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


def test_a_split_depends_on_the_seed_and_on_no_order() -> None:
    data = cutouts(30, 5, lonely=50)
    shuffled = random.Random(3).sample(data, len(data))
    assert split_by_night(data, seed=1) == split_by_night(shuffled, seed=1)
    assert split_by_night(data, seed=1) != split_by_night(data, seed=2)


def test_three_nights_are_three_splits() -> None:
    assert sorted(split_by_night(cutouts(3, 6), seed=0).values()) == sorted(
        ["train"] * 6 + ["validation"] * 6 + ["test"] * 6
    )


def test_a_night_cannot_be_divided_but_need_not_be() -> None:
    with pytest.raises(InvalidRequest, match="label more nights, or set its share to 0"):
        split_by_night(cutouts(1, 9), seed=0)
    assert set(split_by_night(cutouts(1, 9), seed=0, shares=(1, 0, 0)).values()) == {"train"}


@pytest.mark.parametrize("shares", [(0, 1, 0), (-1, 1, 1), (float("nan"), 0, 0), (float("inf"), 0, 0)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidRequest, match="expected those of train"):
        split_by_night(cutouts(9, 9), seed=0, shares=shares)


def streak(night: int, n: int) -> str:
    pid = f"{night:03}093830415"
    return f"strkid{pid}{n:04}_pid{pid}"


def night_images(nights: int, per_night: int = 4) -> tuple[list[Image], list[Vote]]:
    images = [
        Image(f"{streak(100 + night, n)}_scimref.jpg", f"{night:032x}{n:032x}")
        for night in range(nights)
        for n in range(per_night)
    ]
    return images, [Vote(image.name, "anna", n % 2) for n, image in enumerate(images)]


def frozen(
    images: list[Image], votes: list[Vote], *, reserved: Reserved | None = None, seed: int = 0
) -> Frozen:
    return freeze(images, Told(votes), classes=RB, seed=seed, reserved=reserved or Reserved())


def test_everything_that_came_is_an_item_or_is_named() -> None:
    images, votes = night_images(10)
    images += [
        Image("unlabelled.jpg", "a" * 64),
        Image("torn.jpg", None, "truncated: 3 bytes"),
        Image("copy.jpg", images[0].sha256),
        Image(f"other/{images[1].name}", "b" * 64),
        Image("tie.jpg", "c" * 64),
    ]
    votes += [Vote("tie.jpg", "anna", 1), Vote("tie.jpg", "ben", 0), Vote("torn.jpg", "anna", 1)]
    result = frozen(images, votes)
    assert len(result.items) == 40
    assert result.left_out == {
        "no_label": ["unlabelled.jpg"],
        "unreadable": ["torn.jpg: truncated: 3 bytes"],
        "duplicate": [f"copy.jpg: the bytes of {images[0].name}"],
        "conflict": [f"other/{images[1].name}: other bytes than the first {images[1].streak_id}"],
        "disputed": ["tie.jpg: 1 votes for 0, 1 for 1"],
    }
    named = sum(map(len, result.left_out.values()))
    assert len(result.items) + named == len(images)


def test_the_same_bytes_under_two_names_are_one_item_with_the_votes_on_both() -> None:
    images, votes = night_images(10)
    images += [Image("x.jpg", "e" * 64), Image("y.jpg", "e" * 64)]
    votes += [Vote("x.jpg", "anna", 1), Vote("y.jpg", "ben", 0), Vote("y.jpg", "eva", 0)]
    (item,) = [item for item in frozen(images, votes).items if item.sha256 == "e" * 64]
    assert (item.id, item.label, item.night) == ("e" * 64, 0, None)


def test_what_was_settled_stands_whatever_the_votes_are() -> None:
    images, votes = night_images(10)
    images += [Image("x.jpg", "e" * 64), Image("y.jpg", "f" * 64)]
    votes += [
        Vote("x.jpg", "anna", 1),
        Vote("x.jpg", "ben", 0),
        Vote("y.jpg", "ben", 0),
        Vote("y.jpg", "eva", 0),
    ]
    told = Told(votes, settled={"x.jpg": 1, "y.jpg": 1})
    result = freeze(images, told, classes=RB, seed=0, reserved=Reserved())
    assert [item.label for item in result.items if item.sha256 in ("e" * 64, "f" * 64)] == [1, 1]
    assert not any(result.left_out.values())


def test_bytes_in_both_folders_of_the_classes_are_disputed() -> None:
    images, votes = night_images(10)
    images += [Image("real/x.jpg", "e" * 64), Image("bogus/x.jpg", "e" * 64)]
    votes += [Vote("real/x.jpg", "folder", 1), Vote("bogus/x.jpg", "folder", 0)]
    assert frozen(images, votes).left_out["disputed"] == ["bogus/x.jpg: 1 votes for 0, 1 for 1"]


def test_items_carry_ids_and_nights_of_their_names() -> None:
    images, votes = night_images(10)
    items = {item.sha256: item for item in frozen(images, votes).items}
    first = items[str(images[0].sha256)]
    assert first.id == streak(100, 0)
    assert first.night == "20170411"
    splits: dict[str | None, set[Split]] = {}
    for item in items.values():
        splits.setdefault(item.night, set()).add(item.split)
    assert len(splits) == 10
    assert all(len(found) == 1 for found in splits.values())


def test_what_a_benchmark_holds_back_is_left_out_by_content_and_by_night() -> None:
    images, votes = night_images(10)
    content, night = str(images[0].sha256), images[-1].night
    result = frozen(images, votes, reserved=Reserved(frozenset({content}), frozenset({str(night)})))
    assert not any(item.sha256 == content or item.night == night for item in result.items)
    assert sorted(result.left_out["benchmark"]) == sorted(image.name for image in [images[0], *images[-4:]])
    assert len(result.items) == 35


def test_a_benchmark_is_all_test() -> None:
    images, votes = night_images(2)
    result = freeze(images, Told(votes), classes=RB, seed=0, reserved=None)
    assert {item.split for item in result.items} == {"test"}
    assert result.counts(RB.names)["test"] == {"bogus": 4, "real": 4}
    assert result.nights() == {"train": 0, "validation": 0, "test": 2}


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_refused_and_says_what_was_left_out(label: int) -> None:
    images, votes = night_images(10)
    one = [Vote(vote.image, "anna", label) for vote in votes[:30]]
    with pytest.raises(InvalidRequest, match=r"expected both classes \(left out: 10 no_label\)"):
        frozen(images, one)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="0 images of bogus and 0 of real"):
        frozen([], [])


def test_the_fingerprint_is_that_of_the_contents() -> None:
    images, votes = night_images(20)

    def of(images: list[Image], votes: list[Vote], seed: int = 0) -> str:
        items = frozen(images, votes, seed=seed).items
        return fingerprint(items, classifier="rb", classes=RB.names, seed=seed)

    assert of(images, votes) == of(images[::-1], votes[::-1])
    assert of(images, votes) != of(images, votes, seed=1)
    assert of(images, votes) != of(images, [*votes[:-2], votes[-2], Vote(votes[-1].image, "anna", 0)])
    assert of(images, votes) != of(images[1:], votes)
