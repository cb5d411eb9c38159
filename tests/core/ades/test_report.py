"""Reports in ADES: known answers, what the standard allows, and that nothing is left out unsaid.

With `pip install iau-ades`, the Minor Planet Center's own program (it names no licence, so it is no
requirement here), `python -m tests.core.ades.sample FILE.xml` and `valsubmit FILE.xml` check the same.
"""

from typing import Any
from xml.etree import ElementTree

import pytest

from core.ades import FORMS, Observation, Report, observations
from core.ades.fields import OPTICAL, checked
from core.ades.observation import tracklet
from core.errors import InvalidRequest
from core.station import Station
from tests.core.ades.sample import STATION, STREAK, report


def test_a_streak_is_its_middle_at_the_middle_of_its_exposure() -> None:
    (observation,) = observations(STREAK, STATION)
    assert observation.values == {
        "trkSub": tracklet(STREAK["_id"]),
        "obsSubID": "6740900221150000",
        "mode": "CCD",
        "stn": "I41",
        "obsTime": "2018-11-06T02:09:52.728Z",
        "ra": "146.9014115",
        "dec": "-9.5168098",
        "astCat": "Gaia2",
        "exp": "30.0",
        "remarks": "trail 8.7 arcsec; rb@3 0.973; sl@2 0.990",
    }
    assert list(observation.values) == [name for name in OPTICAL if name in observation.values]


def test_the_name_of_a_tracklet_is_of_its_id_alone_and_no_others() -> None:
    names = {observations({**STREAK, "_id": f"strkid{n}"}, STATION)[0].values["trkSub"] for n in range(2000)}
    assert len(names) == 2000
    assert tracklet(STREAK["_id"]) == tracklet(STREAK["_id"])
    assert all(OPTICAL["trkSub"].fullmatch(name) for name in names)


def test_a_survey_s_own_measurements_go_before_ours() -> None:
    own = {
        "obsTime": "2018-11-06T02:09:37.73Z",
        "ra": "146.9",
        "dec": "+9.5",
        "astCat": "Gaia1",
        "stn": "XXX",
    }
    later = own | {"obsTime": "2018-11-06T02:10:07.73Z", "mag": "19.2", "band": "r", "trkID": "0001"}
    ades = {"version": "2017", "obsBlock": {"obsContext": {}, "obsData": {"optical": [own, later]}}}
    first, second = observations({**STREAK, "ades": ades}, STATION)
    assert (first.values["ra"], first.values["stn"], first.values["astCat"]) == ("146.9", "I41", "Gaia1")
    assert (second.values["mag"], "trkID" in second.values) == ("19.2", False)
    assert first.values["trkSub"] == second.values["trkSub"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ra": None}, "no ra"),
        ({"startmjd": None, "endmjd": None}, "no startmjd, endmjd"),
        ({"endmjd": STREAK["startmjd"]}, "exposure"),
        ({"ades": {"obsBlock": {"obsData": {"optical": {"obsTime": "yesterday"}}}}}, "no ra, dec"),
        (
            {"ades": {"obsBlock": {"obsData": {"optical": {"obsTime": "x", "ra": "1", "dec": "2"}}}}},
            "obsTime",
        ),
    ],
)
def test_what_can_not_be_reported_is_told_why(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        observations(STREAK | changed, STATION)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trkSub", "ninechars"),
        ("ra", "360.0"),
        ("dec", "90.5"),
        ("dec", "-91"),
        ("remarks", "a|b"),
        ("remarks", "a\nb"),
        ("remarks", " "),
        ("rmsRA", "0.0"),
        ("astCat", "Gaia DR3"),
        ("obsTime", "2018-11-06T02:09:52"),
        ("mag", "36.0"),
        ("rmsMag", "0.1"),
        ("nStars", "0"),
    ],
)
def test_the_standard_s_limits_are_kept(name: str, value: str) -> None:
    values = dict(observations(STREAK, STATION)[0].values)
    assert checked(values) == values
    with pytest.raises(InvalidRequest, match=name):
        checked(values | {name: value})


def test_xml_has_the_station_s_header_and_each_observation_in_the_order_of_the_schema() -> None:
    root = ElementTree.fromstring(FORMS["xml"][1](report()))
    assert (root.tag, root.attrib) == ("ades", {"version": "2022"})
    context, data = root[0]
    assert context.findtext("observatory/mpcCode") == "I41"
    assert context.findtext("telescope/aperture") == "1.22"
    assert [each.text for each in context.findall("measurers/name")] == ["N. Ames & <Co>", "É. Autre"]
    assert context.findtext("comment/line") == "a line / another"
    assert [optical.tag for optical in data] == ["optical", "optical"]
    for optical in data:
        tags = [field.tag for field in optical]
        assert tags == [name for name in OPTICAL if name in tags]


def test_psv_says_the_same_as_xml() -> None:
    lines = FORMS["psv"][1](report()).decode().splitlines()
    assert lines[:3] == ["# version=2022", "# observatory", "! mpcCode I41"]
    names, *rows = [line.split("|") for line in lines if not line.startswith(("#", "!"))]
    read = [{name: text for name, text in zip(names, row, strict=True) if text} for row in rows]
    root = ElementTree.fromstring(FORMS["xml"][1](report()))
    assert read == [{field.tag: field.text for field in optical} for optical in root.iter("optical")]


def test_a_station_says_what_it_lacks() -> None:
    assert STATION.missing() == []
    assert Station().missing()[:2] == ["station.mpc_code", "station.submitter"]
    assert Station(mpc_code="I41", submitter="A").missing()[0] == "station.measurers"
    for wrong in ({"mpc_code": "I4"}, {"submitter": "a|b"}, {"submitter": ""}, {"aperture_m": 0}, {"x": 1}):
        with pytest.raises(ValueError, match="validation error"):
            Station.model_validate(wrong)


def test_what_no_report_may_hold_comes_into_none() -> None:
    with pytest.raises(InvalidRequest, match="stn"):
        observations(STREAK, Station())
    assert Report(STATION, [Observation({})]).context().keys() >= {"observatory", "submitter", "telescope"}
