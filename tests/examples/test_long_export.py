"""The long export goes on without its window, shows how far it is, and leaves nothing behind when it is cancelled."""

from pathlib import Path

import pytest

from frontdesk import AppState
from frontdesk.testing import InMemoryDesk

MANIFEST = Path(__file__).parents[2] / "examples" / "long_export" / "long_export.toml"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPORT", str(tmp_path / "export.csv"))
    monkeypatch.setenv("ROWS", "5000")  # 100 s
    return tmp_path / "export.csv"


@pytest.mark.contract("S18")
async def test_the_export_goes_on_when_the_window_is_closed_and_then_the_app_is_suspended(target: Path) -> None:
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.open(app)
        await desk.advance(60)
        assert desk.state(app) is AppState.BACKGROUND and not target.exists()
        [shown] = desk.shown()
        assert shown.notification.title == "Export" and "of 5000" in shown.notification.body
        await desk.advance(60)
        assert len(target.read_text().splitlines()) == 5000
        assert (desk.state(app), desk.shown()) == (AppState.SUSPENDED, ())


@pytest.mark.contract("S18", "S11")
async def test_a_press_on_cancel_ends_it_and_nothing_half_written_is_left(target: Path) -> None:
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.open(app)
        await desk.advance(30)
        [shown] = desk.shown()
        [cancel] = shown.notification.actions
        await desk.press(app, shown.notification.id, cancel.id)
        await desk.advance(10)
        assert list(target.parent.iterdir()) == []
        assert (desk.state(app), desk.shown()) == (AppState.SUSPENDED, ())
