"""A story says what happened, why and what came of it, in the order of time; told from what the real core notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.dashboard.core.lanes import lanes
from frontdesk.dashboard.core.stories import tell
from frontdesk.dashboard.core.threads import Kind, Story
from frontdesk.terms import (
    AppState,
    DeskStatus,
    Happening,
    Notification,
    PushKind,
    Span,
    StopReason,
    Verdict,
    WakeReason,
)
from tests.frontdesk.agent.core.core_driver import NOTES, Driver, asleep, in_front

APP = NOTES.id


def told(driver: Driver, *, who: str = "you") -> dict[str, str]:
    """By title, the text of each story of the app."""
    status = DeskStatus(
        driver.now,
        1,
        "1",
        driver.desk.statuses(driver.now),
        driver.desk.notifications.shown(),
        driver.desk.history.happenings(),
        spans=driver.desk.history.spans(),
    )
    lane = next(lane for lane in lanes(status, driver.now, who=who) if lane.key == APP)
    return {story.title: story.text for story in lane.stories}


def answered(driver: Driver, after: float = 0.4, title: str = "Left") -> None:
    given = driver.pushes(APP)[-1]
    driver.now += after
    driver.answer(APP, given.push, Verdict.SHOW_THIS, Notification("room", title, "hello"))


def subscribed() -> Driver:
    driver = asleep()
    driver.subscribe(APP)
    driver.now += 10
    return driver


def test_a_push_to_a_sleeping_app() -> None:
    driver = subscribed()
    driver.push(APP)
    answered(driver)
    assert told(driver)["Push: “Left” shown"] == (
        "A push for Notes arrived. Notes was asleep, so it was woken; 0.4 s later it showed “Left: hello” and slept "
        "again."
    )


def test_what_the_person_did_with_the_notification_belongs_to_the_same_story() -> None:
    driver = subscribed()
    driver.push(APP)
    answered(driver)
    driver.now += 5
    driver.handle(ev.ActAsked(APP, "room", ""))
    driver.now += 0.3
    driver.to_front(APP)
    assert told(driver, who="Right")["Push: “Left” shown"] == (
        "A push for Notes arrived. Notes was asleep, so it was woken; 0.4 s later it showed “Left” and slept again. "
        "5.0 s later Right pressed it; Notes was asleep, so it was woken; 0.3 s later Right saw it."
    )


def test_a_push_to_a_stopped_an_unseen_and_an_open_app() -> None:
    driver = subscribed()
    driver.pass_time(700)
    driver.push(APP)
    driver.now += 0.5
    driver.connect(APP)
    answered(driver, 0.1)
    text = told(driver)["Push: “Left” shown"]
    assert "Notes was not running, so it was launched" in text and text.endswith("and slept.")
    driver.open(APP)
    driver.now += 1
    driver.push(APP)
    answered(driver, title="In front")
    assert "Notes was in front" in told(driver)["Push: “In front” shown"]
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.now += 1
    driver.push(APP)
    answered(driver, title="Unseen")
    assert "Notes was running, unseen; 0.4 s later it showed" in told(driver)["Push: “Unseen” shown"]


def test_pushes_that_show_nothing_or_are_not_answered() -> None:
    driver = subscribed()
    driver.push(APP)
    driver.now += 0.2
    driver.answer(APP, driver.pushes(APP)[-1].push)
    assert told(driver)["Push, nothing shown"].endswith(
        "0.2 s later it answered that there is nothing to show and slept again."
    )
    driver.now += 10
    driver.push(APP)
    driver.pass_time(26)
    assert "The desk stepped in for Notes (no answer within 25 s) and showed “Something new”" in " ".join(
        told(driver).values()
    ).replace("25 s later the", "The")


def test_an_alert_and_a_push_for_an_app_that_was_quit() -> None:
    driver = asleep()
    driver.subscribe(APP, "plain", PushKind.ALERT)
    driver.subscribe(APP)
    driver.now += 1
    driver.push(APP, b'{"title": "Hi"}', "plain")
    assert "for which Notes is not woken; the desk showed “Hi” by itself" in told(driver)["Push: “Hi” shown"]
    driver.handle(ev.QuitAsked(APP))
    driver.push(APP)
    text = told(driver)["Push: “Something new” shown"]
    assert "You had quit Notes, so it was not woken; the desk showed “Something new” by itself." in text
    assert told(driver)["Quit"] == "You quit Notes: nothing wakes it until it is opened again."


def test_quitting_an_app_in_front() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    driver.now += 0.2
    driver.exit(APP, 0)
    quit = "You quit Notes: nothing wakes it until it is opened again; 0.2 s later it left."
    assert told(driver)["Quit"] == quit


def test_sending_and_walking_away() -> None:
    driver = in_front()
    driver.now += 3
    driver.begin(APP, 1, "send to Right")
    driver.sleep(APP)
    driver.now += 1.5
    driver.end(APP, 1)
    stories = told(driver)
    assert stories["Task “send to Right”"] == (
        "Notes began the background task “send to Right”: it is kept awake until that is done; 1.5 s later the "
        "task was done; Notes slept."
    )
    unseen = next(text for title, text in stories.items() if title.startswith("Notes running unseen"))
    assert "(1.5 s): its window had been closed. It was held awake by the background task “send to Right”" in unseen


def test_a_task_whose_time_ran_out() -> None:
    driver = in_front()
    driver.begin(APP, 1, "upload")
    driver.sleep(APP)
    driver.pass_time(30)
    stories = told(driver)
    assert "25 s later its 30 s unseen were almost up, and Notes was told to come to an end" in stories["Task “upload”"]
    assert "Notes ended before that was done" in stories["Task “upload”"]
    assert "Its background time of 30 s was up" in stories["Stopped"]


def test_what_was_over_while_a_person_looked_has_nothing_to_do_with_the_sleep_after() -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.now += 1
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[-1].push)
    driver.begin(APP, 1, "send to Right")
    driver.end(APP, 1)
    driver.now += 20
    driver.sleep(APP)
    assert not [text for title, text in told(driver).items() if "slept" in text and "Notes asleep" not in title]


def test_each_story_has_the_words_of_its_own_notification() -> None:
    driver = subscribed()
    driver.push(APP)
    answered(driver)
    driver.now += 5
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[-1].push, Verdict.SHOW_THIS, Notification("room", "Left again", "two"))
    stories = told(driver)
    assert "it showed “Left” and slept again" in stories["Push: “Left” shown"]
    assert "it showed “Left again: two”" in stories["Push: “Left again” shown"]


def test_opened_by_the_person() -> None:
    driver = asleep()
    driver.now += 7
    driver.handle(ev.OpenAsked(APP))
    driver.now += 0.25
    driver.to_front(APP)
    assert told(driver)["Opened"] == "You opened Notes; it was asleep, so it was woken; 0.2 s later you saw it."


def test_a_burst_is_one_story() -> None:
    driver = subscribed()
    driver.pass_time(700)
    for _ in range(30):
        driver.push(APP)
        driver.now += 0.05
    driver.connect(APP)
    driver.now += 1
    *rest, last = driver.pushes(APP)
    for push in rest:
        driver.answer(APP, push.push)
    driver.answer(APP, last.push, Verdict.SHOW_THIS, Notification("summary", "30 messages", "in 3 chats"))
    stories = told(driver)
    assert stories["30 pushes: “30 messages” shown"] == (
        "30 pushes for Notes arrived. Notes was not running, so it was launched; 2.5 s later it showed "
        "“30 messages: in 3 chats” and slept."
    )
    assert not [title for title in stories if "ush, " in title]


def test_a_burst_of_which_nothing_is_shown_and_one_that_falls_back() -> None:
    driver = subscribed()
    for _ in range(3):
        driver.push(APP)
    for push in driver.pushes(APP):
        driver.answer(APP, push.push)
    text = told(driver)["3 pushes, nothing shown"]
    assert text.endswith("it answered that there is nothing to show and slept again.")
    driver.now += 10
    for _ in range(3):
        driver.push(APP)
    driver.pass_time(26)
    text = told(driver)["3 pushes, fallback"]
    assert text.count("stepped in") == 1 and text.count("showed “Something new”") == 1


def test_pushes_that_come_while_a_slow_app_has_not_answered_are_of_one_story() -> None:
    driver = subscribed()
    for number, pause in ((4, 3.0), (2, 3.0), (1, 1.0)):
        for _ in range(number):
            driver.push(APP)
            driver.now += 0.1
        driver.now += pause
    for push in driver.pushes(APP):
        driver.answer(APP, push.push)
    assert {title: text for title, text in told(driver).items() if "ush" in title} == {
        "7 pushes, nothing shown": "4 pushes for Notes arrived. Notes was asleep, so it was woken. "
        "3.4 s later 2 more pushes for Notes arrived. 3.2 s later another push for Notes arrived; "
        "1.1 s later it answered that there is nothing to show and slept again."
    }


def test_a_push_in_the_moment_in_which_the_app_was_suspended_woke_it() -> None:
    driver = subscribed()
    driver.push(APP)
    driver.now += 1
    driver.answer(APP, driver.pushes(APP)[-1].push)
    driver.push(APP)
    assert told(driver)["Push"] == "A push for Notes arrived. Notes was asleep, so it was woken."


def test_a_push_that_comes_too_late_for_this_wake_is_not_said_to_have_been_given() -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.begin(APP, 1, "send")
    driver.sleep(APP)
    driver.pass_time(Limits().background - Limits().expiry_lead + 0.5)
    before = len(driver.pushes(APP))
    driver.push(APP)
    assert len(driver.pushes(APP)) == before
    assert told(driver)["Push"] == "A push for Notes arrived. Notes was running, unseen."


def test_a_push_that_nobody_is_subscribed_to_any_more_is_over() -> None:
    driver = subscribed()
    driver.push(APP)
    driver.handle(ev.UnsubscribeAsked(APP, 1, 9, "news"))
    driver.pass_time(1)
    text = told(driver)["Push"]
    assert text == (
        "A push for Notes arrived. Notes was asleep, so it was woken. "
        "It was dropped: nobody was subscribed to it any more; Notes slept."
    )


def test_a_push_that_never_had_an_answer_takes_no_later_one_along() -> None:
    lines = [
        Happening(float(at), APP, "push", "push for news", f"push {at}", "news", number=at)
        for at in (100, 155, 300, 350)
    ]
    stories, _ = tell(lines, (), "Notes", "you", {})
    assert [story.title for story in stories] == ["2 pushes", "2 pushes"]


@pytest.mark.parametrize(
    ("what", "why", "told_so"),
    [
        ("push_answered", str(Verdict.SHOW_AS_IT_IS), "it had nothing to add, and the desk showed “New message”"),
        (
            "push_fallback",
            "too many waited",
            "the desk stepped in for Notes (too many waited) and showed “New message”",
        ),
    ],
)
def test_what_an_app_shows_after_words_that_were_not_its_own_is_its_own(what: str, why: str, told_so: str) -> None:
    lines = [
        Happening(100.0, APP, "push", "push for news", "push 1", "news", number=1, count=2),
        Happening(101.0, APP, what, "answered", "push 1", "news", why, number=2),
        Happening(101.0, APP, "notified", "notification", "room", "New message", cause="push 1", number=3),
        Happening(102.0, APP, "push_answered", "answered", "push 2", "news", str(Verdict.SHOW_THIS), number=4),
        Happening(102.0, APP, "notified", "notification", "room", "Left", cause="push 2", number=5),
    ]
    (story,), _ = tell(lines, (), "Notes", "you", {})
    words, _, rest = story.text.partition("showed “New message”")
    assert f"{words}showed “New message”".casefold().endswith(told_so.casefold())
    assert rest == "; 1.0 s later Notes showed “Left”."


def test_a_burst_to_an_app_in_front() -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.now += 10
    for _ in range(4):
        driver.push(APP)
    for push in driver.pushes(APP):
        driver.answer(APP, push.push)
    text = told(driver)["4 pushes, nothing shown"]
    assert text.startswith("4 pushes for Notes arrived. Notes was in front; ")


def test_a_push_that_the_app_leaves_as_it_is_and_the_words_that_follow() -> None:
    driver = subscribed()
    driver.push(APP)
    driver.now += 0.5
    driver.answer(APP, driver.pushes(APP)[-1].push, Verdict.SHOW_AS_IT_IS)
    driver.now += 5
    driver.open(APP)
    driver.handle(ev.NotifyAsked(APP, 1, 9, Notification("fallback", "Left", "the words")))
    text = told(driver)["Push: “Something new” shown"]
    assert "0.5 s later it had nothing to add, and the desk showed “Something new”" in text
    assert text.endswith("Notes changed what it says to “Left: the words”.")


def test_what_was_not_done_in_time_and_said_so() -> None:
    driver = in_front()
    driver.begin(APP, 1, "send to Right")
    driver.sleep(APP)
    driver.pass_time(25)
    driver.now += 0.2
    driver.handle(ev.NotifyAsked(APP, 1, 9, Notification("unsent", "Not sent", "please resend")))
    driver.end(APP, 1)
    assert told(driver)["Task “send to Right”: time was up"].endswith(
        "25 s later its 30 s unseen were almost up, and Notes was told to come to an end; 0.2 s later Notes showed “"
        "Not sent: please resend”; the task was ended; Notes slept."
    )
    driver.handle(ev.OpenAsked(APP))
    driver.to_front(APP)
    driver.handle(ev.NotifyAsked(APP, 1, 10, Notification("other", "Other")))
    assert "Notification" in told(driver), "what is shown later has nothing to do with it"


def test_a_short_task_while_it_is_being_opened_is_a_part_of_that() -> None:
    driver = asleep()
    driver.handle(ev.OpenAsked(APP))
    driver.begin(APP, 1, "answer the browser")
    driver.begin(APP, 2, "tidy up")
    driver.now += 0.5
    driver.end(APP, 1)
    driver.to_front(APP)
    assert "Opened" in told(driver) and not [title for title in told(driver) if title.startswith("Task")]
    driver.now += 2
    driver.end(APP, 2)
    assert told(driver)["Task “tidy up”"].endswith("2.5 s later the task was done.")


def test_an_app_that_crashes_over_and_over_is_given_a_pause() -> None:
    driver = subscribed()
    driver.pass_time(700)
    driver.push(APP)
    for _ in range(3):
        driver.connect(APP)
        driver.exit(APP, -9)
        driver.pass_time(4)
    stories = told(driver)
    assert stories["Push, fallback"].count("launched") == 3
    assert "(the app ended 3 times over it) and showed “Something new”" in stories["Push, fallback"]
    assert stories["Ended"].startswith("Notes ended unexpectedly (signal 9).")
    assert stories["Ended"].endswith("It was not started by itself for 4 s: it failed 3 times in a row.")


def test_a_push_service_that_is_away_and_back() -> None:
    driver = subscribed()
    for _ in range(3):
        driver.handle(ev.PushLinkDown("ClientConnectorError: Cannot connect to host", 1.0))
        driver.now += 1
    driver.handle(ev.PushLinkUp("uaid", changed=False))
    status = DeskStatus(driver.now, 1, "1", (), (), driver.desk.history.happenings())
    (desk,) = lanes(status, driver.now)
    (away,) = (story for story in desk.stories if story.title == "Push service away")
    assert away.text == (
        "The push service could not be connected to. Pushes wait there, and it is tried again and again. "
        "3.0 s later the push service was reached again; whatever had waited there came then."
    )
    assert [(mark.title, mark.kind) for mark in desk.marks] == [
        ("Push service away", Kind.TROUBLE),
        ("Push service reached again", Kind.LINK),
    ]
    told = " ".join([*(line.text for line in status.happenings), *(story.text for story in desk.stories)])
    assert "Error" not in told, "what the machine says is for its log"


def test_a_push_service_that_was_away_from_a_desk_that_is_gone() -> None:
    """The next desk finds it there, so it never says that it is back."""
    lines = [
        Happening(100.0, "", "push_service_lost", "…", why="connection refused", number=1),
        Happening(105.0, "", "restarted", "started again. It was killed.", why="killed", number=2),
        Happening(200.0, "", "push_service_lost", "…", why="timed out", number=3),
        Happening(203.0, "", "push_service_back", "…", number=4),
    ]
    stories, _ = tell(lines, (), "the desk", "you", {})
    first, _, second = (story.text for story in stories)
    assert first.endswith("5.0 s later the next desk tried anew, and says so again should it not be reached.")
    assert second.endswith("3.0 s later the push service was reached again; whatever had waited there came then.")


WORDS = """
    push push_answered push_fallback push_over push_refused thawed launched connected foreground suspended notified
    pressed dismissed withdrawn task_begun task_ended expiring quit stopped restarted desk_back
    paused push_service_lost push_service_back refused removed odd
"""
words = st.sampled_from(WORDS.split())
reasons = st.sampled_from(["", *WakeReason, *StopReason, *Verdict, *PushKind, "anything"])
small = st.sampled_from(["", "one", "two"])
happened = st.lists(
    st.builds(
        Happening,
        st.floats(0, 5000),
        st.just(APP),
        words,
        st.text(max_size=9),
        small,
        small,
        reasons,
        small,
        st.just(0),
        st.integers(1, 3),
    )
)


@given(happened, st.lists(st.builds(Span, st.just(APP), st.sampled_from(AppState), st.floats(0, 5000))))
def test_whatever_happened_every_mark_has_its_story(lines: list[Happening], spans: list[Span]) -> None:
    stories, marks = tell(lines, spans, "Notes", "you", {})
    by_key: dict[str, Story] = {story.key: story for story in stories}
    assert len(by_key) == len(stories) and len({mark.key for mark in marks}) == len(marks)
    for mark in marks:
        assert by_key[mark.story].text.endswith((".", "!", "?", "…", ".”")) and mark.title
    assert {mark.story for mark in marks} == set(by_key), "every story can be reached"


@pytest.mark.parametrize("who", ["you", "Left"])
def test_sentences_begin_large_and_end(who: str) -> None:
    driver = subscribed()
    driver.push(APP)
    answered(driver)
    driver.handle(ev.DismissAsked(APP, "room"))
    for text in told(driver, who=who).values():
        assert text[0].isupper() and text.endswith(".") and ".." not in text and "  " not in text
