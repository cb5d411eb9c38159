"""Pictures of cutouts whose bytes are not in the store: from packs, and by reference, by the same rules."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.user import Role
from cutouts.decode import decode
from cutouts.packs import PackedCutout, preparation, read_index, write_pack
from storage.blobs import sha256_of
from storage.packs import PackRecord
from storage.record import Record
from tests.api.web.browser import Browser
from tests.api.web.chromium import Visit
from tests.images import jpeg

FILE = jpeg(61)
NIGHT = "20170410"
PACKED = "strkid1000000000150000_pid100000000015"


def put(record: Record, name: str, **more: object) -> str:
    """A cutout on record; returns where its picture is."""
    record.database["cutouts"].insert_one({"_id": name, "sha256": None, "rb": 0.5, "night": NIGHT, **more})
    return f"/cutouts/{name}/picture"


@pytest.fixture(scope="module", autouse=True)
def tidy(api_record: Record) -> Iterator[None]:
    """Cutouts without pictures would be seen by other tests."""
    yield
    api_record.database["cutouts"].delete_many({"night": {"$regex": "^201704"}})
    api_record.database["packs"].delete_many({})


@pytest.fixture
def browser(browsers: Mapping[Role, Browser]) -> Browser:
    """A viewer's."""
    return browsers["viewer"]


def test_a_cutout_that_lies_in_a_pack_alone_is_shown_as_networks_see_it(
    browser: Browser, api_record: Record
) -> None:
    sha256, pixels, prepared = sha256_of(FILE), decode(FILE), preparation("deepstreaks-1")
    data = write_pack(prepared, [PackedCutout(PACKED, sha256, pixels)])
    blob = api_record.blobs.put(data)
    pack = PackRecord(blob, prepared, 2**20, 2**20, read_index(data).pixels_at, 1)
    assert api_record.packs.insert(pack, [PACKED])
    path = put(api_record, PACKED, sha256=sha256)
    answer = browser.ask("GET", path, params={"v": sha256})
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert np.array_equal(np.asarray(shown), pixels[:, :, 0])
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = browser.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    api_record.blobs.delete(blob)
    assert browser.ask("GET", path).status_code == 404


def test_a_cutout_by_reference_is_shown_while_it_is_what_was_scored(
    browser: Browser, api_record: Record, shared_folder: Path
) -> None:
    file = shared_folder / "shown.jpg"
    file.write_bytes(FILE)
    unread = put(api_record, "by-reference-unread", reference=file.as_uri())
    read = put(api_record, "by-reference-read", reference=file.as_uri(), sha256=sha256_of(FILE))
    for path, kept in ((unread, "private, no-cache"), (f"{read}?v={sha256_of(FILE)}", "immutable")):
        answer = browser.ask("GET", path)
        assert (answer.status_code, answer.content) == (200, FILE), path
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert kept in answer.headers["Cache-Control"]
    file.write_bytes(jpeg(62))
    changed = browser.ask("GET", read, headers={"Accept": "application/json"})
    assert (changed.status_code, "another content" in changed.json()["detail"]) == (404, True)
    file.write_bytes(b"<svg onload='alert(1)'/>")
    assert browser.ask("GET", unread).status_code == 404


@pytest.mark.parametrize(
    "reference",
    ["file:///etc/passwd", "http://127.0.0.1:1/x.jpg", "ftp://example.com/x.jpg", "file:///nowhere"],
)
def test_no_picture_is_read_from_where_references_may_not_point(
    browser: Browser, api_record: Record, reference: str
) -> None:
    path = put(api_record, f"forbidden-{sha256_of(reference.encode())[:8]}", reference=reference)
    answer = browser.ask("GET", path)
    assert answer.status_code in (404, 503)
    assert "root:" not in answer.text


def test_where_there_is_no_picture_after_all_the_page_says_so(visit: Visit, api_record: Record) -> None:
    put(api_record, "by-reference-gone", reference="file:///nowhere.jpg", night="20170411")
    page = visit.open("/results?night=20170411")
    page.locator("span.cutout.none", has_text="no picture").wait_for()
    assert visit.serious_faults() == []
    visit.faults[:] = [fault for fault in visit.faults if "404" not in fault]
