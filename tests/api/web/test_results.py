"""Results and a cutout's page: who sees them, what the controls ask for, that what is shown is text."""

import io
from collections.abc import Mapping

import numpy as np
import pytest
import requests
from PIL import Image

from core.instrument import Instrument
from core.job import Rejection
from core.outcome import Outcome
from core.user import ROLES, Role
from cutouts.decode import decode
from storage.blobs import sha256_of
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.api.web.browser import Browser
from tests.fits_files import fits_file, noise
from tests.images import jpeg

EVIL = "<script>alert(1)</script>"
NIGHT = "20190203"
PICTURE = jpeg(7)
FIRST = "web-cutout-00"
UNREAD = "5" * 64


@pytest.fixture(scope="module", autouse=True)
def shown(api_record: Record) -> None:
    """Twelve cutouts of a night of their own, one called like a script; one was rejected."""
    sha256 = api_record.blobs.put(PICTURE)
    for n in range(12):
        name = EVIL if n == 5 else f"web-cutout-{n:02}"
        rb, sl = 1 - n / 12, n / 12
        document = {
            "_id": name,
            "sha256": sha256,
            "night": NIGHT,
            "ra": 10.0 + n,
            "dec": 5.0,
            "programpi": EVIL,
            "ades": {"trkSub": EVIL},
            "rb": rb,
            "sl": sl,
            "plausible": rb >= 0.5,
            "versions": {"rb": RB, "sl": SL},
            "scores": {RB: rb, SL: sl},
        }
        api_record.database["cutouts"].insert_one(document)
        outcomes = [Outcome(name, RB, rb), Outcome(name, SL, sl)]
        api_record.outcomes.insert(outcomes, provenance={"job": "j", "worker": EVIL, "engine": "test"})
    api_record.database["cutouts"].insert_one({"_id": "web-rejected", "sha256": None, "night": NIGHT})
    rejected = Outcome("web-rejected", RB, None, Rejection("decode", "flat", EVIL))
    api_record.outcomes.insert([rejected], provenance={})


def order_of(answer: requests.Response) -> list[str]:
    """The numbers of the cutouts on a page, as they stand there."""
    assert answer.status_code == 200, answer.text
    return [part[:2] for part in answer.text.split('data-cutout="web-cutout-')[1:]]


def test_nobody_sees_a_page_or_a_picture_without_a_session(api: ApiServer) -> None:
    for path in ("/results", "/results/count", f"/cutouts/{FIRST}", f"/cutouts/{FIRST}/picture"):
        assert requests.get(api.url + path, timeout=30).status_code == 401, path
        browser = Browser(api).ask("GET", path)
        assert browser.headers["Location"].startswith("/login?next="), path


def test_every_role_sees_results_first(browsers: Mapping[Role, Browser]) -> None:
    for role in ROLES:
        assert browsers[role].ask("GET", "/").headers["Location"] == "/results"
        assert FIRST in browsers[role].ask("GET", "/results", params={"night": NIGHT}).text


def test_controls_narrow_order_and_count(browsers: Mapping[Role, Browser]) -> None:
    browser = browsers["viewer"]

    def ask(**controls: object) -> list[str]:
        found = order_of(browser.ask("GET", "/results", params={"night": NIGHT, **controls}))
        counted = browser.ask("GET", "/results/count", params={"night": NIGHT, **controls}).text
        assert int(counted) - len(found) in (0, 1), controls  # one has another name
        return found

    assert ask() == ["00", "01", "02", "03", "04", "06", "07", "08", "09", "10", "11"]
    assert ask(order="low")[:2] == ["11", "10"]
    assert ask(rb=0.5, sl=0.2) == ["03", "04", "06"]
    assert ask(plausible="no", order="low") == ["11", "10", "09", "08", "07"]
    assert ask(version=SL, low=0.8, high=0.9) == ["10"]
    assert ask(ra=13, dec=5, radius=7200) == ["01", "02", "03", "04"]
    assert ask(filter="sl > 0.9") == ["11"]
    assert ask(filter=f"{SL} > 0.9 or rb > 0.95", plausible="yes") == ["00"]


def test_rejections_are_found_with_their_reason(browsers: Mapping[Role, Browser]) -> None:
    page = browsers["viewer"].ask("GET", "/results", params={"night": NIGHT, "rejection": "any"}).text
    assert 'data-cutout="web-rejected"' in page
    assert "not stored here" in page
    assert FIRST not in page


def test_what_could_not_be_read_is_shown_with_the_reason(
    api_record: Record, browsers: Mapping[Role, Browser]
) -> None:
    api_record.outcomes.insert(
        [Outcome(UNREAD, RB, None, Rejection("decode", "odd_end", EVIL))], provenance={}
    )
    browser, sought = browsers["viewer"], {"version": RB, "rejection": "odd_end"}
    page = browser.ask("GET", "/results", params=sought).text
    assert f'data-cutout="{UNREAD}"' in page
    assert '<option value="odd_end" selected>odd end</option>' in page
    assert browser.ask("GET", "/results/count", params=sought).text == "1"
    alone = browser.ask("GET", f"/cutouts/{UNREAD}")
    assert (alone.status_code, EVIL in alone.text) == (200, False)
    assert "odd_end" in alone.text


def test_pages_follow_each_other(browsers: Mapping[Role, Browser]) -> None:
    browser, found = browsers["viewer"], []
    path = f"/results?night={NIGHT}&size=5"
    for _ in range(3):
        answer = browser.ask("GET", path)
        found += order_of(answer)
        path = answer.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert found == ["00", "01", "02", "03", "04", "06", "07", "08", "09", "10", "11"]
    assert path == ""


BAD = [
    {"filter": "rb >>> 1"},
    {"filter": EVIL},
    {"after": "x"},
    {"version": "rb@999"},
]


@pytest.mark.parametrize("controls", BAD)
def test_what_is_no_filter_is_told_on_the_page(
    browsers: Mapping[Role, Browser], controls: Mapping[str, str]
) -> None:
    answer = browsers["viewer"].ask("GET", "/results", params=dict(controls))
    assert answer.status_code == 200
    assert 'class="fault"' in answer.text
    assert EVIL not in answer.text


@pytest.mark.parametrize(
    "controls",
    [{"night": "2019'"}, {"rb": "nan"}, {"sl[$gt]": "", "sl": "{}"}, {"size": "9999"}, {"order": "$where"}],
)
def test_controls_take_no_operators(browsers: Mapping[Role, Browser], controls: Mapping[str, str]) -> None:
    assert browsers["viewer"].ask("GET", "/results", params=dict(controls)).status_code == 422


def test_a_cutouts_page_shows_all_scores_and_everything_as_text(browsers: Mapping[Role, Browser]) -> None:
    answer = browsers["viewer"].ask("GET", f"/cutouts/{FIRST}")
    for text in (RB, SL, "1.000", "&lt;script&gt;", "programpi", "trkSub", "plausible", "production"):
        assert text in answer.text, text
    assert EVIL not in answer.text
    assert EVIL not in browsers["viewer"].ask("GET", "/results", params={"night": NIGHT}).text
    assert browsers["viewer"].ask("GET", "/cutouts/nothing").status_code == 404


def test_a_picture_is_kept_for_ever_under_its_sha256(browsers: Mapping[Role, Browser]) -> None:
    browser, sha256 = browsers["viewer"], sha256_of(PICTURE)
    for path in (f"/cutouts/{FIRST}/picture", f"/v1/cutouts/{FIRST}/image"):
        answer = browser.ask("GET", path, params={"v": sha256})
        assert (answer.content, answer.headers["Content-Type"]) == (PICTURE, "image/jpeg")
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        asked_again = browser.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (asked_again.status_code, asked_again.content) == (304, b"")
        assert asked_again.headers["Cache-Control"] == "private, no-cache"
    assert browser.ask("GET", "/cutouts/web-rejected/picture").status_code == 404


def test_a_fits_image_is_drawn_by_its_instruments_profile_and_not_kept_for_ever(
    api_record: Record, browsers: Mapping[Role, Browser]
) -> None:
    data = fits_file(noise(77, height=63, width=63))
    sha256, browser = api_record.blobs.put(data), browsers["viewer"]
    documents = [
        {"_id": f"coarse:{sha256}", "sha256": sha256, "instrument": "coarse"},
        {"_id": f"gone:{sha256}", "sha256": sha256, "instrument": "gone"},
        {"_id": sha256, "sha256": sha256},
    ]
    api_record.database["cutouts"].insert_many(documents)
    coarse, gone, plain = (
        browser.ask("GET", f"/cutouts/{document['_id']}/picture", params={"v": sha256})
        for document in documents
    )
    drawn = Image.open(io.BytesIO(coarse.content))
    profile = Instrument(name="coarse", arcsec_per_px=1.86, fwhm_arcsec=4, exposure_s=30)
    assert np.array_equal(np.asarray(drawn), decode(data, instrument=profile)[:, :, 0])
    assert plain.content != coarse.content
    assert gone.status_code == 404
    assert coarse.headers["Cache-Control"] == "private, no-cache"
    assert coarse.headers["ETag"] != plain.headers["ETag"]
    known = {"If-None-Match": coarse.headers["ETag"]}
    assert browser.ask("GET", f"/cutouts/coarse:{sha256}/picture", headers=known).status_code == 304
    assert browser.ask("GET", f"/cutouts/{sha256}/picture", headers=known).status_code == 200
