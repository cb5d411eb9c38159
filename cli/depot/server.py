"""A depot's web server: listings and files, under one address and one account."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from cli.depot.listing import names_in
from core.errors import InvalidRequest, NotAuthenticated, NotFound, TooLarge, Unavailable, Unsafe
from core.service_secrets import Account

LISTING_BYTES = 32 * 2**20
_CHUNK = 16 * 1024  # what is lost of a body that breaks off
_REDIRECTS = 3
_WORTH_A_RETRY = (408, 425, 429)
_FIRST_PAUSE_S = 0.5
_T = TypeVar("_T")


@dataclass(frozen=True)
class Limits:
    """What one answer may cost, and how often it is asked for."""

    file_bytes: int
    timeout_s: float = 20.0
    whole_s: float = 3600.0
    listing_s: float = 120.0
    attempts: int = 4


class Depot:
    """Read by several threads. Redirects are followed within the depot alone: they carry the account.

    Every method raises NotFound, NotAuthenticated where the account is refused, Unsafe for a redirect to
    elsewhere, TooLarge, and, once it was tried often enough, Unavailable.
    """

    def __init__(self, url: str, account: Account, limits: Limits, *, parallel: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise InvalidRequest(
                f"{parts.scheme}://{parts.hostname or ''} is no depot's address; expected"
                " https://HOST/FOLDER, the account in the secrets file"
            )
        self.url = url.rstrip("/") + "/"
        self._origin, self._limits = (parts.scheme, parts.netloc), limits
        self._session = requests.Session()
        self._session.trust_env = False  # nor an account from the user's .netrc
        if account.user:
            self._session.auth = (account.user, account.password.get_secret_value())
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=parallel))

    def names(self, folder: str) -> list[str]:
        """What a folder's listing names; raises NotFound where there is no such folder."""
        url = self.url + folder

        def read() -> list[str]:
            with self._answer(url) as answer:
                page = bytearray()
                for chunk in _chunks(answer, self._limits.listing_s):
                    page += chunk
                    if len(page) > LISTING_BYTES:
                        raise TooLarge(
                            f"{url}: a listing of over {LISTING_BYTES} bytes; expected one that ends"
                        )
                return names_in(page.decode("utf-8", "replace"), url)

        return self._persist(read)

    def fetch(self, path: str, place: Path, *, known: Callable[[str], bool]) -> str | None:
        """Put a file's bytes into a place, whole, on from where they were broken off; returns its mark.

        The mark tells its content from another under that name. None where `known(mark)`: nothing is fetched.
        """
        return self._persist(lambda: self._fetch(self.url + quote(path), place, known))

    def close(self) -> None:
        """End all connections."""
        self._session.close()

    def _fetch(self, url: str, place: Path, known: Callable[[str], bool]) -> str | None:
        partial, marked = place.with_name(place.name + ".part"), place.with_name(place.name + ".mark")
        there = partial.stat().st_size if partial.exists() and marked.exists() else 0
        headers = {"Range": f"bytes={there}-", "If-Range": marked.read_text("utf-8")} if there else {}
        with self._answer(url, headers) as answer:
            if answer.status_code == 416:  # nothing follows what is there
                partial.unlink(missing_ok=True)
                raise Unavailable(f"{url}: no part from byte {there} on; it is asked for as a whole")
            resumed = answer.status_code == 206
            if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
                partial.unlink(missing_ok=True)
                raise Unavailable(f"{url}: another part than bytes {there}- came")
            mark = _mark(answer)
            if known(mark):
                return None
            validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
            if validator and not validator.startswith("W/"):
                marked.write_text(validator, "utf-8")
            else:
                marked.unlink(missing_ok=True)
            size = there if resumed else 0
            with partial.open("ab" if resumed else "wb") as file:
                for chunk in _chunks(answer, self._limits.whole_s):
                    size += len(chunk)
                    if size > self._limits.file_bytes:
                        raise TooLarge(
                            f"{url}: over {self._limits.file_bytes} bytes; expected at most that many"
                        )
                    file.write(chunk)
        partial.replace(place)
        marked.unlink(missing_ok=True)
        return mark

    def _persist(self, read: Callable[[], _T]) -> _T:
        pause_s = _FIRST_PAUSE_S
        for _ in range(self._limits.attempts - 1):
            with suppress(Unavailable):
                return read()
            time.sleep(pause_s)
            pause_s *= 2
        return read()

    @contextmanager
    def _answer(self, url: str, headers: dict[str, str] | None = None) -> Iterator[requests.Response]:
        """An answer of 200, 206 or 416, to be read in the block."""
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        try:
            for _ in range(_REDIRECTS + 1):
                with self._session.get(
                    url, headers=asked, stream=True, allow_redirects=False, timeout=self._limits.timeout_s
                ) as answer:
                    if not answer.is_redirect:
                        _check(url, answer.status_code)
                        yield answer
                        return
                    url = self._within(url, answer.headers["Location"])
        except requests.RequestException as error:
            raise Unavailable(f"{url}: no whole answer ({type(error).__name__})") from error
        raise Unsafe(f"{url}: more than {_REDIRECTS} redirects")

    def _within(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        parts = urlsplit(target)
        if (parts.scheme, parts.netloc) != self._origin:
            raise Unsafe(f"{url} redirects to {parts.scheme}://{parts.netloc}; expected {self.url}")
        return target


def _check(url: str, status: int) -> None:
    if status in (200, 206, 416):
        return
    if status in (401, 403):
        raise NotAuthenticated(
            f"{url}: HTTP status {status}; expected an account, in the secrets file's `depot`"
        )
    if status in (404, 410):
        raise NotFound(f"{url}: HTTP status {status}")
    if status >= 500 or status in _WORTH_A_RETRY:
        raise Unavailable(f"{url}: HTTP status {status}")
    raise InvalidRequest(f"{url}: HTTP status {status}; expected 200")


def _chunks(answer: requests.Response, whole_s: float) -> Iterator[bytes]:
    """The body, within the time that a whole one may take; a server that trickles is cut off."""
    expired = threading.Event()

    def cut() -> None:
        expired.set()
        answer.close()

    watch = threading.Timer(whole_s, cut)
    watch.daemon = True
    watch.start()
    try:
        yield from answer.iter_content(_CHUNK)
    except (AttributeError, ValueError) as error:  # what reading a closed body raises
        raise Unavailable(f"{answer.url}: no whole answer within {whole_s:.0f} s") from error
    finally:
        watch.cancel()
    if expired.is_set():
        raise Unavailable(f"{answer.url}: no whole answer within {whole_s:.0f} s")


def _mark(answer: requests.Response) -> str:
    """By which a content is known again: of a part as of the whole."""
    headers = answer.headers
    size = headers.get("Content-Range", "/").rpartition("/")[2] or headers.get("Content-Length", "")
    return " ".join([size, headers.get("Last-Modified", ""), headers.get("ETag", "")])
