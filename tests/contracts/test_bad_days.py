"""Bad days of a real desk: full disk, broken database, wrong settings, a second desk. What can go on goes on."""

import pytest

from frontdesk import AppState
from tests.desks import APP, DeskHome, RunningPushService, row_of
from tests.full_disk import no_room
from tests.web_push import send, subscribed


@pytest.mark.contract("L06", "P09")
async def test_full_disk_is_said_accepts_nothing_and_goes_on_when_there_is_room(
    home: DeskHome, push_service: RunningPushService
) -> None:
    await home.start_reachable(push_service)
    puppet = await home.launch()
    to = await subscribed(puppet)
    desk = (await home.status()).pid
    with no_room(desk):
        refused = await puppet.fails("notify", id="n", title="Not kept")
        assert refused["reason"] == "store_unavailable" and "cannot write" in refused["text"]
        status = await home.status()
        assert "cannot write" in status.trouble
        _, out, _ = await home.command("status", "--once")
        assert "! The desk cannot write" in out
        # A push that cannot be kept is not acknowledged: the push service has it still.
        assert await send(to, answer="this", id="p", body="kept by the service") == 201
    await home.until(lambda status: status.trouble == "", within=40)
    await puppet.do("notify", id="n", title="Kept")
    status = await home.until(
        lambda status: {each.notification.title for each in status.shown} >= {"Kept", "Decrypted"}
    )
    assert status.pid == desk
    await home.kill_desk()
    status = await home.until(lambda status: status.pid != desk)
    assert {each.notification.title for each in status.shown} >= {"Kept", "Decrypted"}
    assert puppet.count("push") == 1


async def test_broken_database_is_moved_aside_said_and_apps_are_kept(desk: DeskHome) -> None:
    await desk.stop()
    (desk.home / "state" / "desk.sqlite3").write_bytes(b"no database " * 1000)
    await desk.start()
    status = await desk.status()
    assert "was broken" in status.trouble and [row.app for row in status.apps] == [APP]
    await desk.launch()


async def test_wrong_settings_are_named_and_no_desk_runs(home: DeskHome) -> None:
    home.settings(background=-3)
    status, out, complaint = await home.command("agent")
    assert status == 78 and "limits.background" in complaint and "Traceback" not in out + complaint
    status, _, complaint = await home.command("status")
    assert status == 1 and complaint.startswith("frontdesk: ") and "Traceback" not in complaint


@pytest.mark.contract("L14")
async def test_a_second_desk_leaves_and_says_so(desk: DeskHome) -> None:
    pid = (await desk.status()).pid
    status, out, complaint = await desk.command("agent")
    assert status == 3 and "Traceback" not in out + complaint
    assert (await desk.status()).pid == pid


async def test_a_person_who_mistypes_is_told_what_is_there(desk: DeskHome) -> None:
    for words in (("open", "org.example.Nobody"), ("log", "org.example.Nobody"), ("apps", "add", "/nonexistent.toml")):
        status, _, complaint = await desk.command(*words)
        assert status == 1 and complaint.startswith("frontdesk: ") and "Traceback" not in complaint
    status, out, _ = await desk.command("apps", "list")
    assert status == 0 and APP in out


@pytest.mark.contract("L06")
async def test_the_keeper_killed_apps_run_on_and_the_next_takes_them_up(desk: DeskHome) -> None:
    puppet = await desk.launch()
    await desk.kill_keeper()
    await desk.start()
    status = await desk.until(lambda status: row_of(status).state is AppState.FOREGROUND)
    assert row_of(status).pid == puppet.pid
    puppet.order("background")
    await desk.until_state(AppState.SUSPENDED)


@pytest.mark.contract("L05", "L06")
async def test_desk_killed_before_it_could_keep_how_an_app_ended_the_next_desk_learns_it(desk: DeskHome) -> None:
    puppet = await desk.launch()
    pid = (await desk.status()).pid
    with no_room(pid):
        puppet.order("exit", status=3)
        await desk.until(lambda status: "cannot write" in status.trouble)
        await desk.kill_process(pid)
    await desk.until(lambda status: status.pid != pid and row_of(status).state is AppState.STOPPED)
    (receipt,) = await desk.control.receipts(APP)
    assert receipt.reason == "crashed" and "exit status 3" in receipt.text
