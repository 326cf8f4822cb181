"""The database upkeep shrinks its file while nobody looks, tries again when it fails, and comes back a day later."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from frontdesk import Condition, Obstacle
from frontdesk.testing import InMemoryDesk

MANIFEST = Path(__file__).parents[2] / "examples" / "database_upkeep" / "database_upkeep.toml"
TIDY = "org.example.DatabaseUpkeep.tidy"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with much that was deleted."""
    path = tmp_path / "notes.sqlite3"
    monkeypatch.setenv("DATABASE", str(path))
    with contextlib.closing(sqlite3.connect(path)) as notes:
        notes.execute("CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT)")
        notes.execute("CREATE INDEX by_text ON notes (text)")
    fill_and_empty(path)
    return path


def fill_and_empty(path: Path) -> int:
    """Write much and delete it; how long the file is then."""
    with contextlib.closing(sqlite3.connect(path)) as notes:
        notes.executemany("INSERT INTO notes (text) VALUES (?)", [(f"{n} " * 200,) for n in range(1000)])
        notes.execute("DELETE FROM notes WHERE number > 10")
        notes.commit()
    return path.stat().st_size


@pytest.mark.contract("S09")
async def test_the_file_is_analysed_and_shrunk_once_nobody_uses_the_machine_and_again_a_day_later(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = database.stat().st_size
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.start_by_hand(app)
        await desk.advance(hours=3)
        assert database.stat().st_size == before, "somebody uses the machine"
        await desk.set_condition(Condition.IDLE, "yes")
        assert database.stat().st_size < before / 4
        with contextlib.closing(sqlite3.connect(database)) as notes:
            assert notes.execute("SELECT tbl FROM sqlite_stat1").fetchone() == ("notes",)
        [why] = desk.explain(TIDY)
        assert [reason.obstacle for reason in why.reasons] == [Obstacle.TOO_EARLY]
        assert why.next_look == pytest.approx(desk.time() + 86400, abs=60)
        before = fill_and_empty(database)
        await desk.advance(days=1, minutes=1)
        assert database.stat().st_size < before / 4
        said = capsys.readouterr().out
        assert said.count("written anew") == 1
        assert 1 <= said.count("gave back 100 pages") < before / 4096 / 100


@pytest.mark.contract("S19")
async def test_a_file_that_is_locked_is_tried_again_after_growing_pauses(database: Path) -> None:
    before = database.stat().st_size
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.start_by_hand(app)
        database.rename(database.with_suffix(".away"))
        database.mkdir()  # what cannot be opened
        await desk.set_condition(Condition.IDLE, "yes")
        [why] = desk.explain(TIDY)
        assert [reason.obstacle for reason in why.reasons] == [Obstacle.RETRY_PAUSE]
        await desk.advance(90)
        assert desk.pending(app)[0].attempt == 3, "after one minute it was tried again; now it waits for two"
        database.rmdir()
        database.with_suffix(".away").rename(database)
        await desk.advance(120)
        assert database.stat().st_size < before / 4
