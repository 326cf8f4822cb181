"""The board behind the stage: which address opens a window, however late somebody looks at the stage."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.doorbell import ring
from demo.errors import DemoError
from demo.machine import Machine
from demo.stage.board import Machines
from tests.desks import DeskHome

AT_THE_START = "http://left.demo.localhost:1/enter?code=first&chat=%21room"
FRESH = "http://left.demo.localhost:1/enter?code=fresh"


class MachineAtHand(Machine):
    """A machine that is not started: only its doorbell is real, and what `lobby address` would print is known."""

    async def page_address(self) -> str:
        return FRESH


class HandClock:
    """Seconds since 1970, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    left, right = (MachineAtHand(person, folder / person, "http://demo.localhost:1") for person in ("Left", "Right"))
    left.doorbell.open()
    right.doorbell.open()
    yield left, right
    left.doorbell.close()
    right.doorbell.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("late", "opens"), [(5.0, AT_THE_START), (90.0, f"{FRESH}&chat=%21room"), (3600.0, f"{FRESH}&chat=%21room")]
)
async def test_a_visitor_who_comes_late_gets_an_address_that_opens(
    machines: tuple[Machine, Machine], late: float, opens: str
) -> None:
    clock = HandClock()
    board = Machines(*machines, clock=clock)
    watching = asyncio.create_task(board.watch())
    try:
        assert ring(str(machines[0].folder / "run" / "window.sock"), AT_THE_START) == 0
        async with asyncio.timeout(20):
            async for _ in board.changes():
                if board.scenes()[0].asked:
                    break
        clock.now += late
        assert await board.window_address("left") == opens
        assert await board.window_address("left") == FRESH, "an address opens a window once"
    finally:
        watching.cancel()


async def test_what_the_visitor_does_to_a_network_is_noted_once(machines: tuple[Machine, Machine]) -> None:
    board = Machines(*machines, clock=HandClock())
    for condition in ("off", "off", "good"):
        await board.switch("left", "network", condition, "", "")
    left, right = board.scenes()
    assert [line.name for line in left.strip.noted] == ["Network off", "Network good"]
    assert len({line.number for line in left.strip.noted}) == 2 and right.strip.noted == ()


@pytest.mark.contract("S17")
async def test_what_a_switch_simulates_is_in_force_at_the_desk_until_it_is_switched_back(home: DeskHome) -> None:
    await home.start()
    board = Machines(Machine("Left", home.home, ""), Machine("Right", home.home / "right", ""))

    async def forced() -> dict[str, str]:
        return {one.condition: one.value for one in (await home.status()).conditions if one.forced}

    for what, value, expected in (
        ("power", "battery", {"power": "battery"}),
        ("kind", "metered", {"power": "battery", "metered": "yes"}),
        ("kind", "offline", {"power": "battery", "network": "offline"}),
        ("power", "real", {"network": "offline"}),
    ):
        await board.switch("left", what, value, "", "")
        assert await forced() == expected
    with pytest.raises(DemoError, match="no switch"):
        await board.switch("left", "power", "nuclear", "", "")
