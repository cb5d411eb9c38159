"""Answers that are read from the record as they are sent."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping

from fastapi.responses import StreamingResponse

from api.turns import Turns


async def streamed(
    turns: Turns,
    chunks: Callable[[], Iterator[bytes]],
    *,
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """An answer whose first bytes are there, so that what fails before them is told by a problem."""

    def begun() -> tuple[bytes, Iterator[bytes]]:
        rest = chunks()
        return next(rest, b""), rest

    first, rest = await turns.run(begun)

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for chunk in turns.each(rest):
            yield chunk

    return StreamingResponse(content(), media_type=media_type, headers=headers)
