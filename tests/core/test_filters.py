"""The filter language: what it says, what it refuses and where, and of which cutouts it is true."""

from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic
from typing import Any

import pytest

from core.errors import InvalidRequest
from core.filters.ast import Comparison, Field, Filter, OneOf, Score, Value
from core.filters.bind import bind, by_classifier
from core.filters.bound import BoundFilter
from core.filters.fields import FIELDS, WORDS, Kind
from core.filters.grammar import MAX_DEPTH, MAX_LENGTH, parse
from tests.filters import random_node

PRODUCTION = {"rb": ("rb@2", "rb@3"), "sl": ("sl@1",)}
EXAMPLES = {
    Kind.TEXT: "'a'",
    Kind.DIGITS: "67409383041500040",
    Kind.NUMBER: "1",
    Kind.NIGHT: "20180301",
    Kind.TIME: "2018-03-01",
}


def bound(text: str) -> BoundFilter:
    return bind(parse(text), PRODUCTION)


def matches(text: str, document: dict[str, Any] | None = None, **scores: float | None) -> bool:
    """Whether a filter matches a document and the scores rb3=…, of rb@3, and so on."""
    outcomes = {f"{name[:-1]}@{name[-1]}": score for name, score in scores.items()}
    return bound(text).matches({"_id": "a"} | (document or {}), outcomes)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("rb@2>=0.50", "rb@2 >= 0.5"),
        ("jd == 2458000.5", "jd = 2458000.5"),
        ("night = 2018-03-01", "night = '20180301'"),
        ("night = '20180301'", "night = '20180301'"),
        (
            "night between 20180301 and 20180331 and fid=1",
            "night >= '20180301' and night <= '20180331' and fid = 1",
        ),
        ("streakid = 67409383041500040001", "streakid = '67409383041500040001'"),
        ('reference = "it\'s ""so"""', "reference = 'it''s \"so\"'"),
        ("id in ('a', \"b\")", "id in ('a', 'b')"),
        ("fid not in (1, 2)", "not fid in (1, 2)"),
        ("LACKS rb@3 OR Has ra", "lacks rb@3 or has ra"),
        ("not has rb@3", "lacks rb@3"),
        ("cone( 10.5, -2e1, +30 )", "cone(10.5, -20, 30)"),
        (
            "(jd > 1 or jd < 0) and fid = 1 and (fid = 2 and fid = 3)",
            "(jd > 1 or jd < 0) and fid = 1 and fid = 2 and fid = 3",
        ),
        ("jd > 1 or jd < 0 and fid = 1", "jd > 1 or jd < 0 and fid = 1"),
        ("not jd > 1 and not (jd > 2 or fid = 1)", "not jd > 1 and not (jd > 2 or fid = 1)"),
        ("plausible = false", "not plausible"),
        ("plausible != false", "plausible"),
        ("plausible(sl@1, rb@3)", "plausible(rb@3, sl@1)"),
        ("best(rb@3, rb@2, rb@3) > .5", "best(rb@2, rb@3) > 0.5"),
        ("best(rb@3, rb@3) > .5", "rb@3 > 0.5"),
        ("sl@production < 1e-7", "sl < 1e-07"),
        (
            "added = 2018-03-01",
            "added >= 2018-03-01T00:00:00.000Z and added < 2018-03-02T00:00:00.000Z",
        ),
        ("added > 2018-03-01", "added >= 2018-03-02T00:00:00.000Z"),
        ("added <= 2018-03-01T12:30", "added <= 2018-03-01T12:30:00.000Z"),
        ("added <= 2999-12-31", "added < 3000-01-01T00:00:00.000Z"),
    ],
)
def test_a_filter_has_one_canonical_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_an_example_that_is_a_filter(word: str) -> None:
    assert word in WORDS[word].example
    assert parse(str(bound(WORDS[word].example)))


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_compares_with_a_value_of_its_kind(name: str) -> None:
    assert parse(f"{name} = {EXAMPLES[FIELDS[name].kind]}")


@pytest.mark.parametrize(
    ("text", "column", "came", "expected"),
    [
        ("fwhm > 2", 1, "'fwhm' is no field", "expected one of rb, sl"),
        ("night = 20180301 and nigth > 1", 22, "'nigth' is no field", "night"),
        ("Night = 20180301", 1, "Night", "a field or a classifier"),
        ('{"$where": "1"}', 1, "'{'", "a field or a classifier"),
        ("$where = 1", 1, "'$'", "MongoDB's own language"),
        ('jd = {"$gt": 1}', 6, "'{'", "a number"),
        ("jd > 1; drop", 7, "';'", "expected or, and, the end"),
        ("fid in (1; 2)", 10, "';'", "expected ), ,"),
        ("scores.rb@2 > 1", 7, "'.'", "one of = !="),
        ("jd = nan", 6, "'nan'", "a number"),
        ("jd = inf", 6, "'inf'", "a number"),
        ("jd = 1e999", 6, "'1e999'", "a number below"),
        ("rb > 1e999", 1, "'1e999' no score", "a number, or a field"),
        ("rb@2 > 1e999", 8, "'1e999'", "a number below"),
        ("jd = 0x10", 6, "'0'", "a number"),
        ("jd = '1'", 6, "'1'", "expected a number"),
        ("id = 5", 6, "'5'", "a text in quotes"),
        ("id < 'a'", 6, "< on id", "expected =, != or in"),
        ("streakid > 5", 12, "> on streakid", "expected =, != or in"),
        ("night = 20181301", 9, "'20181301'", "a night such as 20180301"),
        ("added = 2018-02-30", 9, "'2018-02-30'", "a date such as 2018-03-01"),
        ("rb@0 > 1", 1, "'rb@0'", "a version such as rb@2"),
        ("rb@x > 1", 1, "'rb@x'", "a version such as rb@2"),
        ("best(rb@1, sl@1) > 1", 1, "best of versions of rb and sl", "of one classifier"),
        ("cone(361, 0, 1)", 6, "right ascension 361", "0 to 360"),
        ("cone(1, -90.5, 1)", 9, "declination -90.5", "-90 to 90"),
        ("cone(1, 2, 1e999)", 12, "radius in arcsec 1e999", "0 to 648000"),
        ("cone(1, 2)", 10, "')'", ","),
        ("jd > ", 6, "the end", "a number"),
        ("(jd > 1", 8, "the end", ")"),
        ("id = 'abc", 6, "a text that does not end", "a text in quotes"),
        ("id = 'a\0b'", 8, "'\\x00'", "no control characters"),
        ("id = 'a\ud800'", 8, "'\\ud800'", "no control characters"),
        ("jd between 2 and 1", 4, "between 2 and 1", "the lower one first"),
        ("plausible > true", 11, "> on plausible", "= or !="),
        ("fid in ()", 9, "')'", "a number"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_column(
    text: str, column: int, came: str, expected: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bound(text)
    told = str(refused.value)
    assert f"column {column}:" in told
    assert came in told
    assert expected in told
    assert told.isprintable()


@pytest.mark.parametrize("text", ["", "  \n"])
def test_no_text_is_no_filter(text: str) -> None:
    with pytest.raises(InvalidRequest, match="nothing; expected a condition"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "(" * MAX_LENGTH,
        "not " * (MAX_LENGTH // 4),
        "(" * 4000 + "jd > 1" + ")" * 5000,
        "not " * MAX_DEPTH + "jd > 1",
        "'" * MAX_LENGTH,
        "id = '" + "'" * (MAX_LENGTH - 6),
        "jd = " + "9" * (MAX_LENGTH - 5),
        "not (jd > 1 and " * 100 + "jd > 1" + ")" * 100,
    ],
)
def test_a_huge_or_deep_filter_is_refused_at_once(text: str) -> None:
    start = monotonic()
    with pytest.raises(InvalidRequest) as refused:
        parse(text)
    assert monotonic() - start < 5
    assert len(str(refused.value)) < 1000


def test_parentheses_that_say_nothing_are_not_depth() -> None:
    assert str(parse("(" * 4000 + "jd > 1" + ")" * 4000)) == "jd > 1"


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        (
            "id in ('$where', '{\"$gt\": 1}', 'a'' or 1=1', 'ё…💫')",
            ["$where", '{"$gt": 1}', "a' or 1=1", "ё…💫"],
        )
    ],
)
def test_what_stands_in_quotes_is_a_text_and_nothing_else(text: str, texts: list[str]) -> None:
    assert [found for found in texts if bound(text).matches({"_id": found}, {})] == texts
    assert not bound(text).matches({"_id": "a"}, {})


def test_a_filter_is_bound_to_what_is_in_production() -> None:
    found = bound("rb >= 0.5 and sl < 0.1 or rb@1 > 0.9 or has sl")
    assert str(found) == "best(rb@2, rb@3) >= 0.5 and sl@1 < 0.1 or rb@1 > 0.9 or has sl@1"
    assert found.versions == ("rb@1", "rb@2", "rb@3", "sl@1")
    assert found.needs_outcomes


def test_a_promotion_changes_nothing_that_is_bound() -> None:
    stored = str(bound("rb >= 0.5 and plausible"))
    assert bind(parse(stored), {"rb": "rb@9"}) == bound("rb >= 0.5 and plausible")
    assert str(bind(parse("rb > 0"), {"rb": "rb@9"})) == "rb@9 > 0"
    assert bind(parse(stored), {}).versions == ("rb@2", "rb@3", "sl@1")


def test_versions_in_production_are_told_by_classifier() -> None:
    assert by_classifier({"sl@1", "rb@3", "rb@2"}) == PRODUCTION


def test_a_filter_on_fields_and_decisions_needs_no_outcomes() -> None:
    assert not bound("plausible and night = 20180301 and cone(1, 2, 3)").needs_outcomes
    assert bound("plausible").versions == ("rb@2", "rb@3", "sl@1")
    assert bound("jd > 1").versions == ()


def test_a_classifier_that_nothing_is_in_production_of_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"column 11: 'kd' is no field.*expected one of rb, sl"):
        bound("jd > 1 or kd > 0.5")
    with pytest.raises(InvalidRequest, match="column 1: plausible, but no version is in production"):
        bind(parse("plausible"), {})


def test_a_version_that_is_not_registered_is_refused() -> None:
    registered = ["rb@1", "rb@2", "rb@3", "sl@1"]
    assert bind(parse("rb@1 > 0 and rb > 0"), PRODUCTION, registered=registered)
    for text in ("rb@7 > 0", "plausible(rb@2, rb@7)", "lacks rb@7"):
        with pytest.raises(InvalidRequest, match=r"rb@7 is not registered; expected one of rb@1, rb@2"):
            bind(parse(text), PRODUCTION, registered=registered)


def test_a_filter_that_grows_too_long_by_its_versions_is_refused() -> None:
    text = " or ".join(["rb>0"] * 1200)
    with pytest.raises(InvalidRequest, match="with its versions; expected at most 10,000"):
        bound(text)


def test_what_a_cutout_has_no_value_for_is_unknown_and_so_is_its_opposite() -> None:
    for document in ({}, {"jd": None}, {"jd": float("nan")}, {"jd": "5"}, {"jd": True}, {"jd": [5]}):
        for text in ("jd = 5", "jd != 5", "not jd = 5", "not jd != 5", "jd in (5)", "jd not in (5)"):
            assert not matches(text, document)
    assert matches("not jd = 5", {"jd": 6})


def test_unknown_decides_nothing_and_hides_nothing() -> None:
    assert matches("jd > 1 or fid = 1", {"fid": 1})
    assert not matches("jd > 1 and fid = 1", {"fid": 1})
    assert matches("not (jd > 1 and fid = 1)", {"fid": 2})
    assert not matches("not (jd > 1 or fid = 1)", {"fid": 2})
    assert matches("lacks jd and not fid = 1", {"fid": 2})


def test_a_rejection_is_an_outcome_and_no_score() -> None:
    assert matches("has rb@1", rb1=None)
    assert matches("lacks rb@1", rb2=0.5)
    assert not matches("lacks rb@1", rb1=None)
    assert not matches("rb@1 >= 0 or not rb@1 >= 0", rb1=None)


def test_scores_of_two_versions_are_not_mixed() -> None:
    assert matches("rb@1 < 0.5 and rb@2 > 0.5", rb1=0.1, rb2=0.9)
    assert not matches("rb@1 > 0.5", rb2=0.9)
    assert matches("sl = 0.25", {"sl": 0.9}, sl1=0.25)


def test_of_several_in_production_the_highest_counts_once_all_have_a_score() -> None:
    assert matches("rb >= 0.9", rb2=0.1, rb3=0.9)
    assert not matches("rb < 0.9", rb2=0.1, rb3=0.9)
    assert not matches("rb >= 0.9 or rb < 0.9", rb3=0.95)
    assert not matches("rb >= 0.9 or rb < 0.9", rb3=0.95, rb2=None)
    assert matches("lacks rb", rb3=0.95)
    assert matches("has rb", rb3=0.95, rb2=None)


def test_plausible_is_the_decision_on_these_versions() -> None:
    scores = {"rb@2": 0.9, "rb@3": 0.1, "sl@1": 0.7}
    decided = {"scores": scores, "plausible": True}
    assert matches("plausible", decided)
    assert not matches("not plausible", decided)
    assert matches("not plausible", decided | {"plausible": False})
    for other in ({}, {"plausible": True}, {"plausible": None, "scores": scores}):
        assert not matches("plausible or not plausible", other)
    assert not matches("plausible or not plausible", {"scores": {"rb@1": 0.9}, "plausible": True})
    old = {"plausible": True, "versions": {"rb": "rb@1", "sl": "sl@1"}}
    assert matches("plausible(rb@1, sl@1)", old)
    assert not matches("plausible", old)


@pytest.mark.parametrize(
    ("cone", "ra", "dec", "is_inside"),
    [
        ("cone(10, 20, 3600)", 10, 21, True),
        ("cone(10, 20, 3599.9)", 10, 21, False),
        ("cone(10, 60, 3600)", 11.99, 60, True),
        ("cone(10, 60, 3600)", 12.01, 60, False),
        ("cone(359.9999, 0, 1)", 0.0001, 0, True),
        ("cone(0.0001, 0, 1)", 359.9999, 0, True),
        ("cone(0, 0, 0)", 360, 0, True),
        ("cone(10, 89.9999, 2)", 190, 89.9999, True),
        ("cone(10, -90, 1)", 123, -89.9998, True),
        ("cone(10, -90, 1)", 123, -89.9997, False),
        ("cone(10, 20, 0.001)", 10, 20.0000002, True),
        ("cone(10, 20, 0.001)", 10, 20.0000003, False),
        ("cone(10, 20, 648000)", 190, -20, True),
    ],
)
def test_a_cone_is_a_circle_on_the_sphere(cone: str, ra: float, dec: float, is_inside: bool) -> None:
    assert matches(cone, {"ra": ra, "dec": dec}) is is_inside
    assert matches(f"not {cone}", {"ra": ra, "dec": dec}) is not is_inside


def test_a_cone_is_unknown_where_the_position_is() -> None:
    for position in ({"ra": 1}, {"ra": 1, "dec": None}, {"ra": 1, "dec": 91}, {"ra": -1, "dec": 0}):
        assert not matches("cone(1, 0, 648000)", position)
        assert not matches("not cone(1, 0, 1)", position)


def test_a_day_is_its_24_hours() -> None:
    midnight = datetime(2018, 3, 1, tzinfo=UTC)
    last = midnight + timedelta(days=1, milliseconds=-1)
    for text, is_true in (("=", True), ("<=", True), (">=", True), ("!=", False), ("<", False), (">", False)):
        for at in (midnight, last, last.replace(tzinfo=None)):
            assert matches(f"added {text} 2018-03-01", {"added": at}) is is_true
    assert not matches("added <= 2018-03-01", {"added": last + timedelta(milliseconds=1)})
    assert matches("added between 2018-03-01 and 2018-03-02", {"added": last + timedelta(days=1)})
    assert matches("added in (2018-03-01, 2018-03-05)", {"added": last})


def odd_values(random: Random) -> dict[Kind, list[Value]]:
    """Values by kind, as far from usual as the language takes them."""
    symbols = "ab'\"\\$.{}()%\u00e9\u2028\U0001f4ab ,;@\x85\u202e"
    extremes = [0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e15, 1e15 - 1, 1e16, 0.1 + 0.2, 2.0**53 + 2]
    powers = [random.uniform(-1, 1) * 10.0 ** random.randint(-30, 30) for _ in range(300)]
    start = datetime(1900, 1, 1, tzinfo=UTC)
    times = [start + timedelta(milliseconds=random.randrange(34 * 10**12)) for _ in range(100)]
    return {
        Kind.TEXT: ["".join(random.choices(symbols, k=random.randrange(8))) for _ in range(300)],
        Kind.NUMBER: [*extremes, *powers],
        Kind.TIME: [start, *times],
        Kind.DIGITS: [str(random.randrange(10**30)) for _ in range(30)],
        Kind.NIGHT: [time.strftime("%Y%m%d") for time in times],
    }


def test_every_value_is_read_from_its_text_as_it_was() -> None:
    fields = {known.kind: Field(known.name) for known in FIELDS.values()}
    for kind, values in odd_values(Random(1)).items():
        for value in values:
            compared = Comparison(fields[kind], "!=", value)
            assert parse(str(compared)).root == compared
            if kind is not Kind.TIME:
                one_of = OneOf(fields[kind], (value, value))
                assert parse(str(one_of)).root == one_of


def test_every_filter_is_read_from_its_text_as_it_was() -> None:
    random = Random(2)
    for _ in range(500):
        node = random_node(random, depth=6)
        if len(str(node)) <= MAX_LENGTH:
            assert parse(str(node)).root == node, str(node)
            filled = bind(Filter(node), PRODUCTION)
            assert bind(parse(str(filled)), {}) == filled


def test_a_garbled_filter_is_read_or_refused_and_nothing_else() -> None:
    random = Random(3)
    refusals = []
    for _ in range(1500):
        text = str(random_node(random, depth=3))[:300]
        place = random.randrange(len(text))
        odd = random.choice(["", "'", "(", ")", "@", "{", "\u00e9", "9", "\0"])
        try:
            bind(parse(text[:place] + odd + text[place + 1 :]), PRODUCTION)
        except InvalidRequest as refused:
            refusals.append(str(refused))
    assert len(refusals) > 500
    assert [told for told in refusals if "expected" not in told] == []


def test_a_tree_is_a_value() -> None:
    assert parse("jd > 1") == Filter(Comparison(Field("jd"), ">", 1.0))
    assert parse("  rb > 1") == Filter(Comparison(Score("rb"), ">", 1.0))
    assert hash(parse("rb > 1")) == hash(parse(" rb  > 1"))
