"""What pages load is in the repository, as its makers published it."""

import hashlib
import json
import re

import requests

from api.web.assets import STATIC, asset_url
from tests.api.server import ROOT, ApiServer

MANIFEST = ROOT / "api" / "web" / "vendored.json"
TEMPLATES = ROOT / "api" / "web" / "templates"
ALONE = {"score_changes.html"}
"""Files of their own, which nothing may load for; their policy names their one style by its hash."""


def test_every_file_from_elsewhere_is_the_one_that_the_manifest_names() -> None:
    assets = json.loads(MANIFEST.read_text("utf-8"))["assets"]
    files = {name: sha256 for asset in assets for name, sha256 in asset["files"].items()}
    for name, sha256 in files.items():
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == sha256, name
    for asset in assets:
        assert {"package", "version", "licence", "from"} <= asset.keys()
        assert any("LICENSE" in name for name in asset["files"])
    there = {path for folder in (STATIC / "vendor", ROOT / "tests" / "assets") for path in folder.iterdir()}
    assert {ROOT / name for name in files} == there


def test_assets_are_open_kept_for_ever_and_of_their_type(api: ApiServer) -> None:
    for name, media_type in (
        ("site.css", "text/css"),
        ("site.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/htmx.min.js", "text/javascript"),
    ):
        answer = requests.get(api.url + asset_url(name), timeout=30)
        assert answer.status_code == 200, name
        assert answer.headers["Content-Type"].partition(";")[0] == media_type
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        old = requests.get(f"{api.url}/assets/0123/{name}", timeout=30)
        assert old.headers["Cache-Control"] == "no-store"


def test_nothing_but_assets_is_below_their_path(api: ApiServer) -> None:
    for name in ("../site.py", "..%2f..%2fmain.py", "%2e%2e/site.py", "nothing.js", "", "vendor"):
        assert requests.get(f"{api.url}/assets/x/{name}", timeout=30).status_code in (401, 404), name


def test_no_page_names_another_host_or_holds_a_script_a_style_or_a_handler() -> None:
    pages = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    assert len(pages) > 5
    for path in [*pages, *(p for p in STATIC.glob("*") if p.is_file())]:
        text = path.read_text("utf-8")
        hosts = re.findall(r"""(?:https?:)?//[a-z0-9-]+\.[a-z]{2,}[^"'\s]*""", text)
        assert not [host for host in hosts if "www.w3.org" not in host], path.name
    for path in pages:
        text = path.read_text("utf-8")
        assert ("<style" in text) == (path.name in ALONE), path.name
        assert not re.search(r"\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", text), path.name
        assert "| safe" not in text, path.name
        assert "hx-on" not in text, path.name
