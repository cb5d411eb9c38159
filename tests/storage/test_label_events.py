"""Labels are events: sent twice they count once, undone they are void, and nobody's replaces another's."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import Conflict, InvalidRequest
from core.label_event import Event, Said, Seen, Undone
from storage.label_events import Received
from storage.record import Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIELD = "d" * 24


def event_id(n: int) -> str:
    return f"event-{n:06}"


def said(n: int, name: str | None, item: str = "a", minute: int | None = None) -> Said:
    at = NOW + timedelta(minutes=n if minute is None else minute)
    return Said(event_id(n), item, (name,) if name else (), at, Seen(scores=n % 2 == 1, mode="grid"))


def undone(n: int, of: int) -> Undone:
    return Undone(event_id(n), event_id(of), NOW + timedelta(minutes=n))


def add(record: Record, events: Iterable[Event], person: str = "anna", dataset: str = FIELD) -> Received:
    return record.label_events.add(dataset, person, list(events))


def labels(record: Record, person: str | None = None) -> dict[tuple[str, str], tuple[str, ...]]:
    found = record.label_events.labels(FIELD, person=person)
    return {(label.item, label.person): label.classes for label in found}


def test_the_last_word_of_each_person_counts(record: Record) -> None:
    assert add(record, [said(1, "streak"), said(2, "no_streak"), said(3, "streak", "b")]) == Received(3, 0)
    add(record, [said(1, "streak")], "ben")
    assert labels(record) == {
        ("a", "anna"): ("no_streak",),
        ("b", "anna"): ("streak",),
        ("a", "ben"): ("streak",),
    }
    assert labels(record, "ben") == {("a", "ben"): ("streak",)}
    assert record.label_events.count_labelled([FIELD, "other"]) == {FIELD: 2}
    assert record.label_events.count_by_person(FIELD) == {"anna": 2, "ben": 1}


def test_what_is_sent_again_changes_nothing(record: Record) -> None:
    events: list[Event] = [said(1, "streak"), said(2, "no_streak"), undone(3, 2)]
    assert add(record, events) == Received(3, 0)
    assert add(record, events) == Received(0, 3)
    assert add(record, [*events[:1], said(4, "streak", "b")]) == Received(1, 1)
    assert labels(record) == {("a", "anna"): ("streak",), ("b", "anna"): ("streak",)}
    assert add(record, [said(9, "streak")] * 2) == Received(1, 1)
    assert len(list(record.label_events.events(FIELD))) == 5


def test_the_same_request_many_times_at_once_is_one(record: Record) -> None:
    events = [said(n, "streak", f"item-{n % 40}") for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: add(record, events), range(8)))
    assert len(list(record.label_events.events(FIELD))) == 200
    assert len(labels(record)) == 40


def test_many_requests_of_one_person_on_one_item_leave_the_last_word(record: Record) -> None:
    batches = [[said(10 * n + k, f"c{10 * n + k}", "a") for k in range(10)] for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda batch: add(record, batch), batches))
    assert labels(record) == {("a", "anna"): ("c199",)}


def test_an_undone_label_gives_way_to_the_one_before(record: Record) -> None:
    add(record, [said(1, "streak"), said(2, "no_streak"), undone(3, 2)])
    assert labels(record) == {("a", "anna"): ("streak",)}
    add(record, [undone(4, 1), undone(5, 1)])
    assert labels(record) == {}
    add(record, [said(6, "no_streak")])
    assert labels(record) == {("a", "anna"): ("no_streak",)}
    assert record.label_events.count_labelled([FIELD]) == {FIELD: 1}


def test_no_class_takes_a_label_back(record: Record) -> None:
    add(record, [said(1, "streak"), said(2, None)])
    assert labels(record) == {}
    add(record, [undone(3, 2)])
    assert labels(record) == {("a", "anna"): ("streak",)}


def test_a_label_that_was_kept_offline_does_not_replace_a_later_one(record: Record) -> None:
    add(record, [said(5, "no_streak")])
    add(record, [said(1, "streak", minute=2)])
    assert labels(record) == {("a", "anna"): ("no_streak",)}


def test_a_clock_that_is_ahead_does_not_silence_its_owner(record: Record) -> None:
    ahead = Said(event_id(1), "a", ("streak",), datetime.now(UTC) + timedelta(days=400))
    add(record, [ahead])
    add(record, [Said(event_id(2), "a", ("no_streak",), datetime.now(UTC) + timedelta(seconds=1))])
    assert labels(record) == {("a", "anna"): ("no_streak",)}


def test_another_event_under_a_known_id_is_a_conflict_and_changes_nothing(record: Record) -> None:
    add(record, [said(1, "streak")])
    with pytest.raises(Conflict, match="on record with another content"):
        add(record, [said(2, "streak", "b"), said(1, "no_streak")])
    with pytest.raises(Conflict):
        add(record, [said(3, "streak", "b"), said(3, "no_streak", "b")])
    assert labels(record) == {("a", "anna"): ("streak",)}
    assert add(record, [said(1, "no_streak")], "ben") == Received(1, 0), "ids are each person's own"


def test_nobody_undoes_anothers_label_or_what_is_none(record: Record) -> None:
    add(record, [said(1, "streak"), undone(2, 1)])
    add(record, [said(3, "streak")])
    for events, person in (([undone(9, 3)], "ben"), ([undone(9, 2)], "anna"), ([undone(9, 8)], "anna")):
        with pytest.raises(InvalidRequest, match="expected the id of a label of yours"):
            add(record, [said(10, "streak", "b"), *events], person)
    with pytest.raises(InvalidRequest, match="expected the id of a label of yours"):
        add(record, [undone(9, 3)], dataset="another")
    assert labels(record) == {("a", "anna"): ("streak",)}


def test_what_was_seen_is_kept(record: Record) -> None:
    add(record, [said(1, "streak"), said(2, "no_streak", "b")])
    (first, second) = record.label_events.labels(FIELD)
    assert (first.scores_shown, first.event, first.at) == (True, event_id(1), NOW + timedelta(minutes=1))
    assert not second.scores_shown
    noted = list(record.label_events.events(FIELD))
    assert [(n.person, n.item, n.event) for n in noted] == [
        ("anna", "a", said(1, "streak")),
        ("anna", "b", said(2, "no_streak", "b")),
    ]


@pytest.mark.parametrize("wrong", ["", "short", "a" * 101, "with space", "$where-12", "../../etc"])
def test_an_event_id_is_a_word(record: Record, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="event id"):
        add(record, [Said(wrong, "a", ("streak",), NOW)])


def test_states_follow_events_that_were_cut_off_before_them(record: Record) -> None:
    """The process died between the two writes; the page sends again what was never answered."""
    events = [said(1, "streak")]
    add(record, events)
    record.database["label_states"].delete_many({})
    assert add(record, events) == Received(0, 1)
    assert labels(record) == {("a", "anna"): ("streak",)}


def test_two_people_at_once_never_overwrite_each_other(record: Record) -> None:
    def label(person: str, name: str) -> None:
        for start in range(0, 200, 10):
            add(record, [said(n, name, f"item-{n % 20:02}") for n in range(start, start + 10)], person)

    with ThreadPoolExecutor(4) as pool:
        people = {"anna": "streak", "ben": "no_streak", "cleo": "streak", "dan": "ghost"}
        list(pool.map(label, people, people.values()))
    assert labels(record) == {
        (f"item-{n:02}", person): (name,) for n in range(20) for person, name in people.items()
    }
