"""The examples run as tests: each with a real desk, started as its own words say."""

from pathlib import Path

import pytest

from frontdesk import AppState
from tests.desks import DeskHome, row_of

EXAMPLES = Path(__file__).parents[2] / "examples"
KEEP_SENDING = "org.example.KeepSending"


@pytest.mark.contract("A01", "A12", "L01")
async def test_keep_sending_finishes_with_its_window_closed_and_is_then_suspended(home: DeskHome) -> None:
    await home.start()
    for words in (("apps", "add", str(EXAMPLES / "keep_sending" / "keep_sending.toml")), ("open", KEEP_SENDING)):
        status, _, complaint = await home.command(*words)
        assert status == 0, complaint
    held = await home.until(lambda status: [hold.name for hold in row_of(status, KEEP_SENDING).holds] == ["upload"])
    assert row_of(held, KEEP_SENDING).state is AppState.BACKGROUND
    row = await home.until_state(AppState.SUSPENDED, KEEP_SENDING)
    said = (home.home / "state" / "logs" / f"{KEEP_SENDING}.log").read_text()
    assert "part 5 of 5 is sent" in said
    assert row.last_receipt is None


def test_every_example_is_run_here() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir() and not folder.name.startswith("_")} == {
        "keep_sending"
    }
