"""Blobs by their sha256, for workers on hosts that share no disk with it: read and put, never removed."""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.services import BlobUser, ServicesOf
from core.errors import InvalidRequest, NotFound
from storage.record import Record

_RANGE = re.compile(r"^bytes=(\d{1,15})-(\d{1,15})$")  # others are answered with all bytes, which HTTP allows
router = APIRouter(prefix="/v1/blobs", tags=["blobs"])
AT_ONCE = 2**20
CHUNK = 2**18
LONGEST_RANGE = 2**26
BYTES = "application/octet-stream"
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="64 lower-case hex digits")]


@router.get("/{sha256}", response_class=Response)
def read(
    sha256: Sha256, services: ServicesOf, _: BlobUser, wanted: Annotated[str, Header(alias="Range")] = ""
) -> Response:
    """The bytes, or one range of them, which the reader is to check; 404 where there are none."""
    file, size = services.record.blobs.open(sha256)
    found = _RANGE.match(wanted)
    if found:
        with file:
            return _part(file, size, int(found[1]), int(found[2]))
    if size > AT_ONCE:
        return StreamingResponse(_parts(file), media_type=BYTES, headers={"Content-Length": str(size)})
    with file:
        return Response(file.read(), media_type=BYTES)


@router.head("/{sha256}", response_class=Response)
def look(sha256: Sha256, services: ServicesOf, _: BlobUser) -> Response:
    """Whether they are there."""
    if sha256 not in services.record.blobs:
        raise NotFound(f"blob {sha256} is not in the store")
    return Response()


@router.put("/{sha256}", status_code=204)
async def write(sha256: Sha256, request: Request, services: ServicesOf, _: BlobUser) -> None:
    """Store bytes, in parts; they are safe from a power cut when the answer comes. Again changes nothing."""
    folder = services.spool_dir
    # A busy disk lets it wait, and all others must not.
    with await run_in_threadpool(lambda: tempfile.NamedTemporaryFile(dir=folder)) as file:
        digest = hashlib.sha256()
        try:
            async for chunk in request.stream():
                file.write(chunk)  # into the page cache: not worth a thread per chunk
                digest.update(chunk)
        except ClientDisconnect as error:
            raise InvalidRequest("the body ended early") from error
        file.flush()
        if digest.hexdigest() != sha256:
            raise InvalidRequest(f"bytes with the sha256 {digest.hexdigest()} came; expected {sha256}")
        await run_in_threadpool(_store, services.record, sha256, FilePath(file.name))


def _store(record: Record, sha256: str, file: FilePath) -> None:
    if sha256 not in record.blobs:
        record.blobs.put_file(file)


def _part(file: BinaryIO, size: int, first: int, last: int) -> Response:
    """Bytes `first` to `last`, both included; what is longer than a range may be ends early."""
    if first >= size or last < first:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    file.seek(first)
    data = file.read(min(last, size - 1, first + LONGEST_RANGE - 1) - first + 1)
    told = f"bytes {first}-{first + len(data) - 1}/{size}"
    return Response(data, status_code=206, media_type=BYTES, headers={"Content-Range": told})


def _parts(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(CHUNK):
            yield part
