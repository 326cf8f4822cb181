"""The event loop's clock in a test's hand: order, rest, threads, and nothing left of it afterwards."""

import asyncio
import functools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.testing.hand_clock import HandClock, StillBusy
from frontdesk.testing.process import Process, follow_tasks

EIGHTHS = st.integers(min_value=0, max_value=1_000_000).map(lambda eighths: eighths / 8)
"""Seconds; sums with them keep their order."""


@given(st.lists(EIGHTHS, min_size=1, max_size=20), EIGHTHS)
def test_every_timer_runs_in_order_at_its_own_moment_and_none_too_early(delays: list[float], until: float) -> None:
    async def run() -> None:
        clock = HandClock(5.0)
        clock.take()
        loop = asyncio.get_running_loop()
        began, ran = clock.time(), []

        async def sleeper(delay: float) -> None:
            await asyncio.sleep(delay)
            ran.append((delay, loop.time()))

        sleeping = [asyncio.create_task(sleeper(delay)) for delay in delays]
        try:
            await clock.move_to(began + until)
            assert [delay for delay, _ in ran] == sorted(delay for delay in delays if began + delay <= began + until)
            assert all(at == pytest.approx(began + delay) for delay, at in ran)
            assert loop.time() == began + until
        finally:
            clock.give_back()
            for each in sleeping:
                each.cancel()
            await asyncio.gather(*sleeping, return_exceptions=True)

    asyncio.run(run())


async def test_rest_is_when_every_chain_of_callbacks_has_come_to_its_end() -> None:
    clock = HandClock(5.0)
    clock.take()
    done = []

    async def link(left: int) -> None:
        if left:
            await asyncio.create_task(link(left - 1))
        done.append(left)

    try:
        chain = asyncio.create_task(link(50))
        await clock.rest()
        assert len(done) == 51 and chain.done()
    finally:
        clock.give_back()


async def test_timers_that_were_cancelled_are_not_moved_to() -> None:
    clock = HandClock(5.0)
    clock.take()
    try:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(after, lambda: None) for after in (1.0, 2.0, 3.0)]
        timers[0].cancel()
        assert clock.next_timer() == timers[1].when()
        await clock.move_to_timer()
        assert clock.next_timer() == timers[2].when()
        timers[2].cancel()
        assert clock.next_timer() is None
    finally:
        clock.give_back()


async def test_a_thread_that_never_ends_is_not_waited_for_for_ever() -> None:
    clock, over = HandClock(0.1), threading.Event()
    clock.take()
    try:
        late = asyncio.create_task(asyncio.to_thread(over.wait))
        with pytest.raises(StillBusy, match="thread"):
            await clock.rest()
    finally:
        over.set()
        clock.give_back()
    await late


def test_another_event_loop_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: object())
    with pytest.raises(TypeError, match="SelectorEventLoop"):
        HandClock(1.0)


# --- processes --------------------------------------------------------------------------------------------------------


class Ends:
    def __init__(self) -> None:
        self.all: list[tuple[int, int]] = []

    def __call__(self, process: Process, status: int) -> None:
        self.all.append((process.pid, status))


async def test_a_frozen_run_executes_nothing_and_loses_nothing() -> None:
    end, ends, steps = follow_tasks(), Ends(), []
    process = Process("org.example.app", 1, "token", ends)
    news: asyncio.Queue[str] = asyncio.Queue()

    async def main() -> None:
        async def child() -> None:
            while True:
                steps.append(await news.get())

        listening = asyncio.create_task(child())
        try:
            async with asyncio.timeout(0.05):
                await asyncio.Event().wait()
        except TimeoutError:
            steps.append("timed out")
        listening.cancel()

    clock = HandClock(5.0)
    clock.take()
    try:
        process.start(main)
        await clock.rest()
        process.freeze()
        news.put_nowait("first")
        await clock.move_to(clock.time() + 0.1)
        news.put_nowait("second")
        await clock.rest()
        assert steps == []
        process.thaw()
        await process.gone()
    finally:
        clock.give_back()
    assert steps == ["first", "second", "timed out"] or steps == ["timed out", "first", "second"]
    assert ends.all == [(1, 0)]
    end()


async def test_a_killed_run_ends_whatever_it_was_doing_frozen_or_not() -> None:
    end, ends = follow_tasks(), Ends()
    for frozen in (False, True):
        process = Process("org.example.app", 2, "token", ends)
        closed: list[str] = []
        process.at_end.append(functools.partial(closed.append, "closed"))

        async def main() -> None:
            left = asyncio.create_task(asyncio.Event().wait())
            await asyncio.gather(left, asyncio.Event().wait())

        process.start(main)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if frozen:
            process.freeze()
        process.kill()
        await process.gone()
        assert process.over and not process.tasks and closed == ["closed"]
    assert ends.all == [(2, -9), (2, -9)]
    end()


@pytest.mark.parametrize(
    ("value", "status"), [(None, 0), (3, 3), (SystemExit(4), 4), (SystemExit("why"), 1), (KeyError(), 1)]
)
async def test_the_exit_status_is_what_python_would_give(value: object, status: int) -> None:
    end, ends = follow_tasks(), Ends()
    process = Process("org.example.app", 3, "token", ends)

    async def main() -> object:
        if isinstance(value, BaseException):
            raise value
        return value

    process.start(main)
    await process.gone()
    assert ends.all == [(3, status)]
    end()
