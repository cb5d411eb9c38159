"""What folders and the old site's exports say of images."""

import json

import pytest

from core.errors import InvalidRequest
from cutouts.datasets.classes import classes_of
from cutouts.datasets.folder import folder_votes
from cutouts.datasets.votes import Image
from cutouts.datasets.zwickyverse import export_votes, read_export

RB = classes_of("rb")
PROJECT = json.dumps(
    {"_id": "p", "classes": ["no_streak", "streak"], "datasets": {"d1": {}, "d2": {}}}
).encode()


def images(*names: str) -> list[Image]:
    return [Image(name, f"{n:064x}") for n, name in enumerate(names)]


def labels(**given: list[str]) -> bytes:
    return json.dumps({f"{name}.jpg": classes for name, classes in given.items()}).encode()


def test_a_folder_is_a_class_by_any_of_its_names() -> None:
    told = folder_votes(images("real/a.jpg", "x/No Streak/b.jpg", "streak/night/c.jpg"), RB)
    assert {vote.image: vote.label for vote in told.votes} == {
        "real/a.jpg": 1,
        "x/No Streak/b.jpg": 0,
        "streak/night/c.jpg": 1,
    }


def test_images_beside_the_folders_have_no_label() -> None:
    told = folder_votes(images("all/real/a.jpg", "all/b.jpg", "c.jpg"), RB)
    assert [vote.image for vote in told.votes] == ["all/real/a.jpg"]


def test_a_folder_that_is_no_class_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"'maybe' with 2 images; expected bogus or .* for 0, real"):
        folder_votes(images("real/a.jpg", "maybe/b.jpg", "maybe/c.jpg"), RB)


def test_classes_can_be_named_and_must_be_two() -> None:
    assert classes_of("kd2", ("Ditch", "Keep")).label_of("keep") == 1
    assert classes_of("sl").names == ("long", "short")
    for names in [("one",), ("a", "A"), ("a", ""), ()]:
        with pytest.raises(InvalidRequest, match="expected two names"):
            classes_of("rb", names)
    with pytest.raises(InvalidRequest, match="no known classes of 'xy'"):
        classes_of("xy")
    with pytest.raises(InvalidRequest, match="classifier 'R B'"):
        classes_of("R B")


def test_an_export_of_one_person_and_one_of_all() -> None:
    export = read_export(
        {
            "p.json": PROJECT,
            "d1.anna.json": labels(a=["streak"], b=["no_streak"]),
            "d2.20190101_000000.json": labels(c=["streak", "no_streak", "streak"], d=[]),
        }
    )
    told = export_votes(export, images("a.jpg", "b.jpg", "d2.20190101/c.jpg", "d.jpg"), RB)
    assert [(vote.image, vote.label) for vote in told.votes if vote.person == "anna"] == [
        ("a.jpg", 1),
        ("b.jpg", 0),
    ]
    of_all = [vote for vote in told.votes if vote.person != "anna"]
    assert [(vote.image, vote.label) for vote in of_all] == [("d2.20190101/c.jpg", n) for n in (1, 0, 1)]
    assert len({vote.person for vote in of_all}) == 3
    assert told.left_out == {}


def test_labels_without_an_image_are_named() -> None:
    export = read_export({"d1.json": labels(a=["streak"], gone=["streak"])})
    assert export_votes(export, images("a.jpg"), RB).left_out == {"no_image": ["d1.json: gone.jpg"]}


def test_of_two_exports_at_two_times_the_later_counts() -> None:
    export = read_export(
        {
            "d1.20190202_000000.json": labels(a=["streak"]),
            "d1.20190101_000000.json": labels(a=["no_streak", "no_streak"], b=["no_streak"]),
        }
    )
    told = export_votes(export, images("a.jpg", "b.jpg"), RB)
    assert {(vote.image, vote.label) for vote in told.votes} == {("a.jpg", 1), ("b.jpg", 0)}
    assert told.left_out == {"superseded": ["d1.20190101_000000.json: a.jpg"]}


def test_a_name_in_two_data_sets_is_looked_for_in_its_own() -> None:
    export = read_export({"d1.json": labels(a=["streak"]), "d2.json": labels(a=["no_streak"])})
    told = export_votes(export, images("d1.zip/a.jpg", "d2/a.jpg"), RB)
    assert [(vote.image, vote.label) for vote in told.votes] == [("d1.zip/a.jpg", 1), ("d2/a.jpg", 0)]


def test_a_name_of_two_different_images_is_no_vote_on_either() -> None:
    told = export_votes(read_export({"d1.json": labels(a=["streak"])}), images("x/a.jpg", "y/a.jpg"), RB)
    assert told.votes == []
    assert told.left_out == {"conflict": ["d1.json: a.jpg is 2 different images"]}


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ({"d1.json": b"{"}, "d1.json can't be read"),
        ({"d1.json": b"[" * 100_000}, "d1.json can't be read"),
        ({"d1.json": b"\xff\xfe"}, "d1.json can't be read"),
        ({"d1.json": b'{"a.jpg": ["streak"], "b.jpg": "streak"}'}, "'b.jpg' has 'streak'; expected a list"),
        ({"d1.json": b'{"a.jpg": [1]}'}, "expected a list of class names"),
        (
            {"p.json": PROJECT, "d9.x.json": b'{"a.jpg": []}'},
            "no project names: d9.x.json; expected one of d1",
        ),
    ],
)
def test_documents_that_are_no_export_are_refused(documents: dict[str, bytes], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read_export(documents)


def test_unknown_classes_are_refused_by_name() -> None:
    export = read_export({"d1.json": labels(a=["maybe"], b=["streak"])})
    with pytest.raises(InvalidRequest, match=r"unknown classes: 'maybe' in d1.json; expected bogus"):
        export_votes(export, images("a.jpg", "b.jpg"), RB)


def test_other_documents_are_named() -> None:
    export = read_export({"x.json": b"[1]", "y.json": b'{"a": 1}', "z.json": b"{}"})
    assert export.not_used == ("x.json", "y.json", "z.json")
    assert export.files == ()
