"""The examples run as tests: each with a real desk, started as its own words say."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from frontdesk import AppState
from tests.desks import DeskHome, row_of

EXAMPLES = Path(__file__).parents[2] / "examples"
KEEP_SENDING = "org.example.KeepSending"
SCHEDULED = {
    "feed_reader": "org.example.FeedReader",
    "photo_backup": "org.example.PhotoBackup",
    "database_upkeep": "org.example.DatabaseUpkeep",
    "long_export": "org.example.LongExport",
}


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


@pytest.mark.contract("S09", "S10", "S14", "S17", "S18")
async def test_the_examples_of_scheduled_tasks_do_their_work_under_conditions_that_are_simulated(
    home: DeskHome, tmp_path: Path
) -> None:
    photos, notes, news, export = (tmp_path / name for name in ("photos", "notes.sqlite3", "news.txt", "export.csv"))
    photos.mkdir()
    (photos / "one.jpg").write_bytes(b"a photo")
    with contextlib.closing(sqlite3.connect(notes)) as database:
        database.execute("CREATE TABLE notes (text TEXT)")
    (tmp_path / "feed.xml").write_text("<rss><item><title>Rain</title></item></rss>")
    home.environment |= {"PHOTOS": str(photos), "BACKUP": str(tmp_path / "backup"), "DATABASE": str(notes)}
    home.environment |= {"FEED": (tmp_path / "feed.xml").as_uri(), "NEWS": str(news)}
    home.environment |= {"EXPORT": str(export), "ROWS": "75"}  # 1.5 s, of which the window is open for one
    home.settings(opening=1.0)  # most of these have no window to show
    await home.start()
    await said(home, "simulate", "condition", "power=external", "network=online", "metered=no", "idle=no")
    waiting = (f"{SCHEDULED['photo_backup']}.copy", f"{SCHEDULED['database_upkeep']}.tidy")
    for name, app in SCHEDULED.items():
        await home.control.add_app(EXAMPLES / name / f"{name}.toml")
        await home.control.open(app)
    await home.until(
        lambda status: export.exists() and row_of(status, SCHEDULED["long_export"]).state is AppState.SUSPENDED
    )
    assert len(export.read_text().splitlines()) == 75
    # Each was opened, and asks when it has come up.
    asked = {*waiting, f"{SCHEDULED['feed_reader']}.refresh"}
    await home.until(lambda status: asked <= {task.identifier for row in status.apps for task in row.tasks})
    why = await said(home, "explain", "all")
    assert all(identifier in why for identifier in waiting)
    assert not (tmp_path / "backup").exists(), "somebody uses the machine"
    await said(home, "simulate", "condition", "idle=yes")
    await said(home, "simulate", "launch", f"{SCHEDULED['feed_reader']}.refresh")
    copy = tmp_path / "backup" / "one.jpg"
    upkeep = home.home / "state" / "logs" / f"{SCHEDULED['database_upkeep']}.log"
    await home.until(
        lambda status: (
            copy.exists()
            and news.exists()
            and "analysed notes" in upkeep.read_text()
            and {row.state for row in status.apps} == {AppState.SUSPENDED}
        )
    )
    assert (copy.read_bytes(), news.read_text()) == (b"a photo", "Rain\n")
    assert all(row.last_receipt is None for row in (await home.status()).apps)


async def said(home: DeskHome, *words: str) -> str:
    """What `frontdesk` prints when it is called so."""
    status, answer, complaint = await home.command(*words)
    assert status == 0, complaint
    return answer


def test_every_example_is_run_here_and_is_short() -> None:
    folders = {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir() and not folder.name.startswith("_")}
    assert folders == {"keep_sending", *SCHEDULED}
    for name in folders:
        assert len((EXAMPLES / name / f"{name}.py").read_text().splitlines()) < 60, name
