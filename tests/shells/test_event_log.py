"""The event log as a file: private, one desk's life each, never too large, and no harm when it cannot be written."""

import stat
from pathlib import Path

import pytest

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.recorded.recording import Batch, Begun, Full, read
from frontdesk.agent.core.setup import Setup
from frontdesk.agent.shell.event_log import EventLog
from tests.desks import DeskHome
from tests.full_disk import no_room


def begin(file: Path, most_bytes: int = 1 << 20) -> EventLog:
    log = EventLog(file, lambda: "an id", most_bytes)
    log.begin(Setup(push_service_set=False), ())
    return log


def test_each_desk_has_its_own_file_and_there_are_two_at_most(tmp_path: Path) -> None:
    file = tmp_path / "events.log"
    logs = []
    for desk in range(3):
        log = begin(file)
        logs.append(log)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        log.draw()
        log.batch(float(desk), [ev.TimePassed()], [], None)
    # Not closed yet: what a killed desk has decided is in the file.
    assert sorted(each.name for each in tmp_path.iterdir()) == ["events.log", "events.log.1"]
    for name, moment in (("events.log", 2.0), ("events.log.1", 1.0)):
        begun, batch = read((tmp_path / name).read_bytes())
        assert isinstance(begun, Begun) and isinstance(batch, Batch)
        assert (batch.now, batch.ids, batch.happened()) == (moment, ("an id",), (ev.TimePassed(),))
    for log in logs:
        log.close()


def test_it_ends_when_it_has_its_size_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = begin(tmp_path / "events.log", most_bytes=6000)
    for at in range(1000):
        log.batch(float(at), [ev.TimePassed()], [], None)
    written = (tmp_path / "events.log").read_bytes()
    assert len(written) < 6100 and isinstance(list(read(written))[-1], Full)
    assert "recording ends" in caplog.text


def test_the_log_of_the_next_desk_has_all_its_room_again(tmp_path: Path) -> None:
    log, sizes = EventLog(tmp_path / "events.log", lambda: "an id", 6000), []
    for _ in range(2):
        log.begin(Setup(push_service_set=False), ())
        for at in range(1000):
            log.batch(float(at), [ev.TimePassed()], [], None)
        sizes.append((tmp_path / "events.log").stat().st_size)
    assert sizes[0] == sizes[1]


def test_nothing_is_recorded_where_no_file_can_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = begin(tmp_path / "no such folder" / "events.log")
    log.batch(1.0, [ev.TimePassed()], [], None)
    log.close()
    assert "nothing is recorded" in caplog.text


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = begin(tmp_path / "events.log")
    with no_room():
        log.batch(1.0, [ev.TimePassed()], [], None)
    log.batch(2.0, [ev.TimePassed()], [], None)
    assert [type(frame) for frame in read((tmp_path / "events.log").read_bytes())] == [Begun]
    assert "cannot be written" in caplog.text


async def test_a_desk_records_when_its_settings_say_so_and_the_command_replays_it(home: DeskHome) -> None:
    del home.environment["FRONTDESK_RECORD"]
    home.settings("record = true")
    await home.start()
    await home.install()
    await home.asleep()
    log = home.home / "state" / "events.log"
    status, out, _ = await home.command("replay", str(log))  # it is being written
    assert status == 0 and "All decided the same" in out
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
