"""Questions that come together: each answered by a look that began after it, and nobody left waiting.

The questions are asked in a loop of another thread: a browser of another test may hold this thread's loop.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest
from anyio.from_thread import start_blocking_portal

from api.together import EVERY_S, LOOKS_AT_ONCE, Together


def test_those_who_ask_at_once_share_looks_and_each_has_its_own_answer() -> None:
    looks: list[Sequence[int]] = []

    def look(keys: Sequence[int]) -> Mapping[int, int | Exception]:
        looks.append(keys)
        return {key: LookupError(key) if key == 13 else key * key for key in keys}

    async def ask() -> list[int | BaseException]:
        together = Together[int, int](look)
        return await asyncio.gather(*(together.ask(n % 50) for n in range(1000)), return_exceptions=True)

    with start_blocking_portal() as elsewhere:
        found = elsewhere.call(ask)
    for n, answer in enumerate(found):
        assert isinstance(answer, LookupError) if n % 50 == 13 else answer == (n % 50) ** 2
    assert len(looks) <= LOOKS_AT_ONCE
    assert sorted(key for keys in looks for key in keys) == list(range(50))


@pytest.mark.parametrize("fault", ["raises", "leaves one out"])
def test_whatever_a_look_does_wrong_everybody_is_answered(fault: str) -> None:
    def look(keys: Sequence[int]) -> Mapping[int, int | Exception]:
        if fault == "raises":
            raise OSError("no record")
        return dict.fromkeys(keys[1:], 0)

    async def ask() -> list[int | BaseException]:
        together = Together[int, int](look)
        asked = (together.ask(n) for n in range(5))
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)

    with start_blocking_portal() as elsewhere:
        assert all(isinstance(answer, OSError | KeyError) for answer in elsewhere.call(ask))


def test_who_asks_during_a_look_is_answered_by_a_later_one() -> None:
    on_record = {"a": 1}

    async def ask() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        looking, go_on = asyncio.Event(), asyncio.Event()

        def look(keys: Sequence[str]) -> Mapping[str, int | Exception]:
            found = {key: on_record[key] for key in keys}
            loop.call_soon_threadsafe(looking.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
            return found

        together = Together[str, int](look)
        first = asyncio.create_task(together.ask("a"))
        await looking.wait()
        on_record["a"] = 2
        second = asyncio.create_task(together.ask("a"))
        await asyncio.sleep(0)
        go_on.set()
        return await first, await second

    with start_blocking_portal() as elsewhere:
        assert elsewhere.call(ask) == (1, 2)


def test_who_asks_alone_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.together.EVERY_S", 3600.0)

    async def ask() -> list[int]:
        together = Together[int, int](lambda keys: dict.fromkeys(keys, 7))
        return [await asyncio.wait_for(together.ask(1), 20) for _ in range(5)]

    with start_blocking_portal() as elsewhere:
        assert elsewhere.call(ask) == [7] * 5


def test_who_asks_after_several_waits_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.together.EVERY_S", 3600.0)

    async def ask() -> list[int]:
        together = Together[int, int](lambda keys: dict.fromkeys(keys, 7))
        found = await asyncio.wait_for(asyncio.gather(together.ask(1), together.ask(1)), 20)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(together.ask(1), 0.2)
        return list(found)

    with start_blocking_portal() as elsewhere:
        assert elsewhere.call(ask) == [7, 7]


def test_however_many_come_looks_begin_at_a_distance() -> None:
    began: list[float] = []

    def look(keys: Sequence[int]) -> Mapping[int, int | Exception]:
        began.append(time.monotonic())
        return dict.fromkeys(keys, 0)

    async def ask() -> float:
        together = Together[int, int](look)
        start = time.monotonic()
        for _ in range(20):
            await asyncio.gather(*(together.ask(n) for n in range(5)))
        return time.monotonic() - start

    with start_blocking_portal() as elsewhere:
        took_s = elsewhere.call(ask)
    assert len(began) - 1 <= took_s / EVERY_S
