"""The photo backup copies on free power and network only, stops for the person, and goes on where it was."""

import os
from pathlib import Path

import pytest

from frontdesk import Condition, Obstacle
from frontdesk.testing import InMemoryDesk

MANIFEST = Path(__file__).parents[2] / "examples" / "photo_backup" / "photo_backup.toml"
COPY = "org.example.PhotoBackup.copy"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHOTOS", str(tmp_path / "photos"))
    monkeypatch.setenv("BACKUP", str(tmp_path / "backup"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(os.urandom(2_500_000))
    (tmp_path / "photos" / "two.jpg").write_bytes(b"small")
    return tmp_path / "photos"


def copied(photos: Path) -> dict[str, bytes]:
    folder = photos.with_name("backup")
    return {photo.name: photo.read_bytes() for photo in folder.iterdir()} if folder.exists() else {}


def originals(photos: Path) -> dict[str, bytes]:
    return {photo.name: photo.read_bytes() for photo in photos.iterdir()}


@pytest.mark.contract("S09", "S10")
async def test_photos_are_copied_once_the_machine_is_plugged_in_unused_and_on_a_free_network(photos: Path) -> None:
    needs = ((Condition.POWER, "external"), (Condition.METERED, "no"), (Condition.IDLE, "yes"))
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.set_condition(Condition.POWER, "battery")
        await desk.set_condition(Condition.METERED, "yes")
        await desk.start_by_hand(app)
        for condition, value in needs:
            await desk.advance(hours=1)
            assert copied(photos) == {}
            [why] = desk.explain(COPY)
            assert why.reasons, "a pending request can say what it waits for"
            await desk.set_condition(condition, value)
        assert copied(photos) == originals(photos)
        [again] = desk.explain(COPY)
        assert [reason.obstacle for reason in again.reasons] == [Obstacle.TOO_EARLY]
        (photos / "three.jpg").write_bytes(b"new")
        await desk.advance(hours=2)
        assert copied(photos) == originals(photos)


@pytest.mark.contract("S11")
async def test_it_goes_on_where_it_was_stopped(photos: Path) -> None:
    backup = photos.with_name("backup")
    backup.mkdir()
    (backup / "one.jpg.part").write_bytes((photos / "one.jpg").read_bytes()[:1_000_000])
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.start_by_hand(app)
        await desk.set_condition(Condition.IDLE, "yes")
        assert copied(photos) == originals(photos)
        assert desk.task_receipts(app) == ()
