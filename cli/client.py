"""The API as this command line uses it: logs in, tries again what a retry can mend, raises our own errors."""

import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import requests

from cli.local.private_files import write_private
from cli.multipart import File, MultipartBody
from core import errors

CONNECT_S = 10.0
ANSWER_S = 60.0
ACCEPT_S = 3600.0  # until the record of a large upload is safe
STREAM_S = 600.0  # between two parts of an export: a filter that is true of few cutouts looks at many
STREAM_BYTES = 256 * 1024
PAGE = 5000
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


class Login(Protocol):
    """Where a token comes from."""

    def token(self) -> str | None:
        """A token that may work, if one is known."""

    def account(self) -> tuple[str, str] | None:
        """Name and password, if they are known, for when there is no token or it does not work."""

    def keep(self, token: str) -> None:
        """A new token, to be used the next time."""


@dataclass(frozen=True)
class GivenLogin:
    """A token, or a name and a password, from the environment."""

    given: str | None
    name: str | None
    password: str | None

    def token(self) -> str | None:
        """The token that was given."""
        return self.given

    def account(self) -> tuple[str, str] | None:
        """The account that was given."""
        return (self.name, self.password) if self.name and self.password else None

    def keep(self, token: str) -> None:
        """Nothing is kept of somebody else's service."""


@dataclass(frozen=True)
class LocalLogin:
    """The administrator of the service on this machine; its token is kept in a file of mode 0600."""

    name: str
    password: str
    file: Path

    def token(self) -> str | None:
        """The token that was kept."""
        try:
            return self.file.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None

    def account(self) -> tuple[str, str] | None:
        """The administrator."""
        return self.name, self.password

    def keep(self, token: str) -> None:
        """Keep a token for the next command."""
        write_private(self.file, f"{token}\n")


class Client:
    """A service over HTTP.

    Parameters
    ----------
    url : its address.
    patience_s : how long to try again while it does not answer or says that it is busy.

    Every method raises Unavailable when that time is over, and the caller's errors that the service tells.
    """

    def __init__(self, url: str, login: Login, *, patience_s: float = 20.0) -> None:
        self.url = url.rstrip("/")
        self._login = login
        self._patience_s = patience_s
        self._session = requests.Session()
        self._session.auth = self._authorize  # else requests takes one from the user's .netrc
        self._session.trust_env = not isinstance(login, LocalLogin)  # no proxy on the way to this machine
        self._token = login.token()

    def submit_files(
        self,
        files: Sequence[File],
        *,
        models: Sequence[str] = (),
        priority: str | None = None,
        instrument: str | None = None,
    ) -> Json:
        """Upload files to be scored, as one job. However often this has to try, it is one job."""
        fields = {"models": ",".join(models), "priority": priority or "", "instrument": instrument or ""}
        boundary = secrets.token_hex(16)

        def body() -> MultipartBody:
            return MultipartBody(files, {n: value for n, value in fields.items() if value}, boundary=boundary)

        return self._submit(body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})

    def submit_references(
        self,
        references: Sequence[str],
        *,
        models: Sequence[str] = (),
        priority: str | None = None,
        instrument: str | None = None,
    ) -> Json:
        """Have references scored, as one job."""
        wanted: Json = {"references": list(references), "models": list(models)}
        wanted |= {"priority": priority} if priority else {}
        wanted |= {"instrument": instrument} if instrument else {}
        return self._submit(None, {}, json=wanted)

    def submit_training(self, wanted: Mapping[str, Any]) -> Json:
        """Have a network trained. However often this has to try, it is one job."""
        return self._submit(None, {}, json=dict(wanted), path="/v1/jobs/train")

    def submit_rescoring(self, wanted: Mapping[str, Any]) -> Json:
        """Have cutouts on record scored, or with `dry_run` counted; one job, however often this tries."""
        return self._submit(None, {}, json=dict(wanted), path="/v1/jobs/rescore")

    def change_job(self, job: str, **changes: Any) -> Json:
        """Pause a job, let it go on, or change its rank."""
        return self._ask("PATCH", f"/v1/jobs/{job}", json=changes)

    def job(self, job: str) -> Json:
        """One job, with its progress."""
        return self._ask("GET", f"/v1/jobs/{job}")

    def jobs(self, limit: int) -> list[Json]:
        """The newest jobs."""
        found: list[Json] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self._ask("GET", "/v1/jobs", params={"limit": min(limit, 200), "cursor": cursor})
            found += page["jobs"]
            cursor = page["next"]
            if cursor is None:
                break
        return found[:limit]

    def cancel(self, job: str) -> Json:
        """Stop a job."""
        return self._ask("DELETE", f"/v1/jobs/{job}")

    def results(self, job: str) -> Iterator[Json]:
        """The results of a job in the order of its items."""
        cursor: str | None = None
        while True:
            page = self._ask("GET", f"/v1/jobs/{job}/results", params={"limit": PAGE, "cursor": cursor})
            yield from page["results"]
            cursor = page["next"]
            if cursor is None:
                return

    def cutouts(self, text: str, *, models: str = "", limit: int = 100, cursor: str | None = None) -> Json:
        """A page of the cutouts that a filter is true of."""
        params = {"filter": text, "models": models, "limit": limit, "cursor": cursor}
        return self._ask("GET", "/v1/cutouts", params=params)

    def export_job(self, job: str, form: str) -> Iterator[bytes]:
        """The scores of a job as a file, by and by; raises Unavailable where it breaks off."""
        return self._stream(f"/v1/jobs/{job}/export", {"format": form})

    def export_cutouts(self, text: str, *, models: str, form: str) -> Iterator[bytes]:
        """The scores of the cutouts that a filter is true of, in the same way."""
        return self._stream("/v1/cutouts/export", {"filter": text, "models": models, "format": form})

    def score_changes(
        self,
        *,
        before: str,
        after: str,
        job: str | None = None,
        text: str = "",
        threshold: float | None = None,
    ) -> Json:
        """What one version changes against another on a job's cutouts, or on those of a filter, or on all."""
        path, params = _changes(before, after, job, text, threshold)
        return self._ask("GET", path, params=params, answer_s=STREAM_S)

    def score_changes_page(
        self,
        *,
        before: str,
        after: str,
        job: str | None = None,
        text: str = "",
        threshold: float | None = None,
    ) -> Iterator[bytes]:
        """The same as a page with pictures, one HTML file; raises Unavailable where it breaks off."""
        path, params = _changes(before, after, job, text, threshold)
        return self._stream(path, {**params, "format": "html"})

    def models(self) -> list[Json]:
        """Every model version that is registered."""
        found: list[Json] = self._ask("GET", "/v1/models")["models"]
        return found

    def model(self, version: str) -> Json:
        """The card of one version."""
        return self._ask("GET", f"/v1/models/{version}")

    def weights(self, version: str) -> bytes:
        """The weights of one version, as its card describes them."""
        return self._answer("GET", f"/v1/models/{version}/weights").content

    def add_model(self, archive: bytes) -> Json:
        """Register a candidate from a zip of its card and weights."""
        answer: Json = self._answer(
            "POST", "/v1/models", headers={"Content-Type": "application/zip"}, content=archive
        ).json()
        return answer

    def set_threshold(self, version: str, threshold: float) -> Json:
        """Move a version's threshold."""
        return self._ask("PUT", f"/v1/models/{version}/threshold", json={"threshold": threshold})

    def promote(self, version: str, *, even_if_worse: bool, beside: bool = False) -> Json:
        """Put a version into production."""
        wanted = {"even_if_worse": even_if_worse, "beside": beside}
        return self._ask("POST", f"/v1/models/{version}/promote", json=wanted)

    def archive(self, version: str) -> Json:
        """Let a version be used no longer."""
        return self._ask("POST", f"/v1/models/{version}/archive")

    def users(self) -> list[Json]:
        """Every account."""
        found: list[Json] = self._ask("GET", "/v1/users")["users"]
        return found

    def add_user(self, name: str, password: str, role: str) -> Json:
        """Make an account."""
        return self._ask("POST", "/v1/users", json={"name": name, "password": password, "role": role})

    def change_user(self, name: str, **changes: str) -> Json:
        """Give an account another `role` or `password`."""
        return self._ask("PATCH", f"/v1/users/{quote(name, safe='')}", json=changes)

    def remove_user(self, name: str) -> None:
        """Remove an account."""
        self._answer("DELETE", f"/v1/users/{quote(name, safe='')}")

    def datasets(self) -> list[Json]:
        """Every data set, the newest first."""
        found: list[Json] = self._ask("GET", "/v1/datasets")["datasets"]
        return found

    def dataset(self, name: str) -> Json:
        """The card of one data set."""
        return self._ask("GET", f"/v1/datasets/{name}")

    def dataset_images(self, name: str, split: str | None) -> Iterator[bytes]:
        """A zip of a data set's images, or of one split's, in folders that are called as the classes."""
        return self._stream(f"/v1/datasets/{name}/images", {"split": split} if split else {})

    def freeze_files(self, files: Sequence[File], wanted: Mapping[str, str]) -> Json:
        """Freeze a data set from labelled files. However often this has to try, it is one data set."""
        boundary = secrets.token_hex(16)

        def body() -> MultipartBody:
            return MultipartBody(files, wanted, boundary=boundary)

        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._ask("POST", "/v1/datasets", body, headers=headers, answer_s=ACCEPT_S)

    def freeze_labels(self, wanted: Mapping[str, Any]) -> Json:
        """Freeze a data set from the labels on record."""
        asked = {**wanted, "from": "labels"}
        return self._ask("POST", "/v1/datasets", json=asked, answer_s=ACCEPT_S)

    def nights(self, limit: int) -> list[Json]:
        """The latest nights."""
        found: list[Json] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self._ask("GET", "/v1/nights", params={"limit": min(limit, 200), "cursor": cursor})
            found += page["nights"]
            cursor = page["next"]
            if cursor is None:
                break
        return found[:limit]

    def night(self, night: str) -> Json:
        """The ledger of a night, and in `missing` every id of which something did not come."""
        shown = self._ask("GET", f"/v1/nights/{night}", params={"limit": PAGE})
        page = shown
        while page["next"] is not None:
            page = self._ask("GET", f"/v1/nights/{night}", params={"limit": PAGE, "cursor": page["next"]})
            shown["missing"] += page["missing"]
        return {**shown["ledger"], "missing_ids": shown["missing"]}

    def ingest_files(self, night: str, files: Sequence[File]) -> Json:
        """Ingest files of a night; again changes nothing."""
        boundary = secrets.token_hex(16)

        def body() -> MultipartBody:
            return MultipartBody(files, {}, boundary=boundary)

        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._ask("POST", f"/v1/nights/{night}", body, headers=headers, answer_s=ACCEPT_S)

    def ingest_prefix(self, night: str, prefix: str) -> Json:
        """Ingest what lies in a bucket, or in a folder of the service's host."""
        return self._ask("POST", f"/v1/nights/{night}", json={"prefix": prefix}, answer_s=ACCEPT_S)

    def begin_import(self, name: str) -> Json:
        """Begin an import, or go on with one that was broken off; tells where."""
        return self._ask("POST", f"/v1/imports/{name}")

    def import_state(self, name: str) -> Json:
        """How far an import is, and what could not be taken."""
        return self._ask("GET", f"/v1/imports/{name}")

    def import_documents(self, name: str, page: bytes) -> Json:
        """Hand in a page of documents, as JSON; again changes nothing."""
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", f"/v1/imports/{name}/documents", content=page, headers=headers)

    def _submit(
        self,
        body: Callable[[], MultipartBody] | None,
        headers: Mapping[str, str],
        *,
        path: str = "/v1/jobs/score",
        **more: Any,
    ) -> Json:
        headers = {**headers, "Idempotency-Key": str(uuid.uuid4())}
        return self._ask("POST", path, body, headers=headers, answer_s=ACCEPT_S, **more)

    def _stream(self, path: str, params: Mapping[str, str]) -> Iterator[bytes]:
        with self._answer("GET", path, params=params, stream=True, answer_s=STREAM_S) as answer:
            try:
                yield from answer.iter_content(STREAM_BYTES)
            except requests.RequestException as error:
                raise errors.Unavailable(
                    f"the answer of {self.url} broke off ({type(error).__name__}); expected all of it"
                ) from error

    def _ask(
        self, method: str, path: str, body: Callable[[], MultipartBody] | None = None, **options: Any
    ) -> Json:
        """Ask as `_answer` does, for JSON."""
        answer: Json = self._answer(method, path, body, **options).json()
        return answer

    def _answer(
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


def _changes(
    before: str, after: str, job: str | None, text: str, threshold: float | None
) -> tuple[str, dict[str, str]]:
    """Where changes are, and with which parameters."""
    params = {"before": before, "after": after}
    params |= {} if threshold is None else {"threshold": str(threshold)}
    if job is not None:
        return f"/v1/jobs/{job}/changes", params
    return "/v1/cutouts/changes", params | {"filter": text}


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
