"""What the person is shown, what of it is on the desktop, and what comes back when it is pressed."""

from dataclasses import dataclass, field

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


# --- on the desktop, whichever desk put it there ----------------------------------------------------------------------


def on_desktop(notification: Notification, number: int = 11, service: str = "bus :1.5") -> ev.OnDesktop:
    return ev.OnDesktop(APP, notification, service, number)


def started_anew(driver: Driver) -> list[do.Effect]:
    """What the next desk has done about the desktop."""
    return [each for each in driver.desk_dies() if isinstance(each, do.StoodBefore | do.Show | do.Unshow)]


@pytest.mark.contract("L06", "N05")
def test_what_may_not_have_been_shown_is_shown_by_the_next_desk() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    driver.pass_time(1)
    notify(driver, Notification("b", "Second"))
    shows = [do.Show(APP, Notification("a", "First")), do.Show(APP, Notification("b", "Second"))]
    assert started_anew(driver) == shows
    assert started_anew(driver) == shows, "and by the one after it, should that one die too"


@pytest.mark.contract("L06", "N03", "N04")
def test_what_stands_is_taken_up_and_not_shown_again() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    driver.handle(on_desktop(Notification("a", "First")))
    assert started_anew(driver) == [do.StoodBefore(APP, "a", "bus :1.5", 11, Notification("a", "First"))]


@pytest.mark.contract("L06", "N03")
def test_newer_words_take_the_place_of_those_that_stand() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    notify(driver, Notification("a", "Second"))
    driver.handle(on_desktop(Notification("a", "First")))
    second = Notification("a", "Second")
    assert started_anew(driver) == [do.StoodBefore(APP, "a", "bus :1.5", 11, second), do.Show(APP, second)]


@pytest.mark.contract("L06", "N03")
def test_what_was_withdrawn_and_may_stand_is_taken_away_by_the_next_desk() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    driver.handle(on_desktop(Notification("a", "First")))
    driver.handle(ev.WithdrawAsked(APP, 7, 43, "a"))
    stood = do.StoodBefore(APP, "a", "bus :1.5", 11, None)
    assert started_anew(driver) == [stood]
    driver.handle(ev.OffDesktop(APP, "a"))
    assert started_anew(driver) == []


@pytest.mark.contract("N03")
def test_withdrawn_while_it_was_on_its_way_to_the_desktop() -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    driver.handle(ev.WithdrawAsked(APP, 7, 43, "a"))
    driver.handle(on_desktop(Notification("a", "First")))
    assert started_anew(driver) == [do.StoodBefore(APP, "a", "bus :1.5", 11, None)]


@pytest.mark.parametrize("gone", [on_desktop(Notification("a", "First"), 0), ev.OffDesktop(APP, "a")])
def test_what_the_desktop_did_not_take_or_no_longer_has_is_in_the_list_only(gone: ev.Event) -> None:
    driver = awake()
    notify(driver, Notification("a", "First"))
    if isinstance(gone, ev.OffDesktop):
        driver.handle(on_desktop(Notification("a", "First")))
    driver.handle(gone)
    assert started_anew(driver) == []
    assert listed(driver) == [(APP, "a", "First")]
    assert not [key for key in driver.saved if key[0] == "desktop"]


@dataclass
class Desktop:
    """A notification service, and the part of the desk that talks to it: what both are said to do."""

    driver: Driver
    service: str = "bus :1.1"
    numbers: int = 0
    stands: dict[int, tuple[tuple[str, str], str]] = field(default_factory=dict)
    """Bubbles, by their numbers: whose, and their words. They outlive the desk."""
    known: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: dict[tuple[str, str], Notification | None] = field(default_factory=dict)
    orphans: set[int] = field(default_factory=set)
    """Shown by a desk that died before it could keep the number."""

    def do(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            match effect:
                case do.Show(app=app, notification=notification):
                    self.waiting[app, notification.id] = notification
                case do.Unshow(app=app, notification=id):
                    self.waiting[app, id] = None
                case do.StoodBefore(app=app, id=id, service=service, number=number, notification=notification):
                    if service == self.service:
                        self.known[app, id] = number
                    if notification is None or service != self.service:
                        self.waiting[app, id] = notification

    def work(self, *, desk_dies: bool = False) -> bool:
        """One thing that waits is given to the service; whether there was one."""
        if not self.waiting:
            return False
        key, notification = next(iter(self.waiting.items()))
        del self.waiting[key]
        number = self.known.pop(key, 0)
        if notification is None:
            self.stands.pop(number, None)
            if not desk_dies:
                self.do(self.driver.handle(ev.OffDesktop(*key)))
        else:
            was_known = number in self.stands
            if not was_known:
                self.numbers += 1
                number = self.numbers
            self.stands[number] = key, notification.title
            if desk_dies and not was_known:
                self.orphans.add(number)
            elif not desk_dies:
                self.known[key] = number
                self.do(self.driver.handle(ev.OnDesktop(key[0], notification, self.service, number)))
        if desk_dies:
            self.next_desk()
        return True

    def next_desk(self, *while_handling: ev.Event, committed: bool = True) -> None:
        self.known.clear()
        self.waiting.clear()
        self.do(self.driver.desk_dies(*while_handling, committed=committed))

    def next_service(self) -> None:
        """What stood is gone with the service; its successor counts from one again."""
        self.service, self.numbers = f"bus :1.{int(self.service.rpartition('.')[2]) + 1}", 0
        self.stands.clear()
        self.orphans.clear()

    def service_is_replaced(self, words: dict[tuple[str, str], str]) -> None:
        again: dict[tuple[str, str], Notification | None] = {
            key: Notification(key[1], words[key]) for key in self.known if key in words
        }
        self.known.clear()
        self.next_service()
        withdrawn = [key for key, what in self.waiting.items() if what is None]
        self.waiting = again | {key: what for key, what in self.waiting.items() if what is not None}
        for key in withdrawn:
            self.do(self.driver.handle(ev.OffDesktop(*key)))


WHAT = ["notify", "withdraw", "act", "work", "work", "time is over", "service is replaced", "both die"]
DEATHS = ["desk dies", "desk dies over it", "desk dies in a batch"]

happenings = st.lists(
    st.tuples(
        st.sampled_from([*WHAT, *DEATHS]),
        st.sampled_from([APP, OTHER]),
        st.sampled_from(["a", "b"]),
        st.text(max_size=2),
        st.booleans(),
    ),
    max_size=30,
)


@pytest.mark.contract("L06", "N03", "N05")
@given(happenings)
def test_whoever_dies_each_notification_of_the_list_has_its_bubble_and_no_other_stands(
    history: list[tuple[str, str, str, str, bool]],
) -> None:
    driver = Driver(NOTES, MAIL, plausible=False)
    desktop = Desktop(driver)
    words: dict[tuple[str, str], str] = {}
    over: set[tuple[str, str]] = set()
    for what, app, id, title, committed in history:
        key = app, id
        asked = ev.NotifyAsked(app, 7, 42, Notification(id, title))
        match what:
            case "notify":
                desktop.do(driver.handle(asked))
                words[key] = title
                over.discard(key)
            case "withdraw" | "act":
                gone = ev.WithdrawAsked(app, 7, 1, id) if what == "withdraw" else ev.ActAsked(app, id, "")
                desktop.do(driver.handle(gone))
                words.pop(key, None)
            case "work" | "desk dies over it":
                desktop.work(desk_dies=what != "work")
            case "time is over" if key in desktop.known and key not in desktop.waiting:
                del desktop.stands[desktop.known.pop(key)]
                over.add(key)
                desktop.do(driver.handle(ev.OffDesktop(*key)))
            case "desk dies":
                desktop.next_desk()
            case "desk dies in a batch":
                desktop.next_desk(asked, committed=committed)
                if committed:
                    words[key] = title
                    over.discard(key)
            case "service is replaced":
                desktop.service_is_replaced(words)
            case "both die":
                desktop.next_service()
                desktop.next_desk()
    while desktop.work():
        pass
    stands = sorted(bubble for number, bubble in desktop.stands.items() if number not in desktop.orphans)
    assert stands == sorted((key, title) for key, title in words.items() if key not in over)
    assert {tuple(key.split(" ", 1)) for machine, key in driver.saved if machine == "desktop"} == {
        key for key, _ in stands
    }
