"""A person asks a real desk why a task waits, tries it now, and reads what became of it."""

import json

import msgspec
import pytest

from frontdesk import Condition, ProcessingTask
from tests.desks import APP, DeskHome, Strings, row_of

UPKEEP = f"{APP}.upkeep"


async def waiting(home: DeskHome) -> Strings:
    """An app in front that has submitted a task, on a machine that is in use."""
    await home.start()
    await home.install(tasks={UPKEEP: "waits"})
    await home.control.force_condition(Condition.IDLE, "no")
    puppet = await home.launch()
    await submit(puppet)
    return puppet


async def submit(puppet: Strings) -> None:
    task = msgspec.to_builtins(ProcessingTask(UPKEEP, requires_external_power=True))
    await puppet.do("submit", task=task, existing="replace")


async def said(home: DeskHome, *words: str) -> str:
    status, out, err = await home.command(*words)
    assert (status, err) == (0, "")
    return out


@pytest.mark.contract("S16", "S17", "L05")
async def test_why_it_waits_what_is_simulated_and_how_it_ended(home: DeskHome) -> None:
    puppet = await waiting(home)
    assert "Lift it:" in await said(home, "simulate", "condition", "power=battery", "battery=63%")
    explained = await said(home, "explain", UPKEEP)
    assert "needs external power: on battery, 63 % (simulated)" in explained and "it is in use" in explained
    (row,) = json.loads(await said(home, "explain", "all", "--json"))
    assert [reason["obstacle"] for reason in row["reasons"]] == ["no_external_power", "machine_in_use"]
    status = await said(home, "status", "--once")
    assert status.count("SIMULATED") == 3 and UPKEEP in status
    assert "being launched" in await said(home, "simulate", "launch", UPKEEP)
    await puppet.hears("task")
    assert "told to come to an end" in await said(home, "simulate", "expire", UPKEEP, "--app", APP)
    await puppet.hears("task_expired")
    await home.until(lambda status: not row_of(status).tasks)
    assert "expired by hand" in await said(home, "log", APP)
    (receipt,) = json.loads(await said(home, "log", APP, "--json"))
    assert (receipt["identifier"], receipt["end"]) == (UPKEEP, "simulated")
    lifted = await said(home, "simulate", "condition", "--lift")
    assert lifted.count("is what is really so again") == 3 and "SIMULATED" not in await said(home, "status", "--once")
    assert "No scheduled task is pending" in await said(home, "explain", "all")


@pytest.mark.contract("L10")
async def test_background_running_is_switched_for_one_app_and_for_all(home: DeskHome) -> None:
    puppet = await waiting(home)
    assert f"frontdesk background on {APP}" in await said(home, "background", "off", APP)
    assert "background running is switched off" in await said(home, "explain", APP)
    refused = await puppet.fails("submit", task=msgspec.to_builtins(ProcessingTask(UPKEEP)), existing="replace")
    assert "unavailable" in json.dumps(refused)
    assert "again" in await said(home, "background", "on", APP)
    await submit(puppet)
    assert "No app runs" in await said(home, "background", "off", "all")
    assert "the switch for all apps is off" in await said(home, "background", "on", APP)
    assert "Apps run in the background again." in await said(home, "background", "on", "all")
    for words in (("background", "off", "nobody"), ("explain", "nobody"), ("simulate", "launch", "nobody")):
        status, out, err = await home.command(*words)
        assert (status, out) == (1, "") and err.startswith("frontdesk: ") and "nobody" in err, words
