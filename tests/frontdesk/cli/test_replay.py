"""``frontdesk replay``: same decisions, other decisions, a log that ends in the middle, one that is damaged."""

import importlib.metadata
import json
from pathlib import Path

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.recorded.recording import Recording
from frontdesk.agent.core.setup import Setup
from frontdesk.cli.main import main
from frontdesk.cli.replay import summary
from frontdesk.terms import Manifest

NOTES = Manifest("org.example.notes", "Notes", ("notes",))
T0 = 1_700_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A desk starts, an app is opened."""
    recording, ids = Recording(), ["token"]
    core = Dispatcher(Setup(desk_version="1"), lambda: ids[0])
    written = recording.begun(Setup(desk_version="1"), ())
    batches: list[list[ev.Event]] = [[ev.AppAdded(NOTES), ev.DeskStarted()], [ev.OpenAsked(NOTES.id)]]
    for at, events in enumerate(batches):
        effects = core.handle(events, T0 + at)
        drawn = ids if any(isinstance(effect, do.Launch) for effect in effects) else []
        written += recording.batch(T0 + at, events, drawn, effects, core.next_wake())
    file = tmp_path / "events.log"
    file.write_bytes(written)
    return file


def test_the_same_code_decides_the_same(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(log)]) == 0
    assert capsys.readouterr().out.startswith("All decided the same: 2 batches from ")
    assert main(["replay", str(log), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    versions = {"recorded_by": "1", "decided_by": importlib.metadata.version("frontdesk")}
    assert report == versions | {"batches": 2, "from": T0, "to": T0 + 1, "full": False, "differences": []}


def test_other_code_is_found_out(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Dispatcher.handle

    def never_launches(self: Dispatcher, happened: list[ev.Event], now: float) -> list[do.Effect]:
        return [effect for effect in handle(self, happened, now) if not isinstance(effect, do.Launch)]

    monkeypatch.setattr(Dispatcher, "handle", never_launches)
    assert main(["replay", str(log)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("batch 2, after OpenAsked org.example.notes")
    assert said[1] == "    recorded: Launch org.example.notes token"
    assert said[2].startswith("    now:      Note org.example.notes: launched")
    assert said[3].startswith("1 decided otherwise, of 2 batches")
    assert said[4] == f"The desk that recorded it had version 1, and this is {importlib.metadata.version('frontdesk')}."
    assert main(["replay", str(log), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["differences"]
    assert found["batch"] == 2 and found["expected"] == "Launch org.example.notes token"


def test_a_log_cut_short_is_read_as_far_as_it_goes(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(log.read_bytes()[:-5])
    assert main(["replay", str(log)]) == 0
    assert "the same: 1 batch from" in capsys.readouterr().out


def test_a_damaged_log_is_refused_with_the_place(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = log.read_bytes()
    log.write_bytes(written.replace(b"OpenAsked", b"OpenXsked"))
    assert main(["replay", str(log)]) == 1
    assert "damaged at byte " in capsys.readouterr().err
    for nothing in (log.parent / "none", log.parent):
        assert main(["replay", str(nothing)]) == 1
        assert "record = true" in capsys.readouterr().err
    log.write_bytes(b"")
    assert main(["replay", str(log)]) == 1
    assert "The log is empty" in capsys.readouterr().err


def test_what_is_not_in_the_log_is_said() -> None:
    assert "went on unrecorded" in summary(2, 0, T0, T0 + 1, full=True)
    assert "--json gives all" in summary(90, 40, T0, T0 + 1, full=False)
    assert summary(0, 0, None, None, full=False) == "Nothing had happened yet when the log ended."
