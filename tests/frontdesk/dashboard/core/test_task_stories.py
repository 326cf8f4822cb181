"""Stories of scheduled tasks, told from what the real core notes: why it ran, how it ended, what comes next."""

from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import events as ev
from frontdesk.dashboard.core.lanes import Lane, lanes
from frontdesk.dashboard.core.stories import tell
from frontdesk.dashboard.core.threads import Kind
from frontdesk.terms import (
    Condition,
    ContinuedTask,
    DeskStatus,
    Happening,
    Manifest,
    ProcessingTask,
    RefreshTask,
    Retry,
    TaskEnd,
)
from tests.frontdesk.agent.core.core_driver import Driver

FEEDS = Manifest(
    "org.example.feeds",
    "Feeds",
    ("feeds",),
    background=("refresh", "processing", "continued"),
    tasks=("org.example.feeds.news", "org.example.feeds.tidy", "org.example.feeds.export"),
)
APP = FEEDS.id
NEWS = RefreshTask(f"{APP}.news")
TIDY = ProcessingTask(f"{APP}.tidy", retry=Retry(first=30.0))


def asleep() -> Driver:
    driver = Driver(FEEDS)
    driver.open(APP)
    driver.sleep(APP)
    driver.is_now(Condition.IDLE, "yes")
    driver.now += 10
    return driver


def lane(driver: Driver, key: str = APP) -> Lane:
    desk, now = driver.desk, driver.now
    happened, spans = desk.history.happenings(), desk.history.spans()
    status = DeskStatus(now, 1, "1", desk.statuses(now), (), happened, spans=spans)
    return next(lane for lane in lanes(status, now) if lane.key == key)


def told(driver: Driver, title: str) -> str:
    (text,) = [story.text for story in lane(driver).stories if story.title == title]
    return text


def test_a_refresh_that_is_due_wakes_its_app_and_is_done() -> None:
    driver = asleep()
    driver.submit(APP, NEWS)
    driver.now += 0.8
    driver.complete(APP, NEWS.identifier)
    assert told(driver, "Refresh “news”") == (
        "The refresh task “news” of Feeds was due. Feeds was asleep, so it was woken; 0.8 s later it was done; "
        "Feeds slept."
    )
    assert not [mark for mark in lane(driver).marks if mark.kind is Kind.TROUBLE]


def test_a_launch_by_hand_is_not_told_as_if_it_had_been_due() -> None:
    driver = asleep()
    driver.is_now(Condition.IDLE, "no")
    driver.submit(APP, TIDY)
    driver.now += 42
    driver.handle(ev.SimulateAsked(1, 1, TIDY.identifier, APP, expire=False))
    assert told(driver, "Processing “tidy”").startswith("The processing task “tidy” of Feeds was launched by hand. ")


def test_it_says_how_long_the_request_has_waited() -> None:
    driver = asleep()
    driver.is_now(Condition.IDLE, "no")
    driver.submit(APP, TIDY)
    driver.now += 42
    driver.is_now(Condition.IDLE, "yes")
    assert "was due; it had asked for that 42 s before." in told(driver, "Processing “tidy”")


def test_the_person_comes_back_and_it_is_tried_again() -> None:
    driver = asleep()
    driver.submit(APP, TIDY)
    driver.now += 5
    driver.is_now(Condition.IDLE, "no")
    driver.now += 1
    driver.complete(APP, TIDY.identifier, success=False)
    text = told(driver, "Processing “tidy”")
    assert "the machine was used again, so it was told to come to an end" in text
    assert "it came to its end and is tried again in 30 s" in text
    driver.is_now(Condition.IDLE, "yes")
    driver.pass_time(40)
    again = [story.text for story in lane(driver).stories if story.title == "Processing “tidy”"]
    assert "was due (try 2)." in again[-1]


def test_a_task_whose_time_is_over_is_trouble_and_an_app_that_ends_over_it_too() -> None:
    driver = asleep()
    driver.submit(APP, NEWS)
    driver.pass_time(26)
    assert "its time was almost up, so it was told to come to an end" in told(
        driver, "Refresh “news”: its time was over"
    )
    driver = asleep()
    driver.submit(APP, NEWS)
    driver.now += 3
    driver.exit(APP, 1)
    text = told(driver, "Refresh “news”")
    assert "Feeds ended before that was done" in text and "The task is tried again in" in text
    kinds = {mark.title: mark.kind for mark in lane(driver).marks}
    assert Kind.TROUBLE in kinds.values()


def test_what_is_withdrawn_before_it_ran_says_so() -> None:
    driver = asleep()
    driver.is_now(Condition.IDLE, "no")
    driver.submit(APP, TIDY)
    driver.handle(ev.CancelAsked(APP, 1, 2, frozenset()))
    assert told(driver, "Task “tidy” withdrawn") == "The scheduled task “tidy” of Feeds was cancelled."


def test_a_continued_task_goes_on_without_the_window() -> None:
    driver = Driver(FEEDS)
    driver.open(APP)
    driver.submit(APP, ContinuedTask(f"{APP}.export", "Export"))
    driver.now += 2
    driver.complete(APP, f"{APP}.export")
    text = told(driver, "Continued “export”")
    assert text.startswith("Feeds went to work on the task “export”, which goes on without its window; 2.0 s later")


def test_bands_say_what_woke_it_and_what_holds_it() -> None:
    driver = asleep()
    driver.submit(APP, NEWS)
    driver.now += 1
    band = next(story for story in lane(driver).stories if story.title == "Feeds running unseen")
    assert "a scheduled task was due" in band.text and f"the scheduled task “{NEWS.identifier}”" in band.text


def test_conditions_stand_on_the_desks_own_lane() -> None:
    driver = asleep()
    driver.is_now(Condition.POWER, "battery")
    driver.handle(ev.ConditionForced(Condition.POWER, "external"))
    titles = [story.title for story in lane(driver, "").stories]
    assert titles[-2:] == ["Condition of the machine", "Condition simulated"]
    assert lane(driver, "").stories[-1].text == "Power: external (simulated)."


WORDS = ("request_kept", "request_cancelled", "run_begun", "run_expired", "run_over", "run_again", "stopped", "thawed")


@given(
    st.lists(
        st.builds(
            Happening,
            st.floats(0, 1000),
            st.just(APP),
            st.sampled_from(WORDS),
            st.sampled_from(("x is due", "x: failed, tried again in 30 s", "")),
            st.sampled_from(("scheduled 1", "scheduled 2", "run 1")),
            st.sampled_from((NEWS.identifier, "x")),
            st.sampled_from([*TaskEnd, "refresh", "scheduled", ""]),
        ),
        max_size=12,
    )
)
def test_whatever_is_remembered_of_them_is_told(happened: list[Happening]) -> None:
    stories, marks = tell(sorted(happened, key=lambda line: line.at), (), "Feeds", "you", {})
    assert {mark.story for mark in marks} <= {story.key for story in stories}
    assert all(story.text and "APP" not in story.text for story in stories)


def test_a_run_whose_beginning_is_forgotten_is_told_from_its_end() -> None:
    line = Happening(5.0, APP, "run_over", f"{NEWS.identifier}: completed", "scheduled 1", NEWS.identifier, "completed")
    ((story,), (mark,)) = tell([line], (), "Feeds", "you", {})
    assert story.key == mark.story and "it was done" in story.text
