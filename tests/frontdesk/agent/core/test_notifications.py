"""What the person is shown, and what comes back when it is pressed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.notifications import MOST_SHOWN
from frontdesk.terms import AppState, Notification
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import MAIL, NOTES, Driver, of_type

APP, OTHER = NOTES.id, MAIL.id


def awake() -> Driver:
    driver = Driver(NOTES, MAIL)
    driver.open(APP)
    return driver


def notify(driver: Driver, notification: Notification, app: str = APP) -> list[do.Effect]:
    return driver.handle(ev.NotifyAsked(app, 7, 42, notification))


def listed(driver: Driver) -> list[tuple[str, str, str]]:
    return [(each.app, each.notification.id, each.notification.title) for each in driver.desk.notifications.shown()]


@pytest.mark.contract("N03")
def test_the_same_identifier_replaces_what_is_shown() -> None:
    driver = awake()
    notify(driver, Notification("chat", "One message"))
    effects = notify(driver, Notification("chat", "Two messages"))
    assert of_type(do.Show, effects) == [do.Show(APP, Notification("chat", "Two messages"))]
    assert listed(driver) == [(APP, "chat", "Two messages")]


@pytest.mark.contract("N03")
def test_identifiers_of_two_apps_have_nothing_to_do_with_each_other() -> None:
    driver = awake()
    notify(driver, Notification("chat", "Ours"))
    notify(driver, Notification("chat", "Theirs"), OTHER)
    driver.handle(ev.WithdrawAsked(OTHER, 7, 43, "chat"))
    assert listed(driver) == [(APP, "chat", "Ours")]


@pytest.mark.contract("N03")
def test_the_app_withdraws_it_and_it_is_gone_everywhere() -> None:
    driver = awake()
    notify(driver, Notification("chat", "One message"))
    effects = driver.handle(ev.WithdrawAsked(APP, 7, 43, "chat"))
    assert of_type(do.Unshow, effects) == [do.Unshow(APP, "chat")]
    assert of_type(do.Answer, effects) == [do.Answer(7, wire.Done(43))]
    assert listed(driver) == []
    driver.desk_dies()
    assert listed(driver) == []


@pytest.mark.contract("N03")
def test_withdrawing_what_is_not_shown_is_answered_and_changes_nothing() -> None:
    driver = awake()
    effects = driver.handle(ev.WithdrawAsked(APP, 7, 43, "never shown"))
    assert of_type(do.Unshow, effects) == []
    assert of_type(do.Answer, effects) == [do.Answer(7, wire.Done(43))]


@pytest.mark.contract("N05", "L06")
def test_the_desks_own_list_survives_the_desk() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    driver.pass_time(1)
    notify(driver, Notification("b", "Second"))
    driver.desk_dies()
    assert listed(driver) == [(APP, "b", "Second"), (APP, "a", "First")], "newest first"


def test_an_answer_waits_for_its_save() -> None:
    driver = awake()
    effects = notify(driver, Notification("a", "First"))
    (answer,) = of_type(do.Answer, effects)
    assert answer.after_save
    (save,) = [effect for effect in of_type(do.Save, effects) if effect.machine == "shown"]
    assert effects.index(save) < effects.index(answer)


@pytest.mark.contract("N04", "L13")
@pytest.mark.parametrize("state", [AppState.STOPPED, AppState.SUSPENDED, AppState.FOREGROUND])
def test_what_is_pressed_comes_to_the_app_which_is_woken_for_it(state: AppState) -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    if state is not AppState.FOREGROUND:
        driver.sleep(APP)
    if state is AppState.STOPPED:
        driver.handle(ev.MemoryShort())
    assert driver.state(APP) is state
    effects = driver.handle(ev.ActAsked(APP, "a", "reply"))
    assert of_type(do.Unshow, effects) == [do.Unshow(APP, "a")]
    if state is AppState.STOPPED:
        driver.connect(APP)
    pressed = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Pressed)]
    assert pressed == [wire.Pressed("a", "reply")]


def test_dismissing_wakes_nobody() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    driver.sleep(APP)
    driver.handle(ev.DismissAsked(APP, "a"))
    assert listed(driver) == []
    assert driver.state(APP) is AppState.SUSPENDED


def test_removing_the_app_takes_its_notifications_along() -> None:
    driver = awake()
    notify(driver, Notification("a", "Ours"))
    notify(driver, Notification("a", "Theirs"), OTHER)
    driver.handle(ev.AppRemoved(APP))
    assert listed(driver) == [(OTHER, "a", "Theirs")]


def test_past_its_size_the_oldest_leaves_the_list() -> None:
    driver = awake()
    for number in range(MOST_SHOWN + 1):
        notify(driver, Notification(str(number), "x"))
        driver.pass_time(1)
    assert len(listed(driver)) == MOST_SHOWN
    assert (APP, "0", "x") not in listed(driver)
    assert sum(machine == "shown" for machine, _ in driver.saved) == MOST_SHOWN


steps = st.lists(
    st.tuples(
        st.sampled_from(["notify", "withdraw", "dismiss", "act", "die"]),
        st.sampled_from([APP, OTHER]),
        st.sampled_from(["a", "b", "c d"]),
        st.text(max_size=3),
    ),
    max_size=25,
)


@pytest.mark.contract("N03")
@given(steps)
def test_the_list_is_what_a_dictionary_would_hold(history: list[tuple[str, str, str, str]]) -> None:
    driver = Driver(NOTES, MAIL, plausible=False)
    expected: dict[tuple[str, str], str] = {}
    for what, app, key, title in history:
        match what:
            case "notify":
                notify(driver, Notification(key, title), app)
                expected[app, key] = title
                continue
            case "withdraw":
                driver.handle(ev.WithdrawAsked(app, 7, 1, key))
            case "dismiss":
                driver.handle(ev.DismissAsked(app, key))
            case "act":
                driver.handle(ev.ActAsked(app, key, ""))
            case _:
                driver.desk_dies()
                continue
        expected.pop((app, key), None)
    assert {(app, key): title for app, key, title in listed(driver)} == expected
