"""What the desk remembers of the last minutes; that spans never overlap the driver checks after every batch."""

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.history import KEPT, MACHINE, MOST_HAPPENINGS, MOST_OF_ONE_APP, ROW, History
from frontdesk.terms import AppState, AppStatus, Happening, Hold, Notification, Span, Verdict
from tests.frontdesk.agent.core.core_driver import MAIL, NOTES, T0, Driver, asleep, in_front

S = AppState
APP = NOTES.id


def spans(driver: Driver, app: str = APP) -> list[Span]:
    return [span for span in driver.desk.history.spans() if span.app == app]


def lines(driver: Driver, app: str = APP) -> list[Happening]:
    return [line for line in driver.desk.history.happenings() if line.app == app]


def push_shown(driver: Driver) -> None:
    """A push to a sleeping app that shows something a second later."""
    driver.push(APP)
    driver.now += 1
    given = driver.pushes(APP)[-1]
    driver.answer(APP, given.push, Verdict.SHOW_THIS, Notification("room", "Left", "secret words"))


def test_a_push_its_wake_its_notification_and_the_sleep_after_it_stand_in_their_order() -> None:
    driver = asleep()
    driver.subscribe(APP)
    before = len(lines(driver))
    driver.now += 5
    push_shown(driver)
    told = lines(driver)[before:]
    assert [line.what for line in told] == ["push", "thawed", "push_answered", "notified", "suspended"]
    assert [line.at - T0 for line in told] == [5, 5, 6, 6, 6]
    assert [line.number for line in told] == sorted(line.number for line in told)
    push, woken, answered, notified, _ = told
    assert push.about == answered.about == notified.cause != ""
    assert (woken.why, answered.why) == ("push", "show_this")
    assert (notified.about, notified.name) == ("room", "Left")
    assert not any("secret words" in str(line) for line in told), "the text goes with the notification"


def test_apps_that_come_and_go_leave_no_more_lines_than_one_that_stays() -> None:
    history, saved, apps = History(), dict[str, bytes | None](), 2 * MOST_OF_ONE_APP
    for number in range(apps):
        app = f"org.example.n{number}"
        history.note(do.Note(app, "added", "added"), T0 + number)
        history.look([AppStatus(app, "N", S.STOPPED, T0 + number)], T0 + number)
        if number:
            history.note(do.Note(app, "removed", "removed"), T0 + number)
        saved |= {save.key: save.value for save in history.saves() if isinstance(save, do.Save)}
    told = [(line.app, line.what) for line in history.happenings()]
    assert told[0] == ("org.example.n0", "added"), "it is still there"
    assert told[-1] == (f"org.example.n{apps - 1}", "removed")
    assert len(told) == MOST_OF_ONE_APP + 1
    assert len([key for key, value in saved.items() if value and key.startswith("line")]) == len(told)


def test_a_span_knows_why_it_ran_unseen_and_what_held_it() -> None:
    driver = in_front()
    driver.now += 10
    driver.begin(APP, 1, "send to Right")
    driver.sleep(APP)
    driver.now += 2
    driver.end(APP, 1)
    front, unseen, asleep_now = spans(driver)[-3:]
    assert [span.state for span in (front, unseen, asleep_now)] == [S.FOREGROUND, S.BACKGROUND, S.SUSPENDED]
    assert (unseen.since, unseen.until, unseen.why) == (T0 + 10, T0 + 12, "left")
    assert {hold.name for hold in unseen.holds} >= {"send to Right"}
    assert asleep_now.why == ""


def test_a_span_says_what_it_was_launched_for_and_what_came_to_that_before_it_was_there() -> None:
    driver = Driver(NOTES, at_once=False)
    driver.subscribe(APP)
    driver.push(APP)
    assert (spans(driver)[-1].state, spans(driver)[-1].why) == (S.LAUNCHING, "push")
    driver.answer_launch(APP)
    driver.handle(ev.OpenAsked(APP))
    driver.now += 1
    driver.connect(APP)
    assert (spans(driver)[-1].state, spans(driver)[-1].why) == (S.BACKGROUND, "opened")


def test_a_span_says_what_woke_it_and_no_more_holds_than_can_be_shown() -> None:
    driver = asleep()
    driver.subscribe(APP)
    driver.now += 5
    driver.push(APP)
    for task in range(20):
        driver.begin(APP, task, f"send {task}")
    assert (spans(driver)[-1].state, spans(driver)[-1].why) == (S.BACKGROUND, "push")
    assert len(spans(driver)[-1].holds) == 8


def test_a_stop_is_the_reason_of_the_span_after_it() -> None:
    driver = asleep()
    driver.pass_time(601)
    assert (spans(driver)[-1].state, spans(driver)[-1].why) == (S.STOPPED, "suspended_long")
    assert not [line.text for line in lines(driver) if "_" in line.text], "words for programs are in `why`"
    assert [line.why for line in lines(driver) if line.what == "stopped"] == ["suspended_long"]


def test_pressed_comes_before_the_wake_it_causes_and_dismissed_and_withdrawn_are_told() -> None:
    driver = asleep()
    for name in ("one", "two", "three"):
        driver.handle(ev.Present(APP, Notification(name, name.title())))  # type: ignore[arg-type]
    driver.handle(ev.ActAsked(APP, "one", "reply"))
    driver.handle(ev.DismissAsked(APP, "two"))
    driver.handle(ev.WithdrawAsked(APP, 1, 1, "three"))
    told = [(line.what, line.about, line.why) for line in lines(driver)][-4:]
    assert told[0] == ("pressed", "one", "reply")
    assert told[1][0] == "thawed" and told[1][2] == "pressed"
    assert told[2:] == [("dismissed", "two", ""), ("withdrawn", "three", "")]


def test_the_next_desk_remembers() -> None:
    driver = asleep()
    driver.subscribe(APP)
    push_shown(driver)
    told, seen = lines(driver), spans(driver)
    driver.now += 1
    driver.desk_dies()
    assert (lines(driver)[: len(told)], spans(driver)[: len(seen)]) == (told, seen)
    driver.handle(ev.Noticed("", "restarted", "started again.", "killed"))
    assert driver.desk.history.happenings()[-1].number > told[-1].number


def test_nothing_is_saved_for_its_sake() -> None:
    """A task begun and ended is no commit today; a busy app must not make the disk spin for a time line."""
    driver = in_front()
    effects = driver.begin(APP, 1) + driver.end(APP, 1)
    assert [effect for effect in effects if isinstance(effect, do.Save)] == []
    kept = driver.sleep(APP)
    assert [line for line in kept if isinstance(line, do.Save) and line.machine == MACHINE]
    driver.desk_dies()
    assert {"task_begun", "task_ended"} <= {line.what for line in lines(driver)}


def test_an_app_that_was_removed_leaves_its_lines_and_no_lane() -> None:
    driver = asleep()
    driver.handle(ev.AppRemoved(APP))
    assert spans(driver) == [] and spans(driver, MAIL.id) != []
    assert lines(driver)[-1].what == "removed"
    assert not [key for machine, key in driver.saved if machine == MACHINE and key == f"now {APP}"]


@pytest.mark.contract("X02")
def test_a_busy_app_is_bounded_in_memory_and_in_the_store() -> None:
    history, kept = History(), dict[str, bytes]()
    for number in range(700):
        for app in ("a.a", "a.b", "a.c", "a.d"):
            history.note(do.Note(app, "push", f"push {number}"), T0 + number)
            state = S.BACKGROUND if number % 2 else S.SUSPENDED
            hold = Hold("push", str(number), T0)
            history.look([AppStatus(app, app, state, T0 + number, holds=(hold,))], T0 + number)
        for save in history.saves():
            assert isinstance(save, do.Save)
            if save.value is None:
                kept.pop(save.key)
            else:
                kept[save.key] = save.value
    assert len(history.happenings()) == MOST_HAPPENINGS
    assert len(history.spans()) == 4 * (MOST_OF_ONE_APP + 1)
    assert len(kept) == 4 * (2 * MOST_OF_ONE_APP + 1)
    again = History()
    for key, value in sorted(kept.items(), reverse=True):
        again.restore(key, value)
    assert (again.happenings(), again.spans()) == (history.happenings(), history.spans())


def test_old_spans_go() -> None:
    driver = asleep()
    driver.pass_time(KEPT + 700)
    driver.open(APP)
    assert all((span.until or driver.now) >= driver.now - KEPT for span in spans(driver))


def test_a_clock_that_is_set_back_leaves_no_overlap() -> None:
    history = History()
    for state, since in ((S.FOREGROUND, 100.0), (S.SUSPENDED, 200.0), (S.BACKGROUND, 300.0), (S.SUSPENDED, 150.0)):
        history.look([AppStatus(APP, "Notes", state, since=since)], since)
    told = [(span.state, span.since, span.until) for span in history.spans()]
    assert told == [(S.FOREGROUND, 100.0, 150.0), (S.SUSPENDED, 150.0, None)]
    again = History()
    kept = {effect.key: effect.value for effect in history.saves() if isinstance(effect, do.Save)}
    for key, value in kept.items():
        if value is not None:
            again.restore(key, value)
    assert again.spans() == history.spans()


def test_a_burst_of_pushes_is_a_line_and_leaves_what_was_before_it() -> None:
    driver = asleep()
    driver.subscribe(APP)
    before = lines(driver)
    driver.now += 5
    for _ in range(2 * MOST_OF_ONE_APP):
        driver.push(APP)
    for given in driver.pushes(APP):
        driver.answer(APP, given.push)
    first, woken, rest, answered, slept = lines(driver)[len(before) :]
    assert lines(driver)[: len(before)] == before
    assert [line.what for line in (first, woken, slept)] == ["push", "thawed", "suspended"]
    assert (rest.count, answered.count) == (2 * MOST_OF_ONE_APP - 1, 2 * MOST_OF_ONE_APP)
    assert rest.text == f"{rest.count} × push for news"
    driver.desk_dies()
    assert [line for line in lines(driver) if line.what == "push"][-1] == rest, "as saved, too"


def test_pushes_that_nobody_answered_are_a_line_too() -> None:
    driver = asleep()
    driver.subscribe(APP, fallback=None)
    for _ in range(3):
        driver.push(APP)
    driver.pass_time(25)
    assert [line.count for line in lines(driver) if line.what == "push_fallback"] == [3]


def test_what_shows_something_or_comes_later_has_a_line_of_its_own() -> None:
    driver = in_front()
    driver.subscribe(APP)
    for pause in (0, 0.5, ROW):
        driver.now += pause
        driver.push(APP)
    assert [line.count for line in lines(driver) if line.what == "push"] == [2, 1]
    for given in driver.pushes(APP):
        driver.answer(APP, given.push, Verdict.SHOW_THIS, Notification("room", "Left", "words"))
    assert [line.count for line in lines(driver) if line.what in ("push_answered", "notified")] == [1] * 6
