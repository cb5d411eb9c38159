"""A request's body on disk, so that slow and large uploads cost no memory and no thread."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from core.errors import InvalidRequest


@asynccontextmanager
async def spooled(request: Request, folder: Path) -> AsyncIterator[BinaryIO]:
    """The body as an unnamed file, from the beginning; gone when the block ends.

    Raises InvalidRequest for a body that ends before its stated length.
    """
    with await run_in_threadpool(lambda: tempfile.TemporaryFile(dir=folder)) as file:  # a disk may be busy
        try:
            async for chunk in request.stream():
                file.write(chunk)  # into the page cache: not worth a thread per chunk
        except ClientDisconnect as error:
            raise InvalidRequest("the body ended early") from error
        file.seek(0)
        yield cast(BinaryIO, file)
