"""The stage's HTML: everything escaped, every changing part present on the page under the same id."""

import re
from pathlib import Path

import msgspec

import frontdesk
from demo.network import Condition
from demo.stage import render
from demo.stage.guide import Guide
from demo.stage.scene import Scene, scene
from frontdesk import AppState, Happening, Notification, Reading
from frontdesk.terms import Explanation, Obstacle, Reason, TaskKind, TaskState
from lobby.ui import avatars
from tests.demo.stage.desks import APP, NOW, status

NASTY = '<script>alert("&")</script>'


def both() -> tuple[Scene, Scene]:
    found = status(
        AppState.SUSPENDED, shown=(Notification(NASTY, NASTY, NASTY),), happenings=(Happening(NOW, APP, "x", NASTY),)
    )
    return scene("Left", True, Condition.GOOD, found, APP), scene("Right", False, Condition.OFF, found, APP)


def test_names_and_messages_are_escaped() -> None:
    scenes = both()
    for html in (render.page(scenes, Guide(), "token"), render.live_parts(scenes[0]), render.sentence(NASTY, NASTY)):
        assert "<script>alert" not in html
        assert "&lt;script&gt;" in html


def test_every_live_part_has_its_place_on_the_page() -> None:
    scenes = both()
    page = render.page(scenes, Guide(), "token")
    for one in scenes:
        ids = re.findall(r'^<\w+ [^>]*?id="([^"]+)"', render.live_parts(one), re.MULTILINE)
        assert len(ids) == 7
        for name in ids:
            assert page.count(f'id="{name}"') == 1


def test_the_tab_counts_notifications() -> None:
    assert 'id="right-count" data-count="1">1<span class="unseen"> notification</span>' in render.live_parts(both()[1])


def test_a_person_has_the_colour_that_lobby_gives_the_name() -> None:
    stage = (render.STATIC / "stage.css").read_text()
    lobby = (Path(avatars.__file__).parent / "static" / "page.css").read_text()
    for person in ("Left", "Right"):
        found = re.search(rf"\.hue-{avatars.colour(person)} {{ background: (#\w+); }}", lobby)
        assert found and re.findall(rf"--{person.lower()}: (#\w+);", stage) == [found[1]]


def test_the_switch_that_is_on_is_pressed() -> None:
    assert 'id="right-network-off" data-act="network" data-value="off" aria-pressed="true"' in render.live_parts(
        both()[1]
    )


def test_what_is_simulated_is_marked_as_that() -> None:
    battery = Reading(frontdesk.Condition.POWER, "battery", forced=True, seen="external")
    html = render.live_parts(scene("Left", True, Condition.GOOD, status(conditions=(battery,)), APP))
    assert 'Conditions: on battery <b class="simulated">simulated</b>' in html
    assert 'id="left-power-battery" data-act="power" data-value="battery" aria-pressed="true"' in html
    assert "simulated</b>" not in render.live_parts(both()[0])


def test_without_a_desk_no_position_is_said_to_be_on() -> None:
    """What is simulated outlives the desk; the next one tells of it."""
    html = render.live_parts(scene("Left", True, Condition.GOOD, None, APP))
    assert "Conditions: no desk to tell them" in html
    assert 'id="left-power-real" data-act="power" data-value="real" aria-pressed="false" disabled' in html


def test_what_lobby_is_launched_for_later_says_what_it_waits_for() -> None:
    reason = Reason(Obstacle.NO_EXTERNAL_POWER, "needs external power: on battery (simulated)", forced=True)
    task = Explanation(APP, f"{APP}.upkeep", TaskKind.PROCESSING, TaskState.PENDING, "", (reason,))
    found = status(AppState.SUSPENDED)
    told = msgspec.structs.replace(found, apps=(msgspec.structs.replace(found.apps[0], tasks=(task,)),))
    html = render.live_parts(scene("Left", True, Condition.GOOD, told, APP))
    assert '<b title="org.frontdesk.Lobby.upkeep">upkeep</b> · processing task' in html
    assert "needs external power: on battery <span" in html
    assert "later" not in render.live_parts(scene("Left", True, Condition.GOOD, found, APP))
