"""``frontdesk replay LOG``: decides again what a desk had recorded, and says where it comes out otherwise."""

import argparse
import datetime
import importlib.metadata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from frontdesk.agent.core.recorded.recorded_day import take_apart
from frontdesk.agent.core.recorded.recording import EMPTY, Batch, Begun, Frame, Full, LogBroken, read
from frontdesk.agent.core.recorded.rehearsal import Moment, Rehearsal, Shift, shifts
from frontdesk.agent.core.recorded.replaying import Difference, differences
from frontdesk.agent.core.scheduled.obstacles import in_words
from frontdesk.agent.shell.settings import read_settings
from frontdesk.cli.wording import printable
from frontdesk.errors import FrontdeskError

SHOWN = 20
"""Differences that are printed for a person: past the first few they only follow from each other."""


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    replay = subjects.add_parser(
        "replay",
        help="decide again what a desk recorded, and say where it differs",
        description="Runs a recorded event log (state/events.log, with record = true in settings.toml) through the "
        "desk's core again. Exit status 0: every decision is the same; 1: some differ, or the log cannot be read.",
    )
    replay.add_argument("log", metavar="LOG", type=Path, help="the event log")
    replay.add_argument("--json", action="store_true", help="as JSON, all differences")
    replay.add_argument(
        "--limits",
        metavar="FILE",
        type=Path,
        help="a settings.toml: live the recorded days under its [limits], and say which launches, tasks and stops come "
        "earlier, later or not at all. People and machine do the same again, apps take as long as they took",
    )
    replay.set_defaults(run=lambda chosen: _run(chosen.log, chosen.limits, chosen.json))


def _run(file: Path, limits: Path | None, as_json: bool) -> int:
    log = _content(file)
    return _decide_again(log, as_json) if limits is None else _compare(log, limits, as_json)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        then = "With record = true in its settings a desk writes state/events.log."
        raise FrontdeskError(f"{file} cannot be read ({error.strerror}). {then}") from error


def _compare(log: bytes, limits: Path, as_json: bool) -> int:
    """The recorded policy and another."""
    if not limits.is_file():
        raise FrontdeskError(f"{limits} is no file. Nothing was compared; name a settings.toml.")
    day = take_apart(read(log))
    recorded, other = (Rehearsal(day, each).live() for each in (day.begun.setup.limits, read_settings(limits).limits))
    found = shifts(recorded, other)
    if as_json:
        print(
            msgspec.json.format(msgspec.json.encode({"recorded": recorded, "other": other, "shifts": found})).decode()
        )
    else:
        print("\n".join(printable(line) for line in compared(recorded, other, found)))
    return 1 if found else 0


def compared(recorded: Sequence[Moment], other: Sequence[Moment], found: Sequence[Shift]) -> list[str]:
    """What the other policy does otherwise, for a person."""
    told = [shift_line(shift) for shift in found]
    counts = [
        f"{what}: {sum(each.what == what for each in recorded)} as recorded, "
        f"{sum(each.what == what for each in other)} under the other limits"
        for what in ("launched", "thawed", "task", "stopped")
    ]
    return [*told, *counts] if found else [*counts, "Nothing comes at another moment."]


def shift_line(shift: Shift) -> str:
    """``2027-01-15 07:15:00  org.example.feed task org.example.feed.refresh: 2 h later``."""
    what = f"{shift.app} {shift.what}" + (f" ({shift.name})" if shift.name else "")
    if shift.recorded is None:
        return f"{_second(shift.other or 0.0)}  {what}: only under the other limits"
    if shift.other is None:
        return f"{_second(shift.recorded)}  {what}: not at all"
    by = shift.other - shift.recorded
    return f"{_second(shift.recorded)}  {what}: {in_words(abs(by))} {'later' if by > 0 else 'earlier'}"


def _decide_again(log: bytes, as_json: bool) -> int:
    seen, ours = _Seen(), importlib.metadata.version("frontdesk")
    found = list(differences(seen.passing(read(log))))
    if as_json:
        report = {"recorded_by": seen.version, "decided_by": ours, "batches": seen.batches, "from": seen.first}
        report |= {"to": seen.last, "full": seen.full, "differences": found}
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        for difference in found[:SHOWN]:
            print("\n".join(printable(line) for line in lines(difference)))
        print(printable(summary(seen.batches, len(found), seen.first, seen.last, full=seen.full)))
        if found and seen.version != ours:
            print(printable(f"The desk that recorded it had version {seen.version}, and this is {ours}."))
    return 1 if found else 0


class _Seen:
    """What the log held, on the way to being decided again."""

    def __init__(self) -> None:
        self.version = ""
        """Of the desk that recorded it."""
        self.batches = 0
        self.first: float | None = None
        self.last: float | None = None
        self.full = False

    def passing(self, frames: Iterable[Frame]) -> Iterable[Frame]:
        for frame in frames:
            if isinstance(frame, Begun):
                self.version = frame.setup.desk_version
            elif isinstance(frame, Batch):
                self.batches += 1
                self.first = frame.now if self.first is None else self.first
                self.last = frame.now
            self.full = self.full or isinstance(frame, Full)
            yield frame
        if not self.version:
            raise LogBroken(EMPTY)


def lines(difference: Difference) -> list[str]:
    """One difference for a person."""
    return [
        f"{_when(difference.at)}  batch {difference.batch}, after {difference.after or 'nothing'}",
        f"    recorded: {difference.expected or 'nothing'}",
        f"    now:      {difference.actual or 'nothing'}",
    ]


def summary(batches: int, found: int, first: float | None, last: float | None, *, full: bool) -> str:
    """What came of it, in a sentence or two."""
    if first is None or last is None:
        return "Nothing had happened yet when the log ended."
    over = f"{batches} batch{'' if batches == 1 else 'es'} from {_when(first)} to {_when(last)}"
    said = f"All decided the same: {over}." if not found else f"{found} decided otherwise, of {over}."
    if found > SHOWN:
        said += f" The first {SHOWN} are shown; --json gives all."
    return said + (" The log had reached its size there; the desk went on unrecorded." if full else "")


def _second(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).isoformat(" ", "seconds")


def _when(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).isoformat(" ", "milliseconds")
