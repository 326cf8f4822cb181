"""Background tasks with a real desk and real apps: time that runs out, handlers, receipts, the guarded form."""

import asyncio
import time

import pytest

from frontdesk import AppState
from tests.desks import APP, PATIENCE, DeskHome, Strings, row_of

LIMIT, LEAD = 5.0, 2.5
"""Background time and how long before its end handlers are called, in seconds: short, and long enough for a machine
that is busy with other things to do in time what is done in time on an idle one."""


async def time_over(puppet: Strings) -> tuple[float, float]:
    """The moment at which the app's background time is over, by its own word: not before the one, nor after the other.

    Asking takes its time, and how much of that passed before the app looked nobody can know.
    """
    before = time.time()
    left = await puppet.do("remaining")
    return before + left, time.time() + left


@pytest.fixture
async def hasty(home: DeskHome) -> DeskHome:
    """A desk with little background time."""
    home.settings(background=LIMIT, expiry_lead=LEAD)
    await home.start()
    await home.install()
    return home


@pytest.mark.contract("A01", "A11")
async def test_tasks_have_names_and_different_identifiers_and_keep_the_app_awake(desk: DeskHome) -> None:
    puppet = await desk.launch()
    tasks = [await puppet.do("begin", name=name, handler="forgets") for name in ("upload", "upload", "save")]
    assert len(set(tasks)) == 3 and 0 not in tasks
    puppet.order("background")
    status = await desk.until(
        lambda status: [hold.name for hold in row_of(status).holds] == ["upload", "upload", "save"]
    )
    row = row_of(status)
    assert row.state is AppState.BACKGROUND
    assert row.seconds_left is not None and 25 < row.seconds_left <= 30
    assert all(hold.kind == "task" and 0 <= status.now - hold.since < PATIENCE for hold in row.holds)
    _, out, _ = await desk.command("status", "--once")
    assert "task 'save'" in out and "background" in out
    for task in tasks[:2]:
        await puppet.do("end", task=task)
    await desk.until(lambda status: [hold.name for hold in row_of(status).holds] == ["save"])
    puppet.order("end", task=tasks[2])
    await desk.until_state(AppState.SUSPENDED)


@pytest.mark.contract("A02")
async def test_last_task_ended_means_suspended_at_once(desk: DeskHome) -> None:
    puppet = await desk.launch()
    took: list[float] = []
    # A machine that is busy with other things may take longer now and then; it is the desk that is measured.
    while min(took, default=1.0) >= 0.05 and len(took) < 20:
        task = await puppet.do("begin", name="upload", handler="forgets")
        puppet.order("background")
        await desk.until(lambda status: [hold.kind for hold in row_of(status).holds] == ["task"])
        begun = time.time()
        puppet.order("end", task=task)
        # Frozen before it is told: the desk's own clock then says when.
        row = await desk.until_state(AppState.SUSPENDED)
        took.append(row.since - begun)
        await desk.control.open(APP)
        await puppet.hears("open")
        await puppet.do("foreground")
    print("from the test's word to suspended, in ms:", [round(1000 * each, 1) for each in took])
    assert min(took) < 0.05
    happenings = [each.what for each in (await desk.status()).happenings if each.app == APP]
    assert all(happenings[at + 1] == "suspended" for at, what in enumerate(happenings) if what == "task_ended")


@pytest.mark.contract("A02")
async def test_ending_one_task_and_beginning_the_next_does_not_let_it_fall_asleep(desk: DeskHome) -> None:
    puppet = await desk.launch()
    task = await puppet.do("begin", name="upload", handler="forgets")
    puppet.order("background")
    await desk.until(lambda status: [hold.kind for hold in row_of(status).holds] == ["task"])
    task = await puppet.do("end and begin", task=task)
    await desk.until(lambda status: [hold.name for hold in row_of(status).holds] == ["next"])
    assert puppet.count("resumed") == 0
    assert "suspended" not in [each.what for each in (await desk.status()).happenings]


@pytest.mark.contract("A03", "A05", "A06", "A07", "L05")
async def test_time_belongs_to_the_app_and_who_does_not_end_a_task_is_stopped(hasty: DeskHome) -> None:
    puppet = await hasty.launch()
    assert await puppet.do("remaining") is None  # infinite, in front of a person
    await puppet.do("begin", name="upload", handler="forgets")
    puppet.order("background")
    left = row_of(await hasty.until(lambda status: row_of(status).state is AppState.BACKGROUND)).since
    first = await puppet.do("remaining")
    assert 0 < first <= LIMIT
    await asyncio.sleep(0.5)  # a second task later on adds no time
    await puppet.do("begin", name="second", handler="forgets")
    assert await puppet.do("remaining") <= first - 0.5
    expired = [await puppet.hears("expired"), await puppet.hears("expired")]
    assert [each["task"] for each in expired] == ["upload", "second"]
    assert all(left + LIMIT - LEAD - 0.5 < each["at"] < left + LIMIT for each in expired)
    row = await hasty.until_state(AppState.STOPPED)
    assert left + LIMIT <= row.since < left + LIMIT + PATIENCE
    assert puppet.count("expired") == 2
    receipt = (await hasty.control.receipts(APP))[0]
    assert receipt.reason == "task_not_ended" and receipt.tasks == ("upload", "second")
    assert receipt.limit == LIMIT and receipt.used is not None and LIMIT <= receipt.used < LIMIT + PATIENCE
    _, out, _ = await hasty.command("log", APP)
    assert "upload" in out and "background task not ended in time" in out
    again = await hasty.launch()
    assert again.first["receipts"][0]["tasks"] == ["upload", "second"]


@pytest.mark.contract("A05")
async def test_a_handler_that_ends_its_task_gets_the_app_suspended_not_stopped(hasty: DeskHome) -> None:
    puppet = await hasty.launch()
    await puppet.do("begin", name="upload", handler="ends")
    await puppet.do("begin", name="without handler", handler="none")
    puppet.order("background")
    await puppet.hears("expired")
    await hasty.until_state(AppState.SUSPENDED)
    assert puppet.count("expired") == 1
    assert await hasty.control.receipts(APP) == ()


@pytest.mark.contract("A04")
async def test_time_is_full_again_each_time_the_app_comes_to_the_front(desk: DeskHome) -> None:
    puppet = await desk.launch()
    await puppet.do("begin", name="upload", handler="forgets")
    for _ in range(2):
        await puppet.do("background")
        left = row_of(await desk.until(lambda status: row_of(status).state is AppState.BACKGROUND)).since
        _, over = await time_over(puppet)
        assert over > left + 30.0 - 0.5
        await asyncio.sleep(1.2)  # time is to be used up
        assert await puppet.do("remaining") < 30.0 - 1
        await puppet.do("foreground")
        await desk.until(lambda status: row_of(status).state is AppState.FOREGROUND)
        assert await puppet.do("remaining") is None
    assert puppet.count("expired") == 0


@pytest.mark.contract("A08")
async def test_ending_what_is_not_open_is_reported_and_harms_nothing(desk: DeskHome) -> None:
    puppet = await desk.launch()
    await puppet.do("end", task=4711)
    assert "4711" in await desk.happened("task_unknown")
    task = await puppet.do("begin", name="upload", handler="forgets")
    await puppet.do("end", task=task)
    await puppet.do("end", task=task)
    await desk.until(lambda status: [each.what for each in status.happenings].count("task_unknown") == 2)
    assert (await desk.row()).state is AppState.FOREGROUND
    log = (desk.home / "state" / "logs" / f"{APP}.log").read_text()
    assert "4711 is not open" in log


@pytest.mark.contract("A09")
async def test_too_many_open_tasks_stop_the_app_with_a_reason_of_its_own(home: DeskHome) -> None:
    home.settings(most_tasks=4)
    await home.start()
    await home.install()
    puppet = await home.launch()
    for number in range(4):
        await puppet.do("begin", name=f"task {number}", handler="forgets")
    puppet.order("begin", name="one more", handler="forgets")
    await home.until_state(AppState.STOPPED)
    receipt = (await home.control.receipts(APP))[0]
    assert receipt.reason == "too_many_tasks" and receipt.limit == 4 and receipt.used == 5


@pytest.mark.contract("A10")
async def test_without_background_running_begin_says_so_and_the_app_goes_on_in_front(home: DeskHome) -> None:
    home.settings(f'background_off = ["{APP}"]')
    await home.start()
    await home.install()
    puppet = await home.launch()
    assert puppet.first["background"] is False
    assert await puppet.do("begin", name="upload", handler="forgets") == 0
    await puppet.do("end", task=0)
    await puppet.do("guard", name="send", way="done")
    assert (await puppet.hears("guarded"))["how"] == "done"
    row = await home.row()
    assert row.state is AppState.FOREGROUND and row.holds == ()
    puppet.order("background")
    await home.until_state(AppState.SUSPENDED)


@pytest.mark.contract("A12")
@pytest.mark.parametrize(("way", "how"), [("done", "done"), ("fail", "failed"), ("until told", "cancelled")])
async def test_guarded_work_ends_its_task_on_success_error_and_cancellation(desk: DeskHome, way: str, how: str) -> None:
    puppet = await desk.launch()
    await puppet.do("begin", name="keeps it awake", handler="forgets")
    await puppet.do("background")
    await puppet.do("guard", name="send", way=way)
    await puppet.hears("working")
    if way == "until told":
        await desk.until(lambda status: "send" in [hold.name for hold in row_of(status).holds])
        await puppet.do("cancel guarded")
    assert (await puppet.hears("guarded"))["how"] == how
    assert "send" in await desk.happened("task_ended")
    await desk.until(lambda status: [hold.name for hold in row_of(status).holds] == ["keeps it awake"])


@pytest.mark.contract("A12", "A05")
async def test_guarded_work_that_runs_out_of_time_is_cancelled_and_the_app_sleeps(hasty: DeskHome) -> None:
    puppet = await hasty.launch()
    await puppet.do("guard", name="send", way="until told")
    puppet.order("background")
    expired = await puppet.hears("guarded")
    assert expired["how"] == "expired" and "send" in expired["text"]
    await hasty.until_state(AppState.SUSPENDED)
    assert await hasty.control.receipts(APP) == ()


@pytest.mark.contract("A13", "L06")
async def test_desk_killed_during_guarded_work_harms_nothing_and_counts_the_time_used(home: DeskHome) -> None:
    home.settings(background=9.0, expiry_lead=LEAD)
    await home.start()
    await home.install()
    puppet = await home.launch()
    await puppet.do("guard", name="send", way="until told")
    await puppet.do("background")
    await home.until(lambda status: [hold.name for hold in row_of(status).holds] == ["send"])
    earliest, latest = await time_over(puppet)
    await home.kill_desk()
    # Taken up again, with its name, by the next desk.
    row = row_of(await home.until(lambda status: [hold.name for hold in row_of(status).holds] == ["send"]))
    assert row.pid == puppet.pid and row.state is AppState.BACKGROUND
    not_before, not_after = await time_over(puppet)
    assert not_before - 0.5 < latest and earliest - 0.5 < not_after, "the same moment as before"
    expired = await puppet.hears("guarded")
    assert expired["how"] == "expired"
    assert earliest - LEAD - 0.5 < expired["at"] < latest
    await home.until_state(AppState.SUSPENDED)
    assert puppet.count("guarded") == 1


@pytest.mark.contract("A13")
async def test_task_ended_while_there_is_no_desk_is_ended_for_the_next(desk: DeskHome) -> None:
    puppet = await desk.launch()
    task = await puppet.do("begin", name="send", handler="forgets")
    await puppet.do("background")
    await desk.until(lambda status: [hold.name for hold in row_of(status).holds] == ["send"])
    await desk.kill_desk()
    puppet.order("end", task=task)
    row = await desk.until_state(AppState.SUSPENDED)
    assert row.pid == puppet.pid
