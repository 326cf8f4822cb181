"""The desk in memory: what an app author may expect of it. Real apps, the real core, no time passes."""

import asyncio
import time
from pathlib import Path
from typing import cast

import msgspec
import pytest

import frontdesk
from frontdesk import AppState, Condition, Notification, PushKind
from frontdesk.testing import START, InMemoryDesk, StillBusy

NOTES = """
id = "org.example.Notes"
name = "Notes"
command = ["notes"]
background = ["push", "refresh", "processing"]
tasks = ["org.example.Notes.refresh", "org.example.Notes.upkeep"]
"""
APP = "org.example.Notes"


class Notes:
    """An app that sends for a while when it is closed, and says what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.runs: list[frontdesk.App] = []
        self.work = 10.0

    @property
    def app(self) -> frontdesk.App:
        return self.runs[-1]

    async def main(self) -> None:
        app = frontdesk.App(APP)
        self.runs.append(app)

        async def opened() -> None:
            self.heard.append("opened")
            app.report_foreground()

        async def resumed(slept_for: float) -> None:
            self.heard.append(f"resumed after {slept_for:g}")

        app.on_open, app.on_resumed = opened, resumed
        app.push_handler("news")(self.push)
        async with app:
            await app.run_until_quit()
        self.heard.append("left")

    async def push(self, push: frontdesk.Push) -> frontdesk.Answer:
        self.heard.append(f"push {push.data.decode()}")
        return frontdesk.ShowThis(Notification(id="news", title=push.data.decode()))

    async def send(self) -> None:
        try:
            async with self.app.background_task("send"):
                self.app.report_background()
                await asyncio.sleep(self.work)
                self.heard.append("sent")
        except frontdesk.TaskExpired:
            self.heard.append("expired")


async def test_an_app_is_opened_closed_suspended_and_woken_by_the_person() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        assert desk.state(APP) is AppState.FOREGROUND and notes.heard == ["opened"]
        notes.app.report_background()
        await desk.settle()
        assert desk.state(APP) is AppState.SUSPENDED
        await desk.advance(minutes=3)
        await desk.open(APP)
        assert notes.heard == ["opened", "resumed after 180", "opened"]
        await desk.quit(APP)
        assert notes.heard[-1] == "left"
        assert [each.reason for each in desk.receipts(APP)] == ["quit"]


@pytest.mark.contract("A02", "A03")
async def test_time_is_moved_by_hand_for_desk_and_app_alike() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        sending = asyncio.create_task(notes.send())
        await desk.advance(4)
        assert desk.state(APP) is AppState.BACKGROUND and notes.app.background_time_remaining() == 26
        assert desk.time() == notes.app.time() == START + 4
        await desk.advance(6)
        assert "sent" in notes.heard and desk.state(APP) is AppState.SUSPENDED and sending.done()


@pytest.mark.contract("A05")
async def test_work_that_takes_too_long_is_expired_before_time_is_up() -> None:
    async with InMemoryDesk(limits={"background": 8, "expiry_lead": 2}) as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        sending = asyncio.create_task(notes.send())
        await desk.advance(5.9)
        assert "expired" not in notes.heard
        await desk.advance(0.1)
        assert notes.heard[-1] == "expired" and desk.state(APP) is AppState.SUSPENDED and sending.done()


async def test_coroutines_of_a_frozen_app_stand_still_and_go_on_where_they_were() -> None:
    async with InMemoryDesk() as desk:
        notes, ticks = Notes(), []

        async def main() -> None:
            async def tick() -> None:
                while True:
                    await asyncio.sleep(1)
                    ticks.append(desk.time())

            ticking = asyncio.create_task(tick())
            await notes.main()
            ticking.cancel()

        desk.install(NOTES, main)
        await desk.open(APP)
        await desk.advance(3)
        notes.app.report_background()
        await desk.advance(100)
        assert len(ticks) == 3
        await desk.open(APP)
        await desk.advance(2)
        assert len(ticks) == 6  # the one that had become due meanwhile, too


async def test_a_push_wakes_the_app_and_its_answer_is_shown() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        subscribed = asyncio.create_task(notes.app.subscribe("news", kind=PushKind.CHANGEABLE_ALERT))
        await desk.settle()
        assert (await subscribed).endpoint.startswith("https://push.invalid/")
        notes.app.report_background()
        await desk.settle()
        await desk.push(APP, "news", b"rain")
        assert notes.heard[-2:] == ["resumed after 0", "push rain"]
        assert [each.notification.title for each in desk.shown()] == ["rain"]
        await desk.quit(APP)
        with pytest.raises(LookupError):
            await desk.push(APP, "weather", b"rain")


@pytest.mark.contract("L06", "A13")
async def test_the_desk_dies_and_comes_back_and_the_app_notices_nothing() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        sending = asyncio.create_task(notes.send())
        await desk.advance(4)
        await desk.restart()
        assert desk.state(APP) is AppState.BACKGROUND and [hold.name for hold in desk.row(APP).holds] == ["send"]
        assert 25 < notes.app.background_time_remaining() <= 26, "the time it had used counts"
        await desk.advance(6)
        assert notes.heard[-1] == "sent" and desk.state(APP) is AppState.SUSPENDED and sending.done()
        await desk.restart()
        assert desk.state(APP) is AppState.SUSPENDED
        await desk.open(APP)
        assert notes.heard[-1] == "opened" and len(notes.runs) == 1


@pytest.mark.contract("L06", "L13")
async def test_who_was_started_by_hand_is_no_child_of_the_keeper_and_thawed_by_the_next_desk() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.start_by_hand(APP)
        notes.app.report_background()
        await desk.advance(60)
        await desk.restart()
        await desk.advance(60)
        happened = [each.what for each in desk.status().happenings if each.app == APP]
        assert happened.count("connected") == 2 and "thawed" in happened
        assert desk.state(APP) is AppState.SUSPENDED and desk.receipts(APP) == () and len(notes.runs) == 1


async def test_a_killed_app_is_heard_no_more_and_a_crash_has_its_receipt() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        await desk.kill(APP)
        assert desk.state(APP) is AppState.STOPPED
        assert [each.reason for each in desk.receipts(APP)] == ["crashed"]
        await desk.advance(5)
        await desk.open(APP)
        assert len(notes.runs) == 2 and notes.app.receipts[0].reason == "crashed"


async def test_an_exception_out_of_main_is_a_crash_and_sys_exit_a_status() -> None:
    async with InMemoryDesk() as desk:

        async def main() -> None:
            async with frontdesk.App(APP):
                raise SystemExit(0)

        desk.install(NOTES, main)
        await desk.open(APP)
        assert [each.reason for each in desk.receipts(APP)] == ["exited"]


@pytest.mark.contract("X04")
async def test_a_second_start_opens_the_first() -> None:
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.start_by_hand(APP)
        notes.app.report_background()
        await desk.settle()
        assert desk.state(APP) is AppState.SUSPENDED

        await desk.start_by_hand(APP)
        assert desk.state(APP) is AppState.FOREGROUND and notes.heard[-1] == "opened"


async def test_a_program_is_loaded_anew_for_each_run(tmp_path: Path) -> None:
    program = tmp_path / "notes.py"
    program.write_text(
        "import frontdesk\n"
        f"app = frontdesk.App('{APP}')\n"
        "runs = []\n"
        "async def opened():\n"
        "    runs.append(app)\n"
        "    app.report_foreground()\n"
        "    app.set_page_address(str(len(runs)))\n"
        "app.on_open = opened\n"
        "async def main():\n"
        "    async with app:\n"
        "        await app.run_until_quit()\n"
    )
    manifest = tmp_path / "notes.toml"
    manifest.write_text(f'id = "{APP}"\nname = "Notes"\ncommand = ["python3", "./notes.py"]\n')
    async with InMemoryDesk() as desk:
        assert desk.install(manifest) == APP
        for _ in range(2):
            await desk.open(APP)
            assert desk.state(APP) is AppState.FOREGROUND
            await desk.quit(APP)
            assert desk.state(APP) is AppState.STOPPED


async def test_work_in_threads_is_waited_for_and_what_never_rests_is_named() -> None:
    async with InMemoryDesk(patience=1.0) as desk:
        done = []

        async def main() -> None:
            await asyncio.to_thread(time.sleep, 0.05)
            done.append("in a thread")
            while True:  # noqa: ASYNC110 (the point of it)
                await asyncio.sleep(0)

        desk.install(NOTES, main)
        with pytest.raises(StillBusy):
            await desk.start_by_hand(APP)
        assert done == ["in a thread"]


async def test_the_loop_has_its_own_clock_back_afterwards() -> None:
    loop = asyncio.get_running_loop()
    async with InMemoryDesk() as desk:
        before = loop.time()
        await desk.advance(days=365)
        assert loop.time() == pytest.approx(before + 365 * 86400)
    assert loop.time() < before + 1000 and loop.get_task_factory() is None
    await asyncio.sleep(0.001)


async def test_a_limit_that_is_none_is_refused_and_the_loop_has_its_own_clock_all_the_same() -> None:
    before = asyncio.get_running_loop().time()
    with pytest.raises(msgspec.ValidationError, match="backgruond"):
        async with InMemoryDesk(limits={"backgruond": 5}):
            pass
    await asyncio.sleep(0.001)
    assert asyncio.get_running_loop().time() > before


async def test_a_second_desk_in_the_same_loop_is_refused_and_the_first_goes_on() -> None:
    async with InMemoryDesk() as desk:
        with pytest.raises(RuntimeError, match="already"):
            async with InMemoryDesk():
                pass
        await desk.advance(hours=1)
        assert desk.time() == START + 3600


async def test_nothing_of_it_lies_in_the_home_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "home"))
    async with InMemoryDesk() as desk:
        notes = Notes()
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        await desk.quit(APP)
    assert not (tmp_path / "home").exists()


async def test_what_a_condition_cannot_be_is_refused_in_a_line() -> None:
    async with InMemoryDesk() as desk:
        for make_so in (desk.set_condition, desk.force_condition):
            with pytest.raises(ValueError, match=r"battery can be '0' to '100', and is unknown with ''; not '200'\."):
                await make_so(Condition.BATTERY, "200")
            with pytest.raises(ValueError, match="pwer"):
                await make_so(cast(Condition, "pwer"), "battery")
        assert "200" not in [each.value for each in desk.status().conditions]


async def test_time_does_not_pass_backwards() -> None:
    async with InMemoryDesk() as desk:
        with pytest.raises(ValueError, match="set_wall_clock"):
            await desk.advance(seconds=60, hours=-1)
        assert desk.time() == START


async def test_the_name_of_a_manifest_is_not_taken_for_one() -> None:
    async with InMemoryDesk() as desk:
        with pytest.raises(TypeError, match=r"Path\('notes\.toml'\)"):
            desk.install("notes.toml")
