"""The names that the survey gives its cutouts."""

import pytest

from cutouts.names import night_of, safe_name, streak_id

REAL = "strkid6740938304150004_pid674093830415"


@pytest.mark.parametrize(
    "name",
    [
        f"{REAL}_scimref.jpg",
        f"stamps/stamps_20181106/{REAL}_scimref.jpg",
        f"https://host/x/{REAL}.png?size=157",
    ],
)
def test_a_streak_id_is_found_in_a_name_path_or_url(name: str) -> None:
    assert streak_id(name) == REAL


def test_ids_beyond_2_to_the_53_stay_exact() -> None:
    name = "strkid90071992547409930001_pid9007199254740993"
    assert streak_id(name + "_scimref.jpg") == name


@pytest.mark.parametrize("name", ["image.jpg", "strkid12_pid34.jpg", f"{REAL}/image.jpg", ""])
def test_a_name_without_an_id_has_none(name: str) -> None:
    assert streak_id(name) is None


def test_the_night_is_the_days_since_2017() -> None:
    assert night_of(REAL) == "20181106"
    assert night_of("f" * 64) is None


def test_a_shown_name_holds_no_control_or_direction_characters() -> None:
    assert safe_name("a\u202egpj.exe\n\x00") == "agpj.exe"
    assert safe_name("\n") == "unnamed"
    assert len(safe_name("x" * 1000)) == 255
