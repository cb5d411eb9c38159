"""What a version changes, as a page that is one file."""

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from cli.__main__ import main
from core.outcome import Outcome
from storage.record import Record
from tests.api.scoring import score_job
from tests.api.server import ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.record import card

NEXT = "rb@41"
HOSTILE = "<img src=x onerror=alert(1)>"
NAMES = [f"strkid9520000000{n:02}0003_pid9520000000{n:02}" for n in range(3)]


class Loads(HTMLParser):
    """Everything that a page would load or run, and its styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in ("src", "href", "srcset", "action", "data"):
                self.addresses.append(value or "")


@pytest.fixture(scope="module")
def job(api: ApiServer, api_record: Record) -> str:
    """A job of three cutouts, scored by two versions; and scores of an id that is not on record."""
    files = [("files", (f"{name}_scimref.jpg", jpeg(7100 + n))) for n, name in enumerate(NAMES)]
    job = str(api.ask("POST", "/v1/jobs/score", files=files).json()["job"])
    score_job(api_record, job, {RB: 0.75, SL: 0.25})
    api_record.models.register(card(NEXT, b"more"), b"more")
    after = dict(zip(NAMES, (0.125, 0.75, 0.875), strict=True))
    outcomes = [Outcome(name, NEXT, score) for name, score in after.items()]
    outcomes += [Outcome(HOSTILE, version, score) for version, score in ((RB, 0.1), (NEXT, 0.9))]
    api_record.outcomes.insert(outcomes, provenance={})
    return job


def changes(api: ApiServer, path: str, **more: str) -> tuple[str, str]:
    """The page and its policy."""
    answer = api.ask("GET", path, params={"before": RB, "after": NEXT, "format": "html", **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{NEXT}-against-{RB}.html"'
    return answer.text, answer.headers["Content-Security-Policy"]


def test_a_page_needs_nothing_but_itself(api: ApiServer, job: str) -> None:
    page, policy = changes(api, f"/v1/jobs/{job}/changes")
    loads = Loads(page)
    assert not loads.tags & {"script", "link", "iframe", "object", "base", "form"}
    pictures = [address.removeprefix("data:image/jpeg;base64,") for address in loads.addresses]
    assert [Image.open(BytesIO(b64decode(picture))).size for picture in pictures] == [
        (144, 144)
    ] * 4  # one of them flips, and is shown twice
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; ")
    assert f"style-src &#39;sha256-{digest}&#39;" in page  # it holds as a file, too
    assert not re.search(r"url\((?!#)", style)  # parts of the page itself may be named
    assert "@import" not in style
    assert "From yes to no" in page
    for name in NAMES:
        assert name.replace("_", "_<wbr>") in page


def test_an_id_or_a_filter_is_never_markup(api: ApiServer, job: str) -> None:
    page, _ = changes(api, "/v1/cutouts/changes")
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "its bytes are not stored here" in page
    page, _ = changes(api, "/v1/cutouts/changes", filter="id != '<b>bold</b>'")
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_what_is_asked_for_is_answered(api: ApiServer, job: str) -> None:
    path, params = f"/v1/jobs/{job}/changes", {"before": RB, "after": NEXT}
    kinds = [
        api.ask("GET", path, params={**params, **form}, headers={"Accept": accept}).headers["Content-Type"]
        for form, accept in (
            ({}, "*/*"),
            ({}, "text/html,*/*"),
            ({"format": "json"}, "text/html"),
            ({"format": "html"}, "application/json"),
        )
    ]
    page = "text/html; charset=utf-8"
    assert kinds == ["application/json", page, "application/json", page]
    assert api.ask("GET", path, params={**params, "format": "pdf"}).status_code == 422


def test_the_command_line_writes_the_page(
    api: ApiServer,
    job: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_admin(monkeypatch)
    out = tmp_path / "compare.html"
    words = ["--server", api.url, "models", "compare", NEXT, RB, "-o", str(out)]
    assert main([*words, "--job", job]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert out.read_text("utf-8").startswith("<!doctype html>")
    out.unlink()
    assert main([*words, "--filter", "nonsense = 1"]) == 1
    assert not out.exists()
    assert main(words) == 1
    assert "expected which cutouts" in capsys.readouterr().err
