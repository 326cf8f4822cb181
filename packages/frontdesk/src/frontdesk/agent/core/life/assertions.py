"""Background tasks: who holds which, how much background time an app has left, when it is told and when it is stopped.

The time belongs to the app, not to a task (contract A03): one *box* for each app, begun when it leaves the foreground
or is woken, gone when it is in front or asleep. All tasks share it; beginning another adds nothing.
"""

from collections.abc import Callable

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import StopReason, WakeReason
from frontdesk.wire import desk as wire

MACHINE = "assertions"

Out = list[do.Effect | ev.Signal]


class Box(msgspec.Struct):
    """Background time of one app: from ``begun`` on for ``limit`` seconds."""

    begun: float
    limit: float
    told: bool = False
    """The expiration handlers of this box have been called (A05: once)."""
    spent: bool = False
    """It is over; it stays, with nothing left, until the app sleeps, is in front, or is gone."""

    @property
    def end(self) -> float:
        return self.begun + self.limit


class _Tasks:
    """Tasks and box of one app."""

    def __init__(self) -> None:
        self.connected = False
        self.box: Box | None = None
        self.left_at_sleep: float | None = None
        """Background time it had left when it was suspended; None while it is awake."""
        self.open: dict[int, str] = {}


class Assertions:
    """The machine. ``background_available`` says which apps may run in the background (A10, L10)."""

    def __init__(self, limits: Limits, background_available: Callable[[str], bool]) -> None:
        self._limits = limits
        self._background_available = background_available
        self._apps: dict[str, _Tasks] = {}
        self._inhibits = False
        self._ahead = 0
        self._saved_as: dict[str, bytes] = {}

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        return self._handle(happened, now) + self._inhibit()

    def _handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.TimePassed():
                return [out for app in list(self._apps) for out in self._time_passed(app, now)]
            case ev.Connected(app=app):
                return self._connected(app, happened, now)
            case ev.Disconnected(app=app) if app in self._apps:
                self._apps[app].connected = False
            case ev.CameForeground(app=app):
                self._of(app).box = None
                return [do.Send(app, wire.TimeBox(None))]
            case ev.LeftForeground(app=app):
                allowed = self._background_available(app)
                return self._begin_box(app, self._limits.background if allowed else self._limits.expiry_lead, now)
            case ev.MachineSlept(seconds=seconds):
                for box in (tasks.box for tasks in self._apps.values()):
                    if box is not None:
                        box.begun += seconds
            case ev.WallClock(whole_ahead=ahead):
                self._ahead = ahead
            case ev.BackgroundSwitched():
                off = [app for app in self._apps if not self._background_available(app)]
                return [out for app in off for out in self._curtail(app, now)]
            case ev.Awake(app=app, fresh=True, why=why) if not self._goes_on(app):
                return self._begin_box(app, self._box_for(app, why), now)
            case ev.Awake(app=app):
                return self._tell_again(app, now)
            case ev.GiveTime(app=app, seconds=seconds):
                return self._give_time(app, seconds, now)
            case ev.TaskBegun(app=app, task=task, name=name):
                return self._begun(app, task, name, now)
            case ev.TaskEnded(app=app, task=task):
                return self._ended(app, task)
            case ev.Slept(app=app):
                self._of(app).left_at_sleep = self.seconds_left(app, now) or 0.0
                self._of(app).box = None
            case ev.Ended(app=app) | ev.AppRemoved(app=app):
                self._apps.pop(app, None)
        return []

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: the next expiry or end of a box."""
        moments: list[float] = []
        for tasks in self._apps.values():
            if tasks.box is not None and tasks.connected and not tasks.box.spent:
                lead = self._limits.expiry_lead if tasks.open and not tasks.box.told else 0.0
                moments.append(tasks.box.end - lead)
        return min(moments, default=None)

    def saves(self) -> list[do.Effect]:
        """``Save`` for every box that has changed. Tasks need no saving: apps bring them when they reconnect (A13)."""
        changed: list[do.Effect] = []
        boxes = {app: self._form(tasks.box) for app, tasks in self._apps.items() if tasks.box is not None}
        for app, form in boxes.items():
            if self._saved_as.get(app) != form:
                changed.append(do.Save(MACHINE, app, form))
        changed += [do.Save(MACHINE, app, None) for app in self._saved_as if app not in boxes]
        self._saved_as = boxes
        return changed

    def restore(self, key: str, value: bytes) -> None:
        self._of(key).box = msgspec.msgpack.decode(value, type=Box)
        self._saved_as[key] = value

    # --- looking at it --------------------------------------------------------------------------------------------

    def seconds_left(self, app: str, now: float) -> float | None:
        """Background time left, at least 0; None where no time runs."""
        box = self._apps[app].box if app in self._apps else None
        return max(0.0, box.end - now) if box is not None else None

    def open_tasks(self, app: str) -> tuple[str, ...]:
        return tuple(self._apps[app].open.values()) if app in self._apps else ()

    # --- tasks ----------------------------------------------------------------------------------------------------

    def _begun(self, app: str, task: int, name: str, now: float) -> Out:
        tasks = self._of(app)
        if not self._background_available(app):
            return [do.Send(app, wire.TaskProblem(task, "Running in the background is switched off for this app."))]
        if task in tasks.open:
            return [do.Send(app, wire.TaskProblem(task, "This identifier is open already; nothing was begun."))]
        if len(tasks.open) >= self._limits.most_tasks:
            text = f"It had {len(tasks.open)} background tasks open and began one more. End those that are finished."
            most = float(self._limits.most_tasks)
            return [ev.Stop(app, StopReason.TOO_MANY_TASKS, text, most, most + 1, _some(tasks.open))]
        over = tasks.box is not None and tasks.box.spent
        if over or (tasks.left_at_sleep is not None and tasks.left_at_sleep <= 0.0):
            return [do.Send(app, wire.TaskProblem(task, "Background time is up; nothing was begun."))]
        tasks.open[task] = name
        out: Out = [
            ev.HoldOn(app, "task", str(task), name),
            do.Note(app, "task_begun", f"background task begun: {name}", about=f"task {task}", name=name),
        ]
        if tasks.left_at_sleep is not None:
            # Said just before it was frozen: with the time it had, never with new time (A03).
            out.append(ev.Wake(app, WakeReason.TASK))
        if tasks.box is not None and tasks.box.told:
            out.append(do.Send(app, wire.ExpireTasks((task,), max(0.0, tasks.box.end - now))))
        return out

    def _ended(self, app: str, task: int) -> Out:
        name = self._of(app).open.pop(task, None)
        if name is None:
            text = "There is no such open background task: it was ended before, or never begun. Nothing was changed."
            return [
                do.Send(app, wire.TaskProblem(task, text)),
                do.Note(app, "task_unknown", f"ended a background task that is not open ({task})"),
            ]
        return [
            ev.LetGo(app, "task", str(task)),
            do.Note(app, "task_ended", f"background task ended: {name}", about=f"task {task}", name=name),
        ]

    def _connected(self, app: str, hello: ev.Connected, now: float) -> Out:
        """Take up what the app brings: a new process brings nothing, one that reconnects its open tasks (A13)."""
        tasks = self._of(app)
        tasks.connected = True
        if tasks.box is not None and not tasks.box.told:
            # The desk was away; that must not cost the handlers the time in which they run.
            tasks.box.limit = max(tasks.box.limit, now + self._limits.expiry_lead - tasks.box.begun)
        brought = {entry.task: entry.name for entry in hello.tasks}
        gone = tasks.open.keys() - brought.keys()
        tasks.open = brought
        out: Out = [ev.LetGo(app, "task", str(task)) for task in gone]
        if len(brought) > self._limits.most_tasks:
            text = f"It came with {len(brought)} background tasks open. End those that are finished."
            most = float(self._limits.most_tasks)
            out.append(ev.Stop(app, StopReason.TOO_MANY_TASKS, text, most, float(len(brought)), _some(brought)))
        out += [ev.HoldOn(app, "task", str(task), name) for task, name in brought.items()]
        if tasks.box is not None and tasks.box.told and brought:
            # It may have gone down with the old connection; the app knows which handlers it has called (A05).
            out.append(do.Send(app, wire.ExpireTasks(tuple(brought), max(0.0, tasks.box.end - now))))
        return out if self._background_available(app) else out + self._curtail(app, now)

    # --- time -----------------------------------------------------------------------------------------------------

    def _goes_on(self, app: str) -> bool:
        """The desk died in the middle of this wake: its time runs on (A13)."""
        box = self._of(app).box
        return box is not None and not box.spent

    def _box_for(self, app: str, why: WakeReason) -> float:
        left = self._of(app).left_at_sleep
        if why is WakeReason.TASK and left is not None:
            return left
        limits = {WakeReason.PUSH: self._limits.push, WakeReason.SCHEDULED: self._limits.refresh}
        return limits.get(why, self._limits.background)

    def _begin_box(self, app: str, limit: float, now: float) -> Out:
        tasks = self._of(app)
        tasks.box, tasks.left_at_sleep = Box(now, limit), None
        return [do.Send(app, wire.TimeBox(limit))]

    def _give_time(self, app: str, seconds: float, now: float) -> Out:
        """More than what it was woken for would give it: it works on scheduled tasks (S08)."""
        box = self._of(app).box
        if box is None or box.end >= now + seconds:
            return []
        # One that was over just then begins again: work is given to the app in that very moment.
        box.limit, box.told, box.spent = now + seconds - box.begun, False, False
        return self._tell_again(app, now)

    def _curtail(self, app: str, now: float) -> Out:
        """Background running was switched off while it runs unseen: what is open ends politely, and at once (L10)."""
        box = self._of(app).box
        if box is None or box.told or box.spent or box.end <= now + self._limits.expiry_lead:
            return []
        box.limit = now + self._limits.expiry_lead - box.begun
        return self._tell_again(app, now) + self._time_passed(app, now)

    def _tell_again(self, app: str, now: float) -> Out:
        tasks = self._of(app)
        if tasks.box is None:
            return []
        return [do.Send(app, wire.TimeBox(max(0.0, tasks.box.end - now)))]

    def _inhibit(self) -> Out:
        """Hold off the machine's sleep while a task is open in an app that nobody sees, whose time therefore runs."""
        guarding = (app for app, tasks in self._apps.items() if tasks.open and tasks.box and not tasks.box.spent)
        first = next(guarding, None)
        if (first is not None) == self._inhibits:
            return []
        self._inhibits = first is not None
        name = next(iter(self._apps[first].open.values())) if first is not None else ""
        return [do.Inhibit(self._inhibits, f"{first} finishes: {name}" if first is not None else "")]

    def _time_passed(self, app: str, now: float) -> Out:
        tasks = self._apps[app]
        box = tasks.box
        if box is None or box.spent or not tasks.connected:
            return []
        if now >= box.end and tasks.open and not box.told:
            # The machine slept, or the desk stood still, over the moment for this: the handlers get their time (A05).
            box.limit = now + self._limits.expiry_lead - box.begun
        if now >= box.end:
            box.spent = True
            if not tasks.open:
                return [ev.BoxOver(app)]
            names = _some(tasks.open)
            text = (
                f"Its background time of {box.limit:g} s was up and it had not ended: {', '.join(names)}. "
                "End each background task in its expiration handler at the latest."
            )
            return [ev.Stop(app, StopReason.TASK_NOT_ENDED, text, box.limit, now - box.begun, names)]
        if tasks.open and not box.told and now >= box.end - self._limits.expiry_lead:
            box.told = True
            return [
                do.Send(app, wire.ExpireTasks(tuple(tasks.open), box.end - now)),
                do.Note(
                    app,
                    "expiring",
                    f"time is almost up: {', '.join(_some(tasks.open))}",
                    name=", ".join(_some(tasks.open)),
                    why=f"{box.limit:g} s",
                ),
            ]
        return []

    def _form(self, box: Box) -> bytes:
        """In wall time, with which the next desk begins its own: it must have as much left there (A13)."""
        return msgspec.msgpack.encode(msgspec.structs.replace(box, begun=box.begun + self._ahead))

    def _of(self, app: str) -> _Tasks:
        return self._apps.setdefault(app, _Tasks())


def _some(tasks: dict[int, str], most: int = 20) -> tuple[str, ...]:
    names = tuple(tasks.values())
    return names if len(names) <= most else (*names[:most], f"and {len(names) - most} more")
