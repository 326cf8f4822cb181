"""A step of the guide is ticked off when it was seen, in order, for what happened in its act, and never before."""

import dataclasses

import pytest

from demo.network import Condition
from demo.stage.guide import ACTS, Guide
from demo.stage.scene import Scene, scene
from frontdesk import AppState, DeskStatus, Happening, Hold, Notification
from tests.demo.stage.desks import APP, NOW, status

MESSAGE = (Notification("room", "Left", "hello"),)
UNSENT = (Notification("unsent:room", "Message not sent, please resend"),)
SENDING = (Hold("task", "send to Right", NOW),)
SEEN = status(AppState.FOREGROUND)
ASLEEP = status(AppState.SUSPENDED)
TOLD = status(AppState.SUSPENDED, shown=MESSAGE)


def left(found: DeskStatus = SEEN, *, window: bool = True, network: Condition = Condition.GOOD) -> Scene:
    return scene("Left", window, network, found, APP)


def right(found: DeskStatus | None = SEEN, *, window: bool = True, asked: int = 0) -> Scene:
    return scene("Right", window, Condition.GOOD, found, APP, asked)


def noted(*whats: str) -> tuple[Happening, ...]:
    return tuple(Happening(NOW + at, APP, what, f"{what}: send to Right") for at, what in enumerate(whats))


def after(*looks: tuple[Scene, Scene]) -> list[int]:
    """What is done after these looks; each lasts a while, that is, is looked at more than once."""
    guide = Guide()
    for look in looks:
        for _ in range(3):
            guide.saw(*look)
    return guide.done


def test_nothing_is_ticked_when_nothing_was_done() -> None:
    assert after((left(), right())) == [0, 0, 0, 0]


REACHED = [
    (left(), right()),
    (left(), right(status(AppState.BACKGROUND), window=False)),
    (left(), right(ASLEEP, window=False)),
    (left(), right(TOLD, window=False)),
]


def test_being_reached_while_closed_ticks_its_own_act_only() -> None:
    assert after(*REACHED, (left(), right(window=True, asked=1))) == [len(ACTS[0].steps), 0, 0, 0]


def test_opening_the_window_by_its_switch_is_no_click_on_the_notification() -> None:
    assert after(*REACHED, (left(), right(window=True)))[0] == 3


def test_a_notification_from_before_the_window_was_closed_does_not_count() -> None:
    assert after((left(), right(status(shown=MESSAGE))), (left(), right(TOLD, window=False)))[0] == 2


def test_a_lobby_that_was_quit_did_not_fall_asleep() -> None:
    assert after((left(), right(status(AppState.STOPPED, quit=True), window=False)))[0] == 1


def slow(found: DeskStatus, *, window: bool = False) -> tuple[Scene, Scene]:
    return left(found, window=window, network=Condition.SLOW), right()


def test_sending_and_walking_away() -> None:
    busy = status(AppState.BACKGROUND, holds=SENDING, happenings=noted("task_begun"))
    out = status(AppState.SUSPENDED, happenings=noted("task_begun", "task_ended"))
    assert after((left(), right()), slow(SEEN, window=True), slow(busy), slow(out)) == [0, 3, 0, 0]


@pytest.mark.parametrize("holds", [(), (Hold("settling", "", NOW),), (Hold("task", "search index", NOW),)])
def test_closing_the_window_without_sending_does_not_count(holds: tuple[Hold, ...]) -> None:
    assert after(slow(SEEN, window=True), slow(status(AppState.BACKGROUND, holds=holds)), slow(ASLEEP))[1] == 1


def test_a_message_that_did_not_get_out_is_not_out() -> None:
    busy = status(AppState.BACKGROUND, holds=SENDING, happenings=noted("task_begun"))
    given_up = status(AppState.SUSPENDED, shown=UNSENT, happenings=noted("task_begun", "task_ended"))
    assert after(slow(SEEN, window=True), slow(busy), slow(given_up))[1] == 2


def off(found: DeskStatus, *, window: bool = False) -> tuple[Scene, Scene]:
    return left(found, window=window, network=Condition.OFF), right()


GIVEN_UP = status(AppState.SUSPENDED, shown=UNSENT, happenings=noted("task_begun", "task_ended"))
LOST = [(left(), right()), off(SEEN, window=True), off(GIVEN_UP)]


def test_the_last_step_without_a_network_is_resend_and_nothing_less() -> None:
    opened = status(AppState.FOREGROUND, shown=UNSENT, happenings=noted("task_begun", "task_ended"))
    resent = status(AppState.FOREGROUND, happenings=noted("task_begun", "task_ended", "task_begun"))
    assert after(*LOST) == [0, 0, 2, 0]
    assert after(*LOST, (left(opened), right())) == [0, 0, 2, 0]
    assert after(*LOST, (left(opened), right()), (left(resent), right())) == [0, 0, 3, 0]


def test_an_old_notification_is_not_taken_for_an_unsent_message() -> None:
    old = status(AppState.FOREGROUND, shown=UNSENT)
    assert after((left(old), right()), off(old, window=True), off(status(shown=UNSENT)))[2] == 1
    assert after((left(), right()), off(SEEN, window=True), off(TOLD))[2] == 1


def test_the_desk_may_die() -> None:
    killed = [(left(), right(ASLEEP, window=False)), (left(), right(None, window=False))]
    assert after(*killed)[3] == 1
    assert after(*killed, (left(), right(ASLEEP, window=False)))[3] == 2
    assert after(*killed, (left(), right(ASLEEP, window=False)), (left(), right(TOLD, window=False)))[3] == 3


def test_a_message_from_before_the_desk_died_does_not_count() -> None:
    there = (left(), right(TOLD, window=False))
    assert after(there, (left(), right(None, window=False)), there)[3] == 2
    newer = dataclasses.replace(there[1], shown=tuple(right(status(shown=MESSAGE * 2)).shown[:1]))
    assert after(there, (left(), right(None, window=False)), there, (left(), newer))[3] == 3


def test_a_desk_that_dies_while_the_window_is_open_is_another_story() -> None:
    assert after((left(), right()), (left(), right(None)))[3] == 0
