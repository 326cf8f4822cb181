"""What a log holds is decided the same way again; another policy, or another code, is found out where it differs."""

import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.recorded.recording import Batch, Begun, Full, LogBroken, Recording, read
from frontdesk.agent.core.recorded.replaying import differences, words
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import (
    Condition,
    ContinuedTask,
    ExistingWork,
    Manifest,
    Notification,
    ProcessingTask,
    PushKind,
    RefreshTask,
    Retry,
    Verdict,
)

T0 = 1_700_000_000.0
FRESH, UPKEEP = "org.example.notes.fresh", "org.example.notes.upkeep"
MODES = ("push", "refresh", "processing", "continued")
NOTES = Manifest("org.example.notes", "Notes", ("notes",), page=True, background=MODES, tasks=(FRESH, UPKEEP))
SECRET = "c2VjcmV0LXByaXZhdGUta2V5LW9mLTQzLWNoYXJzLWxvbmc"
ENDPOINT = "https://push.example/send/aVerySecretAddress"
UAID = "0c7d0a3f5b3e4f6c8b1d"


@dataclass
class RecordedDesk:
    """A core whose every batch is recorded, from values that were kept before."""

    limits: Limits = field(default_factory=Limits)
    saved: dict[tuple[str, str], bytes] = field(default_factory=dict)
    first_id: int = 1

    def __post_init__(self) -> None:
        self.now = T0
        self.effects: list[do.Effect] = []
        self.ids: list[str] = []
        self.numbers = count(self.first_id)
        self.recording = Recording()
        setup = Setup(self.limits, "1")
        self.core = Dispatcher(setup, self.new_id)
        rows = [(machine, key, value) for (machine, key), value in self.saved.items()]
        for row in rows:
            self.core.restore(*row)
        self.log = self.recording.begun(setup, rows)

    def new_id(self) -> str:
        self.ids.append(f"id-{next(self.numbers)}")
        return self.ids[-1]

    def handle(self, *events: ev.Event) -> Sequence[do.Effect]:
        self.ids.clear()
        effects = self.core.handle(events, self.now)
        self.log += self.recording.batch(self.now, events, self.ids, effects, self.core.next_wake())
        for effect in effects:
            match effect:
                case do.Save(machine=machine, key=key, value=None):
                    self.saved.pop((machine, key), None)
                case do.Save(machine=machine, key=key, value=bytes(value)):
                    self.saved[machine, key] = value
        self.effects += effects
        # Somebody looks. Deciding again nobody does: looking changes nothing.
        self.core.statuses(self.now + 1.0)
        self.core.explain("all", self.now + 1.0)
        return effects

    def wait(self) -> None:
        """To the moment that the core asked for."""
        at = self.core.next_wake()
        if at is not None:
            self.now = max(self.now, at)
            self.handle(ev.TimePassed())


def a_day() -> RecordedDesk:
    """Launched, subscribed, asleep, pushed to, stopped for having forgotten a task."""
    desk = RecordedDesk()
    desk.handle(ev.AppAdded(NOTES), ev.DeskStarted())
    desk.handle(ev.OpenAsked(NOTES.id))
    desk.handle(ev.Launched(NOTES.id, desk.ids[-1] if desk.ids else "id-1", 10, 1))
    desk.handle(ev.Connected(NOTES.id, 10, 1, "run", launched=True, foreground=True))
    desk.handle(
        ev.SubscribeAsked(NOTES.id, 1, 1, "news", PushKind.CHANGEABLE_ALERT, None, "c", SECRET, "p", SECRET[:22])
    )
    desk.handle(ev.PushLinkUp(UAID, changed=False))
    desk.handle(ev.ChannelRegistered("c", ENDPOINT))
    desk.handle(ev.TaskBegun(NOTES.id, 1, "send"), ev.WentBackground(NOTES.id))
    desk.handle(ev.PushArrived("c", "v1", b"what was said", None))
    desk.handle(ev.ConditionSeen(Condition.POWER, "battery", "UPower"))
    for _ in range(6):
        desk.wait()
    return desk


def test_the_same_events_lead_to_the_same_decisions() -> None:
    assert list(differences(read(a_day().log))) == []


def test_a_desk_that_begins_with_what_was_saved_is_run_again_from_that() -> None:
    desk = RecordedDesk(saved=a_day().saved)
    desk.handle(ev.AppAdded(NOTES), ev.Survived(NOTES.id, child=True), ev.DeskStarted())
    desk.wait()
    frames = list(read(desk.log))
    assert isinstance(frames[0], Begun) and frames[0].saved
    assert list(differences(frames)) == []


def test_another_policy_is_found_where_it_first_decides_otherwise() -> None:
    frames = list(read(a_day().log))
    assert isinstance(frames[0], Begun)
    setup = msgspec.structs.replace(frames[0].setup, limits=Limits(background=12.0))
    other = msgspec.structs.replace(frames[0], setup=setup)
    found = next(differences([other, *frames[1:]]))
    assert "TimeBox(seconds=30.0)" in found.expected and "TimeBox(seconds=12.0)" in found.actual
    assert found.after.startswith("Connected org.example.notes") and (found.batch, found.at) == (4, T0)


def test_a_decision_that_is_missing_or_new_is_a_difference() -> None:
    frames = list(read(a_day().log))
    at = next(at for at, frame in enumerate(frames) if isinstance(frame, Batch) and len(frame.effects or ()) > 1)
    batch = frames[at]
    assert isinstance(batch, Batch) and batch.effects is not None
    for changed in (batch.effects[:-1], (*batch.effects, batch.effects[0])):
        (found,) = differences([*frames[:at], msgspec.structs.replace(batch, effects=changed), *frames[at + 1 :]])
        assert found.batch == at and (found.expected == "") != (found.actual == "")


def test_when_to_be_woken_is_a_decision_too() -> None:
    frames = list(read(a_day().log))
    last = frames[-1]
    assert isinstance(last, Batch)
    (found,) = differences([*frames[:-1], msgspec.structs.replace(last, wake=1.0)])
    assert found.expected == "wants to be woken at 1.000"


def test_a_batch_over_which_the_core_failed_fails_again_or_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = a_day()
    desk.log += desk.recording.batch(desk.now, [ev.TimePassed()], [], None, None)
    (found,) = differences(read(desk.log))
    assert found.expected == "the core fails"

    handle, last = Dispatcher.handle, len(list(read(desk.log))) - 1
    calls = count(1)

    def fails_in_the_end(self: Dispatcher, happened: Sequence[ev.Event], now: float) -> list[do.Effect]:
        if next(calls) == last:
            raise ZeroDivisionError
        return handle(self, happened, now)

    monkeypatch.setattr(Dispatcher, "handle", fails_in_the_end)
    assert list(differences(read(desk.log))) == []


def test_a_core_that_cannot_say_when_to_wake_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = a_day()
    frames = list(read(desk.log))

    def fails(self: Dispatcher) -> float:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(Dispatcher, "next_wake", fails)
    found = list(differences(frames))
    assert len(found) == len(frames) - 1
    assert "the core fails" in found[0].actual and "on purpose" in found[0].actual


def test_what_is_in_the_log_reads_like_something_for_a_person() -> None:
    assert words(ev.AppAdded(NOTES)) == "AppAdded org.example.notes"
    assert words(do.Save("lifecycle", "a", b"abc")) == "Save lifecycle a (3 bytes)"
    assert words(do.Launch("a", "token")) == "Launch a token"
    assert words(do.Note("a", "push", "a push came")) == "Note a: a push came"


# --- the bytes --------------------------------------------------------------------------------------------------------


def test_keys_and_addresses_of_subscriptions_are_not_in_the_log_in_whatever_they_stand() -> None:
    desk = a_day()
    again = RecordedDesk(saved=desk.saved)
    again.handle(ev.AppAdded(NOTES), ev.DeskStarted())
    for log in (desk.log, again.log):
        for secret in (SECRET, SECRET[:22], ENDPOINT, UAID):
            assert secret.encode() not in log
    assert b"what was said" in desk.log, "payloads are: the log is private, and its documentation says so"


def test_the_end_that_was_not_written_is_left_out() -> None:
    log = a_day().log
    whole = list(read(log))
    for cut in range(1, 40):
        assert list(read(log[:-cut])) == whole[:-1]
    assert list(read(b"")) == []


def test_damage_is_named_with_its_place() -> None:
    desk = a_day()
    at = desk.log.rindex(b"TimePassed")
    damaged = desk.log[:at] + b"X" + desk.log[at + 1 :]
    with pytest.raises(LogBroken, match=r"damaged at byte \d+: its checksum"):
        list(read(damaged))
    with pytest.raises(LogBroken, match="no log of a desk, or it is damaged at byte 0"):
        list(read(b"\xff" * 100))


def test_a_log_has_one_beginning_and_a_format() -> None:
    desk = a_day()
    with pytest.raises(LogBroken, match="begins with"):
        list(read(desk.log + desk.log))
    with pytest.raises(LogBroken, match="begins with"):
        list(read(Recording().full(T0)))
    assert isinstance(list(read(desk.log + desk.recording.full(desk.now)))[-1], Full)


def test_what_another_version_wrote_is_said_to_be_that() -> None:
    desk = a_day()
    frames = list(read(desk.log))
    batch = frames[-1]
    assert isinstance(batch, Batch)
    unknown = msgspec.structs.replace(batch, events=(msgspec.Raw(msgspec.msgpack.encode({"type": "Unheard"})),))
    with pytest.raises(LogBroken, match="another version"):
        list(differences([*frames[:-1], unknown]))


def test_a_beginning_in_another_format_is_no_damage_but_another_version() -> None:
    later = msgspec.msgpack.encode({"type": "begun", "format": 2, "something": "else"})
    log = len(later).to_bytes(4, "big") + zlib.crc32(later).to_bytes(4, "big") + later
    with pytest.raises(LogBroken, match="has format 2, this frontdesk reads 1"):
        list(read(log))
    begun = {"type": "begun", "format": 1, "desk_version": "0"}
    earlier = msgspec.msgpack.encode(begun)
    log = len(earlier).to_bytes(4, "big") + zlib.crc32(earlier).to_bytes(4, "big") + earlier
    with pytest.raises(LogBroken, match="written by another version"):
        list(read(log))


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=3000))
def test_nonsense_is_read_or_refused_never_worse(garbage: bytes, at: int) -> None:
    log = a_day().log
    for tried in (garbage, log[:at] + garbage + log[at + len(garbage) :]):
        with suppress(LogBroken):
            list(differences(read(tried)))


CHANNEL = ev.SubscribeAsked(NOTES.id, 1, 1, "news", PushKind.CHANGEABLE_ALERT, None, "c", SECRET, "p", SECRET[:22])
TASKS = (
    RefreshTask(FRESH),
    RefreshTask(FRESH, T0 + 600.0, requires_network=True),
    ProcessingTask(UPKEEP, requires_external_power=True, retry=Retry()),
    ContinuedTask(UPKEEP, title="Export"),
)
HAPPENS = st.lists(
    st.sampled_from(
        [
            (ev.OpenAsked(NOTES.id),),
            (ev.QuitAsked(NOTES.id),),
            (ev.Launched(NOTES.id, "id-1", 10, 1),),
            (ev.Connected(NOTES.id, 10, 1, "run", launched=True, foreground=False),),
            (ev.Connected(NOTES.id, 11, 2, "run 2", launched=False, foreground=True),),
            (ev.Disconnected(NOTES.id), ev.Exited(NOTES.id, 10, 1)),
            (ev.WentForeground(NOTES.id),),
            (ev.WentBackground(NOTES.id),),
            (ev.SaidReady(NOTES.id, 1),),
            (ev.TaskBegun(NOTES.id, 1, "send"), ev.TaskBegun(NOTES.id, 2, "save")),
            (ev.TaskEnded(NOTES.id, 1),),
            (CHANNEL, ev.ChannelRegistered("c", ENDPOINT)),
            (ev.PushArrived("c", "v1", b"{}", 60.0),),
            (ev.PushAnswered(NOTES.id, "id-2", Verdict.SHOW_THIS, Notification("n", "News")),),
            (ev.MemoryShort(), ev.BackgroundSwitched("*", on=False)),
            (ev.AppRemoved(NOTES.id), ev.AppAdded(NOTES)),
            *((ev.SubmitAsked(NOTES.id, 1, 1, task, ExistingWork.REPLACE, ""),) for task in TASKS),
            *((ev.RunCompleted(NOTES.id, f"id-{number}", number % 2 == 0),) for number in range(1, 5)),
            (ev.ProgressTold(NOTES.id, "id-2", 1.0, 2.0, "", ""),),
            (ev.CancelAsked(NOTES.id, 1, 1, frozenset()),),
            (ev.SimulateAsked(1, 1, UPKEEP, "", False),),
            (ev.SimulateAsked(1, 1, UPKEEP, "", True),),
            (
                ev.ConditionSeen(Condition.IDLE, "yes", "logind"),
                ev.ConditionSeen(Condition.NETWORK, "online", "kernel"),
            ),
            (ev.ConditionForced(Condition.POWER, "battery"), ev.ConditionForced(Condition.NETWORK, "offline")),
            (ev.ConditionLifted(None),),
            (ev.MachineSlept(3600.0), ev.WallClock(ahead=-5000.0, utc_offset=3600.0)),
            (ev.DeskStopping(),),
        ]
    ),
    max_size=25,
)


@given(HAPPENS, st.data())
def test_any_history_is_decided_the_same_again(history: list[tuple[ev.Event, ...]], data: st.DataObject) -> None:
    desk = RecordedDesk()
    desk.handle(ev.AppAdded(NOTES), ev.DeskStarted())
    for events in history:
        desk.handle(*events)
        match data.draw(st.sampled_from(["", "", "", "waits", "waits", "the desk dies"])):
            case "waits":
                desk.wait()
            case "the desk dies":
                assert list(differences(read(desk.log))) == []
                desk = RecordedDesk(saved=desk.saved, first_id=next(desk.numbers))
                desk.handle(ev.AppAdded(NOTES), ev.Survived(NOTES.id, child=True), ev.DeskStarted())
    assert list(differences(read(desk.log))) == []
