"""A step of the guide is ticked off when it was seen, in order, and never before."""

from demo.network import Condition
from demo.stage.guide import ACTS, Guide
from demo.stage.scene import Scene, scene
from frontdesk import AppState, DeskStatus, Hold, Notification
from tests.demo.stage.desks import APP, NOW, status

MESSAGE = (Notification("room", "Left", "hello"),)


def left(found: DeskStatus | None = None, *, window: bool = True, network: Condition = Condition.GOOD) -> Scene:
    return scene("Left", window, network, found or status(AppState.FOREGROUND), APP)


def right(found: DeskStatus | None, *, window: bool = False) -> Scene:
    return scene("Right", window, Condition.GOOD, found, APP)


def test_nothing_is_ticked_when_nothing_was_done() -> None:
    guide = Guide()
    guide.saw(left(), right(status(AppState.FOREGROUND), window=True))
    assert guide.done == [0, 0, 0, 0]


def test_being_reached_while_closed() -> None:
    guide = Guide()
    for seen in (
        right(status(AppState.BACKGROUND)),
        right(status(AppState.SUSPENDED)),
        right(status(AppState.SUSPENDED, shown=MESSAGE)),
        right(status(AppState.FOREGROUND), window=True),
    ):
        guide.saw(left(), seen)
    assert guide.done[0] == len(ACTS[0].steps)


def test_a_notification_before_the_window_was_closed_does_not_count() -> None:
    guide = Guide()
    guide.saw(left(), right(status(AppState.FOREGROUND, shown=MESSAGE), window=True))
    assert guide.done[0] == 0


def test_sending_and_walking_away() -> None:
    guide = Guide()
    there = right(status(AppState.FOREGROUND), window=True)
    guide.saw(left(network=Condition.SLOW), there)
    busy = status(AppState.BACKGROUND, holds=(Hold("task", "send", NOW),))
    guide.saw(left(busy, window=False, network=Condition.SLOW), there)
    assert guide.done[1] == 2
    guide.saw(left(status(AppState.SUSPENDED), window=False, network=Condition.SLOW), there)
    assert guide.done[1] == 3


def test_the_desk_may_die() -> None:
    guide = Guide()
    guide.saw(left(), right(status(AppState.SUSPENDED)))
    guide.saw(left(), right(None))
    assert guide.done[3] == 2
    guide.saw(left(), right(status(AppState.SUSPENDED, shown=MESSAGE)))
    assert guide.done[3] == 3
