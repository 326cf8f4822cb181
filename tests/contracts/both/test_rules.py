"""Rules of the contract that the desk in memory keeps as the real one does: background tasks, life, scheduled tasks."""

from itertools import pairwise

import pytest

from frontdesk import AppState, Condition, ContinuedTask, ExistingWork, Obstacle, ProcessingTask, RefreshTask, Retry
from tests.contracts.both.ground import LIMITS, Ground, asleep, obstacles, refused, submit, until_state

pytestmark = pytest.mark.asyncio(loop_scope="module")

S = AppState


# --- background tasks -------------------------------------------------------------------------------------------------


@pytest.mark.contract("A01", "A02", "A11", "L01")
async def test_tasks_keep_the_app_awake_and_the_last_to_end_lets_it_sleep(ground: Ground) -> None:
    player = await ground.launch()
    tasks = [await player.do("begin", name=name, handler="forgets") for name in ("upload", "save")]
    assert len({*tasks, 0}) == 3
    player.order("background")
    row = await ground.until(lambda row: [hold.name for hold in row.holds] == ["upload", "save"])
    assert row.state is S.BACKGROUND and row.seconds_left is not None and row.seconds_left <= LIMITS["background"]
    await player.do("end", task=tasks[0])
    await ground.until(lambda row: [hold.name for hold in row.holds] == ["save"])
    player.order("end", task=tasks[1])
    await until_state(ground, S.SUSPENDED)
    assert player.count("expired") == 0


@pytest.mark.contract("A03", "A05", "A06", "A07", "L05")
async def test_who_does_not_end_a_task_in_time_is_told_once_and_then_stopped(ground: Ground) -> None:
    player = await ground.launch()
    assert await player.do("remaining") is None
    for name in ("upload", "save"):
        await player.do("begin", name=name, handler="forgets")
    player.order("background")
    left = (await ground.until(lambda row: row.state is S.BACKGROUND)).since
    expired = [await player.hears("expired"), await player.hears("expired")]
    assert [each["task"] for each in expired] == ["upload", "save"]
    assert all(each["at"] > left + LIMITS["background"] - LIMITS["expiry_lead"] - 0.5 for each in expired)
    row = await until_state(ground, S.STOPPED)
    assert row.since >= left + LIMITS["background"] and player.count("expired") == 2
    receipt = (await ground.receipts())[0]
    assert (receipt.reason, receipt.tasks, receipt.limit) == (
        "task_not_ended",
        ("upload", "save"),
        LIMITS["background"],
    )
    assert (await ground.launch()).first["receipts"][0]["reason"] == "task_not_ended"


@pytest.mark.contract("A03", "A04")
async def test_time_is_full_again_after_the_app_was_in_front(ground: Ground) -> None:
    player = await ground.launch()
    await player.do("begin", name="upload", handler="forgets")
    player.order("background")
    await until_state(ground, S.BACKGROUND)
    left = await player.do("remaining")
    await ground.pass_time(0.6)
    assert await player.do("remaining") < left - 0.59 and left <= LIMITS["background"]
    await player.do("foreground")
    await until_state(ground, S.FOREGROUND)
    assert await player.do("remaining") is None
    begun = await ground.now()
    await player.do("background")
    await until_state(ground, S.BACKGROUND)
    left = await player.do("remaining")
    assert left > LIMITS["background"] - (await ground.now() - begun) - 0.01


@pytest.mark.contract("A08", "A09")
async def test_ending_what_is_not_open_is_noted_and_too_many_open_tasks_are_not_borne(ground: Ground) -> None:
    player = await ground.launch()
    await player.do("end", task=4711)
    await player.do("pending")  # which is answered, so what was said before it has been heard
    assert "task_unknown" in await ground.happenings()
    for number in range(int(LIMITS["most_tasks"]) + 1):
        player.order("begin", name=f"task {number}", handler="forgets")
    await until_state(ground, S.STOPPED)
    assert (await ground.receipts())[0].reason == "too_many_tasks"


# --- scheduled tasks --------------------------------------------------------------------------------------------------


@pytest.mark.contract("S01", "S03", "S04", "S13")
async def test_what_may_be_submitted_listed_and_cancelled(ground: Ground) -> None:
    player = await ground.launch()
    await ground.condition(Condition.IDLE, "no")
    assert await refused(player, RefreshTask("org.example.another")) == "not_permitted"
    names = [f"{ground.app}.more{number}" for number in range(4)]
    for name in names[:3]:
        await submit(player, ProcessingTask(name))
    assert await refused(player, ProcessingTask(names[3])) == "too_many_pending_requests"
    await submit(player, ProcessingTask(names[0], requires_external_power=True))
    listed = await player.do("pending")
    assert sorted(each[:2] for each in listed) == [[name, "pending"] for name in names[:3]]
    await player.do("cancel", task=names[1])
    assert sorted(each[0] for each in await player.do("pending")) == [names[0], names[2]]
    await player.do("cancel all")
    assert await player.do("pending") == [] and (await ground.row()).tasks == ()


@pytest.mark.contract("S05", "S06", "S08", "S12", "S07", "L06")
async def test_a_refresh_is_launched_once_not_before_its_time_though_the_desk_dies(ground: Ground) -> None:
    name = f"{ground.app}.completes"
    player = await ground.launch()
    earliest = await ground.now() + 1.5
    await submit(player, RefreshTask(name, earliest))
    player.order("background")
    await until_state(ground, S.SUSPENDED)
    assert await obstacles(ground, name) == [Obstacle.TOO_EARLY]
    await ground.restart_desk()
    given = await player.hears("task")
    assert earliest - 0.01 <= given["at"] and given["left"] <= LIMITS["refresh"]
    await until_state(ground, S.SUSPENDED)
    assert player.count("task") == 1 and (await ground.row()).tasks == () and await ground.task_receipts() == ()


@pytest.mark.contract("S08")
async def test_what_is_due_together_comes_in_one_launch(ground: Ground) -> None:
    await ground.condition(Condition.IDLE, "no")
    names = [f"{ground.app}.more{number}" for number in range(2)]
    player = await asleep(ground, *(ProcessingTask(name) for name in names))
    await ground.condition(Condition.IDLE, "yes")
    assert sorted([(await player.hears("task"))["task"], (await player.hears("task"))["task"]]) == names
    assert (await ground.happenings()).count("thawed") == 1
    for name in names:
        await player.do("complete", task=name, success=True)
    await until_state(ground, S.SUSPENDED)


@pytest.mark.contract("S09", "S10", "S11", "S16")
@pytest.mark.parametrize(
    ("condition", "bad", "obstacle", "end"),
    [
        (Condition.IDLE, "no", Obstacle.MACHINE_IN_USE, "in_use"),
        (Condition.POWER, "battery", Obstacle.NO_EXTERNAL_POWER, "condition_lost"),
    ],
)
async def test_a_task_waits_for_its_condition_and_is_expired_without(
    ground: Ground, condition: Condition, bad: str, obstacle: Obstacle, end: str
) -> None:
    name = f"{ground.app}.waits"
    await ground.condition(condition, bad)
    player = await asleep(ground, ProcessingTask(name, requires_external_power=True))
    assert await obstacles(ground, name) == [obstacle]
    [told] = await ground.explain(name)
    assert told.reasons[0].forced and told.reasons[0].now and told.reasons[0].text
    await ground.condition(condition, "yes" if condition is Condition.IDLE else "external")
    assert (await player.hears("task"))["task"] == name
    await ground.condition(condition, bad)
    assert (await player.hears("task_expired"))["left"] <= LIMITS["expiry_lead"]
    await until_state(ground, S.SUSPENDED)
    [receipt] = await ground.task_receipts()
    assert (receipt.identifier, receipt.end) == (name, end) and receipt.text


@pytest.mark.contract("S11")
async def test_without_an_expiration_handler_the_task_is_over_at_once(ground: Ground) -> None:
    name = f"{ground.app}.unguarded"
    player = await asleep(ground, ProcessingTask(name))
    await player.hears("task")
    await player.hears("task_over")
    await until_state(ground, S.SUSPENDED)
    [receipt] = await ground.task_receipts()
    assert (receipt.end, receipt.limit) == ("time_over", LIMITS["processing"])


@pytest.mark.contract("S12", "L05")
async def test_a_task_that_is_never_completed_has_the_app_stopped(ground: Ground) -> None:
    name = f"{ground.app}.forgets"
    await ground.condition(Condition.NETWORK, "offline")
    player = await asleep(ground, RefreshTask(name, requires_network=True))
    await ground.condition(Condition.NETWORK, "online")
    await player.hears("task_expired")
    await until_state(ground, S.STOPPED)
    receipt = (await ground.receipts())[0]
    assert receipt.reason == "task_not_completed" and name in (*receipt.tasks, receipt.text)
    assert (await ground.launch()).first["task_receipts"] == [[name, "time_over"]]


@pytest.mark.contract("S17")
async def test_a_task_is_launched_and_expired_by_hand(ground: Ground) -> None:
    name = f"{ground.app}.waits"
    player = await asleep(ground, RefreshTask(name, await ground.now() + 3600, requires_network=True))
    await ground.simulate_launch(name)
    assert (await player.hears("task"))["attempt"] == 1
    await ground.simulate_expire(name)
    await player.hears("task_expired")
    await until_state(ground, S.SUSPENDED)
    assert [receipt.end for receipt in await ground.task_receipts()] == ["simulated"]


@pytest.mark.contract("S19")
async def test_what_failed_is_tried_again_after_a_pause_and_a_pending_request_can_be_kept(ground: Ground) -> None:
    name = f"{ground.app}.fails"
    player = await asleep(ground)
    await ground.condition(Condition.IDLE, "no")
    await ground.open()
    await player.hears("open")
    await player.do("foreground")
    await submit(player, ProcessingTask(name, retry=Retry(first=0.4)))
    await submit(player, ProcessingTask(name), ExistingWork.KEEP)
    player.order("background")
    await ground.condition(Condition.IDLE, "yes")
    tried = [await player.hears("task") for _ in range(3)]
    assert [each["attempt"] for each in tried] == [1, 2, 3]
    pauses = [after["at"] - before["at"] for before, after in pairwise(tried)]
    assert pauses[0] > 0.39 and pauses[1] > 0.79


@pytest.mark.contract("L07")
async def test_an_app_that_dies_over_a_task_is_given_it_again(ground: Ground) -> None:
    name = f"{ground.app}.waits"
    await ground.condition(Condition.NETWORK, "offline")
    player = await asleep(ground, RefreshTask(name, requires_network=True))
    await ground.condition(Condition.NETWORK, "online")
    assert (await player.hears("task"))["attempt"] == 1
    await ground.kill_app()
    again = await ground.player()
    assert (await again.hears("task"))["attempt"] == 2
    await again.do("complete", task=name, success=True)
    await until_state(ground, S.SUSPENDED)
    assert (await ground.row()).tasks == ()


@pytest.mark.contract("L04", "L10", "S16")
async def test_who_was_quit_or_switched_off_is_not_launched_until_the_person_wants_it(ground: Ground) -> None:
    name = f"{ground.app}.completes"
    await ground.condition(Condition.NETWORK, "offline")
    player = await asleep(ground, RefreshTask(name, requires_network=True))
    await ground.quit()
    await until_state(ground, S.STOPPED)
    await ground.condition(Condition.NETWORK, "online")
    assert Obstacle.APP_QUIT in await obstacles(ground, name) and player.count("task") == 0
    assert (await ground.row()).state is S.STOPPED
    await ground.switch_background(on=False)
    again = await ground.launch()
    assert again.first["background"] is False
    assert await refused(again, ProcessingTask(f"{ground.app}.waits")) == "unavailable"
    assert Obstacle.BACKGROUND_OFF in await obstacles(ground, name)
    await ground.switch_background(on=True)
    again.order("background")
    assert (await again.hears("task"))["task"] == name


@pytest.mark.contract("S18")
async def test_a_continued_task_begins_in_front_and_goes_on_without_the_window(ground: Ground) -> None:
    name = f"{ground.app}.waits"
    player = await ground.launch()
    await submit(player, ContinuedTask(name, title="Export"))
    await player.hears("task")
    player.order("background")
    await ground.until(lambda row: row.state is S.BACKGROUND and "Export" in " ".join(hold.name for hold in row.holds))
    await player.do("progress", task=name, done=0.5)
    await player.do("complete", task=name, success=True)
    await until_state(ground, S.SUSPENDED)
