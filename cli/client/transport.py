"""Requests to the API: logs in, tries again what a retry can mend, raises our own errors."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests

from cli.client.logins import LocalLogin, Login
from cli.multipart import File, MultipartBody
from core import errors

CONNECT_S = 10.0
ANSWER_S = 60.0
ACCEPT_S = 3600.0  # until the record of a large upload is safe
STREAM_S = 600.0  # between two parts of an export: a filter that is true of few cutouts looks at many
STREAM_BYTES = 256 * 1024
_LISTED = 200
_BUSY = (502, 503, 504)
_LONGEST_PAUSE_S = 8.0
_KIND = "urn:deep-asteroids:"
_BY_STATUS: dict[int, type[errors.ServiceError]] = {
    401: errors.NotAuthenticated,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
}

Json = dict[str, Any]


class Transport:
    """One service over HTTP; what is asked of it is in the modules beside this one.

    Every method raises Unavailable when the service has not answered for `patience_s`, and the caller's
    errors that it tells. `options` are those of requests, and `answer_s`, how long to wait for an answer.
    """

    def __init__(self, url: str, login: Login, *, patience_s: float) -> None:
        self.url = url.rstrip("/")
        self._login = login
        self._patience_s = patience_s
        self._session = requests.Session()
        self._session.auth = self._authorize  # else requests takes one from the user's .netrc
        self._session.trust_env = not isinstance(login, LocalLogin)  # no proxy on the way to this machine
        self._token = login.token()

    def ask(self, method: str, path: str, **options: Any) -> Json:
        """Ask for JSON."""
        answer: Json = self.answer(method, path, **options).json()
        return answer

    def listed(self, path: str, key: str, limit: int) -> list[Json]:
        """The first entries of a list that comes in pages, under this key of each page."""
        found: list[Json] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self.ask("GET", path, params={"limit": min(limit, _LISTED), "cursor": cursor})
            found += page[key]
            cursor = page["next"]
            if cursor is None:
                break
        return found[:limit]

    def upload(
        self,
        path: str,
        files: Sequence[File],
        fields: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Send files and fields, read from disk again for each try."""
        boundary = secrets.token_hex(16)

        def body() -> MultipartBody:
            return MultipartBody(files, fields, boundary=boundary)

        headers = {**(headers or {}), "Content-Type": f"multipart/form-data; boundary={boundary}"}
        answer: Json = self.answer("POST", path, body, headers=headers, answer_s=ACCEPT_S).json()
        return answer

    def stream(self, path: str, params: Mapping[str, str]) -> Iterator[bytes]:
        """An answer by and by; raises Unavailable where it breaks off."""
        with self.answer("GET", path, params=params, stream=True, answer_s=STREAM_S) as answer:
            try:
                yield from answer.iter_content(STREAM_BYTES)
            except requests.RequestException as error:
                raise errors.Unavailable(
                    f"the answer of {self.url} broke off ({type(error).__name__}); expected all of it"
                ) from error

    def answer(
        self, method: str, path: str, body: Callable[[], MultipartBody] | None = None, **options: Any
    ) -> requests.Response:
        """Ask with a token; log in first where there is none, and once more where it is refused."""
        if self._token is None:
            self._log_in()
        try:
            return self._persist(method, path, body, **options)
        except errors.NotAuthenticated:
            if self._login.account() is None:
                raise
            self._log_in()
            return self._persist(method, path, body, **options)

    def _log_in(self) -> None:
        account = self._login.account()
        if account is None:
            raise errors.NotAuthenticated(
                f"no account for {self.url}; set DA_TOKEN, or DA_USER and DA_PASSWORD, in the environment"
            )
        self._token = None
        credentials = {"username": account[0], "password": account[1]}
        self._token = str(self._persist("POST", "/auth", json=credentials).json()["access_token"])
        self._login.keep(self._token)

    def _persist(
        self, method: str, path: str, body: Callable[[], MultipartBody] | None = None, **options: Any
    ) -> requests.Response:
        """Every request of ours may be repeated: it reads, cancels or sets, or carries an Idempotency-Key."""
        deadline = time.monotonic() + self._patience_s
        pause_s = 0.25
        while True:
            try:
                return self._once(method, path, body, **options)
            except errors.Unavailable:
                if time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _once(
        self,
        method: str,
        path: str,
        body: Callable[[], MultipartBody] | None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        answer_s: float = ANSWER_S,
        **options: Any,
    ) -> requests.Response:
        try:
            response = self._session.request(
                method,
                self.url + path,
                headers=headers,
                data=body() if body else content,
                timeout=(CONNECT_S, answer_s),
                allow_redirects=False,
                **options,
            )
        except requests.RequestException as error:
            raise errors.Unavailable(f"{self.url} does not answer: {type(error).__name__}") from error
        if response.ok:
            return response
        raise _error_of(response)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _error_of(response: requests.Response) -> errors.ServiceError:
    """The error that a problem document tells of; of its kind where this command line knows it."""
    try:
        problem = response.json()
        kind, detail = str(problem["type"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        kind, detail = "", f"{response.url} answered {response.status_code} {response.reason}"
    if response.status_code in _BUSY:
        return errors.Unavailable(detail)
    named = kind.removeprefix(_KIND).title().replace("-", "")
    found = getattr(errors, named, None) if kind.startswith(_KIND) else None
    if isinstance(found, type) and issubclass(found, errors.CallerError):
        return found(detail)
    if response.status_code >= 500:
        return errors.ServiceError(detail)
    return _BY_STATUS.get(response.status_code, errors.InvalidRequest)(detail)
