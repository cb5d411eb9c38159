"""The names in a web server's listing of a folder."""

from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit


def names_in(page: str, url: str) -> list[str]:
    """What the links of a page at `url` name directly below it, in its order, each once; folders end in `/`.

    Links to elsewhere, above, or deeper, and those that only sort the page are not taken.
    """
    links = _Links()
    links.feed(page)
    base = urlsplit(url)
    found: dict[str, None] = {}
    for link in links.found:
        try:
            parts = urlsplit(urljoin(url, link))
        except ValueError:
            continue
        if (parts.scheme, parts.netloc) != (base.scheme, base.netloc) or parts.query:
            continue
        name = unquote(parts.path.removeprefix(base.path))
        is_below = parts.path.startswith(base.path) and name.strip("/")
        if is_below and "/" not in name.removesuffix("/") and name not in (".", "..") and name.isprintable():
            found[name] = None
    return list(found)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
