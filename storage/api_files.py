"""The blobs of a service as files behind its API, for hosts that share no disk with it."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, cast

import urllib3
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from core.errors import Misconfigured, NotInvited

CONNECTIONS = 16  # threads that read at once
CHUNK = 2**20
BUSY = (502, 503, 504)


class ApiFiles:
    """What `BlobStore` asks of a file system, by HTTPS; may be used from many threads.

    What is refused raises OSError (FileNotFoundError for what is not there), a token that is over or was
    withdrawn NotInvited. Every call may be repeated and is, a few times, where no answer comes.
    """

    protocol = ("https",)

    def __init__(self, url: str, *, token: str, authority: Path | None) -> None:
        if authority is not None and not authority.is_file():
            raise Misconfigured(f"DA_TLS_AUTHORITY names {authority}, which is no file")
        self._url = url.rstrip("/")
        retries = Retry(
            total=4,
            redirect=0,
            backoff_factor=0.3,
            status_forcelist=BUSY,
            allowed_methods=None,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            block=True,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(authority) if authority else None,
            headers={"Authorization": f"Bearer {token}"},
            timeout=Timeout(connect=5.0, read=30.0),
            retries=retries,
        )

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        try:
            self._ask("HEAD", path)
        except FileNotFoundError:
            return False
        return True

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """The bytes, or those from `start` to `end`, fewer where there are fewer."""
        if start is None or end is None:
            return self._ask("GET", path).data
        answer = self._ask("GET", path, headers={"Range": f"bytes={start}-{end - 1}"}, allowed=416)
        if answer.status == 416:  # it ends before
            return b""
        return answer.data if answer.status == 206 else answer.data[start:end]

    def get_file(self, path: str, local: str) -> None:
        """Write the bytes to a file, in parts; raises OSError where they break off."""
        answer = self._ask("GET", path, preload_content=False)
        with closing(answer), Path(local).open("wb") as file:
            try:
                shutil.copyfileobj(cast(BinaryIO, answer), file, CHUNK)
            except HTTPError as error:
                raise OSError(f"the answer of {self._url} broke off: {type(error).__name__}") from error

    def pipe_file(self, path: str, data: bytes) -> None:
        """Store bytes."""
        self._ask("PUT", path, body=data)

    def put_file(self, local: str, path: str) -> None:
        """Store a file's bytes, in parts."""
        size = Path(local).stat().st_size
        with Path(local).open("rb") as file:
            self._ask("PUT", path, body=file, headers={"Content-Length": str(size)})

    def rm_file(self, path: str) -> None:
        """Raises PermissionError: what others may rely on is removed where the service runs."""
        raise PermissionError(f"{self._url} lets no host remove {path.rpartition('/')[2]}")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        allowed: int | None = None,
        **options: Any,
    ) -> BaseHTTPResponse:
        sha256 = path.rpartition("/")[2]
        every = {**self._pool.headers, **(headers or {})}
        try:
            answer = self._pool.request(method, f"{self._url}/{sha256}", headers=every, **options)
        except HTTPError as error:
            cause = getattr(error, "reason", None)
            if isinstance(cause, SSLError):
                raise OSError(f"{self._url} is not who it should be: {cause}") from error
            raise OSError(f"{self._url} does not answer: {type(cause or error).__name__}") from error
        if answer.status < 300 or answer.status == allowed:
            return answer
        said = answer.data[:300].decode("utf-8", "replace")
        if answer.status == 404:
            raise FileNotFoundError(sha256)
        if answer.status == 401:
            raise NotInvited(
                f"{self._url} does not know this host's token: the invitation was withdrawn or is over"
            )
        raise OSError(f"{self._url} refuses {method} with {answer.status}: {said}")
