"""A server that speaks Kowalski's API, its catalogues real collections; it fails as it is told to."""

import gzip
import json
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

import numpy as np
from bson import json_util
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bench.loopback_server import web_server_of
from tests.fits_files import fits_file, noise

ACCOUNT = {"user": "penguin", "password": "pw-of-a-penguin"}
CATALOG = "ZTF_alerts"
PID = 1002143260115
"""Of 2019-09-30."""

NIGHT = "20190930"
_JD = 2457754.5 + 1002.14326
_HEADER_BYTES = 2880
_FILE = fits_file(noise(1, height=20, width=20))
Document = dict[str, Any]
Fault = Callable[["_Handler", bytes], None]
"""Answers a `find` otherwise than with this body."""


def candid(n: int) -> int:
    """The n-th candidate's."""
    return PID * 10**6 + 15_000 + n


def streak(n: int) -> str:
    """The id that the n-th candidate gets."""
    return f"strkid{candid(n)}_pid{PID}"


def stamp(n: int) -> bytes:
    """A gzipped FITS image of noise, another one for each number."""
    pixels = np.random.default_rng(n).normal(0, 7, (20, 20)).astype(">f4").tobytes()
    body = pixels.ljust(len(_FILE) - _HEADER_BYTES, b"\0")
    return gzip.compress(_FILE[:_HEADER_BYTES] + body, 1, mtime=0)


def alert(n: int, **changes: Any) -> Document:
    """The n-th candidate's document, as the survey's alerts are."""
    ra, dec = 10 + n * 0.001, -5.0
    return {
        "_id": n,
        "candid": candid(n),
        "objectId": f"ZTF19{n:06}",
        "candidate": {
            "jd": _JD,
            "fid": 2,
            "pid": PID,
            "diffmaglim": 20.5,
            "programid": 1,
            "ra": ra,
            "dec": dec,
        }
        | {
            "programpi": "Kulkarni",
            "pdiffimfilename": "ztf_20190930143264_000577_zr_c01_o_q1_scimrefdiffimg.fits",
        },
        "coordinates": {"radec_geojson": {"type": "Point", "coordinates": [ra - 180, dec]}},
        "cutoutDifference": {"fileName": f"candid{candid(n)}.fits.gz", "stampData": stamp(n)},
    } | changes


def status(code: int) -> Fault:
    """Answer with a status, as a gateway does: no JSON."""
    return lambda handler, _: handler.answer(code, b"<html>try again</html>")


def broken_off(handler: "_Handler", body: bytes) -> None:
    """Half of the body, then an end."""
    handler.answer(200, body[: len(body) // 2], length=len(body))


def cut(handler: "_Handler", body: bytes) -> None:
    """Half of the body, as if it were all."""
    handler.answer(200, body[: len(body) // 2])


class KowalskiServer:
    """Serves on loopback from entering to leaving.

    `finds` are the queries asked for so far, `faults` what comes instead of the answers to the next ones,
    `classifications` what was written, by candid. `most` caps what one query gives; `pause_s` is before each.
    """

    def __init__(self, database: "Database[Document]") -> None:
        self.database = database
        self.finds: list[Document] = []
        self.faults: deque[Fault] = deque()
        self.classifications: dict[str, Document] = {}
        self.logins = 0
        self.most = 10**6
        self.pause_s = 0.0
        self._tokens: set[str] = set()

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"kowalski": self})
        self._serving = web_server_of(handler)
        self.url = self._serving.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.__exit__(kind, error, trace)

    def expire(self) -> None:
        """End all tokens."""
        self._tokens.clear()

    def log_in(self, asked: Document) -> tuple[int, Document]:
        """`POST /api/auth`."""
        if (asked.get("username"), asked.get("password")) != (ACCOUNT["user"], ACCOUNT["password"]):
            return 400, {"status": "error", "message": "wrong username or password"}
        self.logins += 1
        self._tokens.add(token := f"token-{self.logins}")
        return 200, {"status": "success", "token": token}

    def knows(self, token: str | None) -> bool:
        """Whether a token is good."""
        return str(token).removeprefix("Bearer ") in self._tokens

    def query(self, asked: Document) -> tuple[int, Document]:
        """`POST /api/queries`."""
        query, kwargs = asked["query"], asked.get("kwargs", {})
        if asked["query_type"] == "info":
            return 200, {"status": "success", "data": self.database.list_collection_names()}
        self.finds.append(asked)
        time.sleep(self.pause_s)
        try:
            found = self.database[query["catalog"]].find(query["filter"], query["projection"])
            order = [(key, way) for key, way in kwargs.get("sort", [["_id", 1]])]
            documents = list(found.sort(order).limit(min(kwargs["limit"], self.most)))
        except PyMongoError as error:
            return 400, {"status": "error", "message": f"{type(error).__name__}: {error}"}
        return 200, {"status": "success", "message": "Successfully executed query", "data": documents}

    def classify(self, asked: Document) -> tuple[int, Document]:
        """`PUT /api/classifications/ztf`, where each candidate gets the last one's scores."""
        last = list(asked.values())[-1]["ml_scores"]
        for key in asked:
            self.classifications.setdefault(key, {}).update(last)
        return 200, {"status": "success", "message": "added classifications for ztf alerts"}


class _Handler(BaseHTTPRequestHandler):
    kowalski: KowalskiServer

    def do_GET(self) -> None:
        self.answer(200, b'{"status": "success", "message": "greetings"}')

    def do_PUT(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kowalski = self.kowalski
        if self.path == "/api/auth":
            self._tell(*kowalski.log_in(asked))
        elif not kowalski.knows(self.headers["Authorization"]):
            self._tell(400, {"status": "error", "message": "token has expired"})
        elif self.path == "/api/classifications/ztf":
            self._tell(*kowalski.classify(asked))
        else:
            self._tell(*kowalski.query(asked), may_fail=asked["query_type"] != "info")

    def answer(self, code: int, body: bytes, *, length: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _tell(self, code: int, told: Document, *, may_fail: bool = False) -> None:
        body = json_util.dumps(told).encode()
        if may_fail and self.kowalski.faults:
            self.kowalski.faults.popleft()(self, body)
        else:
            self.answer(code, body)
