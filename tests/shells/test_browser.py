"""Browsers that the desk opens for apps: real desk, real app; the browser is a script that stays until it is ended."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from frontdesk import AppState
from frontdesk.agent.shell import browser, process_table
from frontdesk.errors import RefusedError
from frontdesk.terms import Refusal
from tests.desks import APP, PATIENCE, DeskHome

BROWSER = """
import os, sys, time
with open(sys.argv[1], "w") as pipe:
    pipe.write(f"{os.getpid()} {sys.argv[2]}")
time.sleep(120)
"""


async def opened(pipe: Path) -> tuple[int, str]:
    """Process id and address of the browser, once it is there."""
    said = await asyncio.wait_for(asyncio.to_thread(pipe.read_text), PATIENCE)
    pid, _, address = said.partition(" ")
    return int(pid), address


@pytest.mark.contract("L01")
async def test_a_browser_opened_for_an_app_sleeps_and_ends_neither_with_the_app_nor_with_the_desk(
    home: DeskHome,
) -> None:
    script, told = home.home / "browser.py", home.home / "told"
    script.write_text(BROWSER)
    os.mkfifo(told)
    home.environment["BROWSER"] = f"{sys.executable} {script} {told} %s"
    await home.start()
    await home.install()
    puppet = await home.launch()

    puppet.order("show address", address="http://notes.localhost:1/?a=1&b=2")
    pid, address = await opened(told)
    try:
        assert address == "http://notes.localhost:1/?a=1&b=2"
        assert puppet.pid not in process_table.ancestors(pid, process_table.everyone())
        assert process_table.launch_token(pid) == ""
        puppet.order("background")
        await home.until_state(AppState.SUSPENDED)
        seen = process_table.read(pid)
        assert seen is not None and not seen.still
        await home.stop()
        seen = process_table.read(pid)
        assert seen is not None and not seen.ended
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_an_app_in_the_background_opens_a_browser_only_when_the_person_opens_the_app(home: DeskHome) -> None:
    opened_at = home.home / "opened"
    script = home.home / "browser.sh"
    script.write_text(f'echo "$1" >> {opened_at}\n')
    home.environment["BROWSER"] = f"sh {script} %s"
    home.settings(opening=1.0)
    await home.start()
    await home.install()
    puppet = await home.launch()
    await puppet.do("notify", id="news", title="News")
    await puppet.do("begin", name="stays awake", handler="forgets")
    await puppet.do("background")
    await home.until_state(AppState.BACKGROUND)
    refusal = await puppet.fails("show address", address="http://notes.localhost:1/advertisement")
    assert refusal["reason"] == Refusal.NOT_PERMITTED and "press" in refusal["text"]
    assert "no browser" in await home.happened("refused")

    await home.control.act(APP, "news")
    await puppet.hears("pressed")
    await puppet.do("show address", address="http://notes.localhost:1/news")
    await home.until(lambda status: all(hold.kind != "opening" for hold in status.apps[0].holds))
    await puppet.fails("show address", address="http://notes.localhost:1/advertisement")
    # Said in one breath: the desk takes the first into account when it decides the second.
    puppet.order("foreground")
    await puppet.do("show address", address="http://notes.localhost:1/in-front")
    assert opened_at.read_text().split() == ["http://notes.localhost:1/news", "http://notes.localhost:1/in-front"]


@pytest.mark.parametrize("address", ["file:///etc/passwd", "javascript:alert(1)", "notes", ""])
async def test_only_web_addresses_are_opened(address: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        await browser.open_address(address, os.environ)
    assert refusal.value.reason is Refusal.BAD_REQUEST


@pytest.mark.parametrize("command", ["/nonexistent/browser %s", "false"])
async def test_no_browser_is_a_clear_word_with_the_address(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", command)
    with pytest.raises(RefusedError, match=re.escape("by hand: http://notes.localhost:1/")) as refusal:
        await browser.open_address("http://notes.localhost:1/", os.environ)
    assert refusal.value.reason is Refusal.UNAVAILABLE


def test_an_address_stays_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "browser --new-window %s")
    assert browser.command_for("http://x/?a=$(id) b") == ["browser", "--new-window", "http://x/?a=$(id) b"]
    monkeypatch.setenv("BROWSER", "browser")
    assert browser.command_for("http://x/") == ["browser", "http://x/"]


@pytest.mark.parametrize("address", ["http://[", "http://a.b/\0", "file:///etc/passwd"])
async def test_what_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(RefusedError) as refused:
        await browser.open_address(address, os.environ)
    assert refused.value.reason is Refusal.BAD_REQUEST


async def test_a_browser_setting_that_is_no_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "firefox 'half a quotation")
    with pytest.raises(RefusedError, match="BROWSER") as refused:
        await browser.open_address("http://a.b/", os.environ)
    assert refused.value.reason is Refusal.UNAVAILABLE
