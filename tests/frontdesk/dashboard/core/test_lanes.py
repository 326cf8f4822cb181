"""Whatever the desk remembers, each lane is covered without overlap, and every mark stands in one cluster."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.dashboard.core.lanes import AWAY, OFFLINE, QUIT, SECONDS, UNKNOWN, UP, Gap, Lane, clusters, lanes
from frontdesk.dashboard.core.threads import Kind, Mark
from frontdesk.terms import AppState, AppStatus, DeskStatus, Happening, Hold, Span, StopReason, WakeReason

S = AppState
NOW = 1_700_000_000.0
APP = "org.example.notes"


def desk(
    *spans: Span, state: AppState = S.SUSPENDED, since: float = NOW - 5, lines: tuple[Happening, ...] = ()
) -> DeskStatus:
    row = AppStatus(APP, "Notes", state, since)
    return DeskStatus(NOW, 1, "1", (row,), (), lines, spans=spans, since=NOW - 300)


def lane(status: DeskStatus, **more: object) -> Lane:
    return lanes(status, NOW, **more)[1]  # type: ignore[arg-type]


def is_covered(shown: Lane) -> None:
    """From ten minutes ago to now, without gap or overlap; the last band lasts."""
    assert shown.bands[0].since == NOW - SECONDS and shown.bands[-1].until is None
    for before, after in pairwise(shown.bands):
        assert before.until == after.since > before.since
    assert len({band.key for band in shown.bands}) == len(shown.bands)
    stories = {story.key for story in shown.stories}
    assert {band.story for band in shown.bands if band.story} | {mark.story for mark in shown.marks} == stories


def test_a_desk_that_remembers_nothing_shows_what_is_now() -> None:
    shown = lane(desk())
    is_covered(shown)
    assert [(band.state, band.since) for band in shown.bands] == [(UNKNOWN, NOW - SECONDS), ("suspended", NOW - 5)]


def test_what_ended_before_the_time_laid_out_is_left_out_and_what_reaches_in_begins_at_its_start() -> None:
    spans = (
        Span(APP, S.FOREGROUND, NOW - 2000, NOW - 900),
        Span(APP, S.SUSPENDED, NOW - 900, NOW - 60),
        Span(APP, S.BACKGROUND, NOW - 60, None, "push", (Hold("push", "messages", NOW - 60),)),
    )
    shown = lane(desk(*spans, state=S.BACKGROUND, since=NOW - 60))
    is_covered(shown)
    assert [band.state for band in shown.bands] == ["suspended", "background"]
    texts = [story.text for story in shown.stories]
    assert "(14 min)" in texts[0] and "frozen" in texts[0]
    assert "a push had come for it. It is held awake by a push it looks at." in texts[1]


def test_a_time_without_a_desk_is_a_band_of_the_desk() -> None:
    status = desk(lines=(Happening(NOW - 500, APP, "foreground", "a person sees it"),))
    bands = lanes(status, NOW, gaps=(Gap(NOW - 40, NOW - 38.8),))[0].bands
    assert [band.state for band in bands] == [UNKNOWN, UP, AWAY, UP]
    assert [round(band.since - NOW, 1) for band in bands] == [-600, -500, -40, -38.8]
    away = lanes(status, NOW, gaps=(Gap(NOW - 3, None),))[0]
    assert away.bands[-1].state == AWAY and "No desk answers" in away.stories[-1].text


def service(what: str, ago: float, number: int) -> Happening:
    return Happening(NOW - ago, "", f"push_service_{what}", "…", number=number)


def test_a_time_without_the_push_service_is_a_band_of_the_desk() -> None:
    status = desk(lines=(service("lost", 200, 1), service("back", 106, 2), service("lost", 30, 3)))
    shown = lanes(status, NOW)[0]
    is_covered(shown)
    assert [(band.state, round(band.since - NOW)) for band in shown.bands] == [
        (UNKNOWN, -600), (UP, -300), (OFFLINE, -200), (UP, -106), (OFFLINE, -30)
    ]  # fmt: skip
    stories = {story.key: story.title for story in shown.stories}
    assert [stories[band.story] for band in shown.bands if band.story] == ["Push service away"] * 2
    assert shown.bands[-1].title == "The desk does not reach the push service"


def test_a_time_without_the_push_service_ends_with_the_desk_that_missed_it() -> None:
    """The next one finds it there, and has nothing to say; whether it was killed or stopped in order."""
    again = Happening(NOW - 180, "", "restarted", "started again", why="killed", number=2)
    killed = desk(lines=(service("lost", 200, 1), again))
    bands = lanes(killed, NOW, gaps=(Gap(NOW - 190, NOW - 180),))[0].bands[1:]
    assert [(band.state, round(band.since - NOW)) for band in bands] == [
        (UP, -300), (OFFLINE, -200), (AWAY, -190), (UP, -180)
    ]  # fmt: skip
    in_order = desk(lines=(service("lost", 400, 1),))
    bands = lanes(in_order, NOW)[0].bands[1:]
    assert [(band.state, round(band.since - NOW)) for band in bands] == [(OFFLINE, -400), (UP, -300)]


def test_a_lane_says_from_when_on_it_has_marks_if_bands_go_further_back() -> None:
    spans = (
        Span(APP, S.FOREGROUND, NOW - 200, NOW - 100),
        Span(APP, S.SUSPENDED, NOW - 100, NOW - 50),
        Span(APP, S.FOREGROUND, NOW - 50, None),
    )
    front = Happening(NOW - 50, APP, "foreground", "a person sees it")
    asleep = Happening(NOW - 100, APP, "suspended", "nothing holds it: suspended")
    begun = Happening(NOW - 200, APP, "foreground", "a person sees it")

    def from_when(*lines: Happening) -> float | None:
        return lane(desk(*spans, state=S.FOREGROUND, since=NOW - 50, lines=lines)).marks_from

    assert from_when(front) == NOW - 50
    assert from_when(asleep, front) == NOW - 100
    assert from_when(begun, asleep, front) is None, "all of it is there"
    assert from_when(Happening(NOW - 20, "other", "foreground", "a person sees it")) == NOW - 20


def test_an_app_that_never_ran_before_has_forgotten_nothing() -> None:
    """That it was registered and stopped is no line of the list."""
    spans = (Span(APP, S.STOPPED, NOW - 200, NOW - 50), Span(APP, S.LAUNCHING, NOW - 50, None))
    lines = (Happening(NOW - 50, APP, "launched", "launched"),)
    assert lane(desk(*spans, state=S.LAUNCHING, since=NOW - 50, lines=lines)).marks_from is None


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("killed", "Its keeper started it again and it went on from its last commit"),
        ("failed", "Its keeper started it again and it went on from its last commit"),
        ("keeper_lost", "Its keeper was gone, too; started anew, it went on from its last commit"),
        ("", "It had been stopped in order, and its apps with it"),
    ],
)
def test_a_time_without_a_desk_is_told_as_the_next_one_found_it(why: str, told: str) -> None:
    before = Happening(NOW - 80, "", "restarted", "started again. It was killed.", why="killed")
    found = Happening(NOW - 38.9, "", "restarted", "started again", why=why)
    status = desk(lines=(before, found) if why else (before,))
    (away,) = [story for story in lanes(status, NOW, gaps=(Gap(NOW - 40, NOW - 38.8),))[0].stories if "aw" in story.key]
    assert away.text.startswith(f"There was no desk for 1.2 s. {told}; ")


def test_a_line_that_only_the_stage_knows_has_its_mark_and_story() -> None:
    noted = Happening(NOW - 1, "", "desk_back", "the desk was killed; back after 1.2 s")
    shown = lanes(desk(), NOW, noted=(noted,))[0]
    assert [mark.kind for mark in shown.marks] == [Kind.DESK]
    assert shown.stories[0].text == "The desk was killed; back after 1.2 s."


def test_a_sleep_says_why_it_began_and_why_it_ended() -> None:
    spans = (
        Span(APP, S.BACKGROUND, NOW - 90, NOW - 80, "left"),
        Span(APP, S.SUSPENDED, NOW - 80, NOW - 60),
        Span(APP, S.BACKGROUND, NOW - 60, NOW - 50, WakeReason.PUSH),
        Span(APP, S.SUSPENDED, NOW - 50, NOW - 40),
        Span(APP, S.STOPPED, NOW - 40, None, StopReason.SUSPENDED_LONG),
    )
    texts = [story.text for story in lane(desk(*spans, state=S.STOPPED, since=NOW - 40), who="Right").stories]
    assert "Right had closed its window, and nothing held it awake." in texts[1]
    assert texts[1].endswith("It was woken because a push had come for it.")
    assert "nothing held it awake any more." in texts[3]
    assert texts[3].endswith("Then it was stopped: it had slept so long that the desk gave its memory back.")
    assert ": it had slept so long" in texts[4] and texts[4].endswith("A push, or a look at its window, starts it.")


def test_what_was_quit_looks_and_reads_unlike_what_is_stopped() -> None:
    quit_while_running = Span(APP, S.STOPPED, NOW - 40, None, StopReason.QUIT)
    shown = lane(desk(quit_while_running, state=S.STOPPED, since=NOW - 40))
    assert [band.state for band in shown.bands][-1] == QUIT
    assert shown.stories[-1].title == "Notes quit" and "Nothing wakes it" in shown.stories[-1].text
    row = AppStatus(APP, "Notes", S.STOPPED, NOW - 40, quit=True)
    stopped_long_ago = Span(APP, S.STOPPED, NOW - 40, None, StopReason.SUSPENDED_LONG)
    status = DeskStatus(NOW, 1, "1", (row,), (), (), spans=(stopped_long_ago,))
    assert lanes(status, NOW)[1].bands[-1].state == QUIT, "quit when it had no process any more"


moments = st.floats(NOW - 1000, NOW + 50)
spans = st.builds(
    Span, st.sampled_from([APP, "a.b"]), st.sampled_from(AppState), moments, st.none() | moments, st.text(max_size=3)
)
lines = st.builds(Happening, moments, st.sampled_from([APP, ""]), st.sampled_from(["push", "stopped", "x"]), st.text())
gaps = st.builds(Gap, moments, st.none() | moments)


@given(st.lists(spans), st.lists(lines), st.lists(gaps), st.sampled_from(AppState), moments)
def test_any_history_is_laid_out(
    of_spans: list[Span], of_lines: list[Happening], of_gaps: list[Gap], state: AppState, since: float
) -> None:
    for shown in lanes(desk(*of_spans, state=state, since=since, lines=tuple(of_lines)), NOW, gaps=of_gaps):
        is_covered(shown)
        assert shown.key == "" or shown.bands[-1].state == state
        assert all(NOW - SECONDS <= mark.at <= NOW for mark in shown.marks)


@given(st.lists(st.floats(0, 600)), st.floats(0.1, 60))
def test_clusters_stand_apart_and_lose_no_mark(moments: list[float], apart: float) -> None:
    marks = [Mark(str(number), at, Kind.PUSH, "Push", "s") for number, at in enumerate(moments)]
    found = clusters(marks, apart)
    assert all(after.at - before.at >= apart for before, after in pairwise(found))
    assert sorted(mark.key for each in found for mark in each.marks) == sorted(mark.key for mark in marks)
    assert all(each.at == each.marks[0].at for each in found)


def test_times_without_a_desk_that_overlap_are_one() -> None:
    gaps = (Gap(NOW - 90, NOW - 60), Gap(NOW - 90, NOW - 70), Gap(NOW - 65, None))
    shown = lanes(desk(), NOW, gaps=gaps)[0]
    is_covered(shown)
    assert [band.since for band in shown.bands if band.state == AWAY] == [NOW - 90]
