"""Requests to one service: logs in, tries again what a retry can mend, raises this client's errors."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from deep_asteroids_client.errors import (
    BY_STATUS,
    InvalidRequest,
    NotAuthenticated,
    StreaksError,
    Unavailable,
)
from deep_asteroids_client.login import Login
from deep_asteroids_client.upload import Upload

CONNECT_S = 10.0
ANSWER_S = 60.0
ACCEPT_S = 3600.0
"""Until the record of a large upload is safe."""
AT_ONCE = 8
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 8.0

Json = dict[str, Any]


class Connection:
    """One service over HTTP. May be used by several threads.

    Parameters
    ----------
    url : its address.
    patience_s : how long a call is tried again while nobody answers, or the service says that it is busy.
    verify : whether its certificate is checked, or the file of the authority to check it by.
    """

    def __init__(self, url: str, login: Login, *, patience_s: float, verify: bool | str) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidRequest(f"the address {url[:200]!r}; expected http://… or https://…")
        self.url = url.rstrip("/")
        self._login = login
        self._token = login.token
        self._patience_s = patience_s
        self._session = requests.Session()
        self._session.verify = verify
        self._session.auth = _as_is  # else requests takes an account from the user's .netrc
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=AT_ONCE))

    def ask(self, method: str, path: str, **options: Any) -> Json:
        """Ask for a JSON object. Options are those of `answer`."""
        answer = self.answer(method, path, **options)
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            kind = answer.headers.get("Content-Type", "nothing")
            raise StreaksError(f"{self.url}{path} answered {kind[:80]}; expected JSON: is this the service?")
        return found

    def pages(self, path: str, key: str, *, cursor: str = "cursor", **params: Any) -> Iterator[Json]:
        """The entries under a key of a list that comes in pages, each page as it is needed."""
        after: str | None = None
        while True:
            page = self.ask("GET", path, params={**params, cursor: after})
            yield from page[key]
            after = page["next"]
            if after is None:
                return

    def answer(
        self,
        method: str,
        path: str,
        *,
        repeat: bool = True,
        upload: Upload | None = None,
        headers: Mapping[str, str] | None = None,
        answer_s: float = ANSWER_S,
        **options: Any,
    ) -> requests.Response:
        """Ask with a token; log in first where there is none, and once more where it is refused.

        Without `repeat` what may have been done already is not asked again. Other options are those of
        requests.
        """
        patience_s = self._patience_s if repeat else 0.0
        more = {"headers": dict(headers or {}), "timeout": (CONNECT_S, answer_s), **options}
        if upload is not None:
            more["data"] = upload
            more["headers"]["Content-Type"] = upload.content_type
        if self._token is None:
            self._log_in()
        try:
            return self._persist(method, path, patience_s, more)
        except NotAuthenticated:
            if not self._login.has_account:
                raise
        self._log_in()
        return self._persist(method, path, patience_s, more)

    def is_alive(self) -> bool:
        """Whether the service answers now."""
        try:
            self._once("GET", "/healthz", {"timeout": (CONNECT_S, CONNECT_S)}, token=None)
        except StreaksError:
            return False
        return True

    def close(self) -> None:
        """Close what is open."""
        self._session.close()

    def _log_in(self) -> None:
        credentials = {"username": self._login.username, "password": self._login.password}
        more = {"json": credentials, "timeout": (CONNECT_S, ANSWER_S)}
        self._token = None
        answer = self._persist("POST", "/auth", self._patience_s, more)
        try:
            self._token = str(answer.json()["access_token"])
        except (ValueError, KeyError, TypeError) as error:
            raise StreaksError(f"{self.url}/auth gave no token; is this the service?") from error

    def _persist(
        self, method: str, path: str, patience_s: float, options: Mapping[str, Any]
    ) -> requests.Response:
        deadline = time.monotonic() + patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return self._once(method, path, options, token=self._token)
            except Unavailable:
                if time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _once(
        self, method: str, path: str, options: Mapping[str, Any], *, token: str | None
    ) -> requests.Response:
        headers = dict(options.get("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = self._session.request(
                method, self.url + path, **{**options, "headers": headers, "allow_redirects": False}
            )
        except requests.exceptions.SSLError as error:
            raise StreaksError(
                f"{self.url} can't be trusted: {error}; expected a certificate that verifies"
            ) from error
        except requests.RequestException as error:
            raise Unavailable(f"{self.url} does not answer: {type(error).__name__}") from error
        if 200 <= response.status_code < 300:
            return response
        raise _error_of(response)


def _as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _error_of(response: requests.Response) -> StreaksError:
    """The error that a problem document tells of, or the status where none came."""
    status = response.status_code
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{response.url} answered {status} {response.reason}"
    if status in BY_STATUS:
        return BY_STATUS[status](detail)
    if 300 <= status < 400 or status >= 500:
        return StreaksError(detail)
    return InvalidRequest(detail)
