"""A person's machine in memory: the desk that runs on it, the processes of apps, and what the desk decides, done."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.setup import Setup
from frontdesk.agent.loop import DeskLoop
from frontdesk.agent.shell.event_log import EventLog
from frontdesk.app.surroundings import AROUND, Greeting
from frontdesk.terms import AppState, Condition, Manifest
from frontdesk.testing.desk_clock import DeskClock
from frontdesk.testing.front_door import VERSION, FrontDoor
from frontdesk.testing.hand_clock import HandClock
from frontdesk.testing.process import Main, Process, follow_tasks
from frontdesk.testing.store import MemoryStore
from frontdesk.testing.surroundings import InMemory
from frontdesk.wire import desk as wire

SOURCE = "the test"
"""Who tells the desk what the machine is like."""

_TEST = 0
"""The asker that is the test itself."""


class Machine:
    """What it is made of is said at ``InMemoryDesk``. ``clock`` is taken before, given back after ``switch_off``."""

    def __init__(
        self,
        limits: Mapping[str, float],
        conditions: Mapping[Condition, str],
        *,
        start: float,
        utc_offset: float,
        push_service: bool,
        record: Path | None,
        clock: HandClock,
    ) -> None:
        self.clock = clock
        self.desk_clock = DeskClock(start)
        self.store = MemoryStore()
        self.conditions = dict(conditions)
        self.ahead = 0.0
        """Seconds that the wall clock is ahead of the desk's."""
        self.uses: dict[str, tuple[float | None, int | None]] = {}
        """What measuring an app finds: seconds of processor time, bytes."""
        self._limits = msgspec.convert(dict(limits), Limits)
        self._utc_offset = utc_offset
        self._push_service = push_service
        self._numbers = itertools.count(1)
        self._pids = itertools.count(1001)
        self._event_log = None if record is None else EventLog(record, self._new_id)
        self._manifests: dict[str, Manifest] = {}
        self._mains: dict[str, Main] = {}
        self._processes: list[Process] = []
        self._locks: set[str] = set()
        self._answers: dict[int, asyncio.Future[wire.ToApp]] = {}
        self._follow_no_more = follow_tasks()
        self.start_desk()

    # --- the desk -------------------------------------------------------------------------------------------------

    def start_desk(self) -> None:
        """From what is saved, as after a start of the machine or the death of the desk before (contract L06)."""
        log = self._event_log
        self.desk_clock.begin_anew(self.ahead)
        self.ahead = 0.0
        self.began = self.desk_clock.now()
        """When the desk that is there now did."""
        setup = Setup(self._limits, VERSION, push_service_set=self._push_service)
        self.core = Dispatcher(setup, self._new_id if log is None else log.draw)
        record = None if log is None else log.batch
        self._loop = DeskLoop(self.core, self.store, self.desk_clock, self._carry_out, lambda: None, record)
        self.door = FrontDoor(self.core, self._loop.post, self.desk_clock.now)
        saved = [*self.store.saved()]
        for machine, key, form in saved:
            self.core.restore(machine, key, form)
        if log is not None:
            log.close()
            log.begin(setup, saved)
        self._tell_all()

    def kill_desk(self) -> None:
        """SIGKILL: nothing that was said and not handled is heard any more."""
        self._loop.stop()
        self.door.close()

    def _tell_all(self) -> None:
        """What a desk hears first."""
        for manifest in self._manifests.values():
            self.post(ev.AppAdded(manifest))
        for process in list(self._processes):
            self._survived(process)
        self.post(self.wall_clock())
        for condition, value in self.conditions.items():
            self.post(ev.ConditionSeen(condition, value, SOURCE))
        self.post(ev.DeskStarted())
        if self._push_service:
            self.post(ev.PushLinkUp("the desk in memory", changed=False))

    def _survived(self, process: Process) -> None:
        """As the keeper tells a desk, for what it launched; what was started by hand is no child of it."""
        life = self.core.lifecycle.life(process.app)
        if life is None or life.state is AppState.STOPPED:
            if process.token:
                process.kill()
            return
        if not life.pid and life.token == process.token:
            self.post(ev.Launched(process.app, process.token, process.pid, process.started))
        elif life.pid != process.pid:
            return
        self.post(ev.Survived(process.app, child=bool(process.token)))

    async def switch_off(self) -> None:
        """Nothing of it is left."""
        self.kill_desk()
        if self._event_log is not None:
            self._event_log.close()
        left = list(self._processes)
        for process in left:
            process.kill()
        await asyncio.gather(*(process.gone() for process in left))
        self._follow_no_more()

    # --- telling it -----------------------------------------------------------------------------------------------

    def post(self, event: ev.Event) -> None:
        self._loop.post(event)

    def simulate(self, identifier: str, app: str, *, expire: bool) -> "asyncio.Future[wire.ToApp]":
        """As ``frontdesk simulate``; has the desk's answer once that has decided."""
        number = next(self._numbers)
        answer: asyncio.Future[wire.ToApp] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self.post(ev.SimulateAsked(_TEST, number, identifier, app, expire))
        return answer

    def wall_clock(self) -> ev.WallClock:
        return ev.WallClock(self.ahead, self._utc_offset)

    def time(self) -> float:
        """Seconds since 1970, as the person's clock shows them."""
        return self.desk_clock.now() + self.ahead

    # --- apps -----------------------------------------------------------------------------------------------------

    def install(self, manifest: Manifest, main: Main) -> None:
        self._manifests[manifest.id], self._mains[manifest.id] = manifest, main
        self.post(ev.AppAdded(manifest))

    def remove(self, app: str) -> None:
        del self._manifests[app]
        self.post(ev.AppRemoved(app))

    def knows(self, app: str) -> bool:
        return app in self._manifests

    def run(self, app: str, token: str = "") -> Process:
        """A new process of the app; ``token``: of the launch, "" for one that was started by hand."""
        process = Process(app, next(self._pids), token, self._ended)
        process.context.run(AROUND.set, InMemory(process, self._reach, self._locks, self.time, self.clock.time))
        self._processes.append(process)
        process.start(self._mains[app])
        return process

    def running(self) -> list[Process]:
        """Frozen ones too, in the order in which they were started."""
        return list(self._processes)

    def new_version(self) -> str:
        """Of a push."""
        return f"version-{next(self._numbers)}"

    def _ended(self, process: Process, status: int) -> None:
        self._processes.remove(process)
        # Nobody can know how a process ended that was started by hand: it is no child of the keeper.
        self.post(ev.Exited(process.app, process.pid, status if process.token else None))

    async def _reach(
        self, process: Process, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        """The desk that is there now."""
        return await self.door.reach(process, greeting, protocol)

    # --- what the desk decides ------------------------------------------------------------------------------------

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Send():
                self.door.clients.send(effect)
            case do.Answer(asker=asker, message=message) if asker == _TEST:
                answer = self._answers.pop(getattr(message, "request", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case do.Answer():
                self.door.clients.answer(effect)
            case do.Launch(app=app, token=token):
                process = self.run(app, token)
                self.post(ev.Launched(app, token, process.pid, process.started))
            case do.Freeze(process=meant) | do.Thaw(process=meant) | do.Kill(process=meant):
                self._to_process(effect, meant.pid)
            case do.Measure(app=app, process=meant):
                self.post(ev.Consumed(app, meant.pid, *self.uses.get(app, (0.0, 0))))
            case do.RegisterChannel(channel=channel):
                self.post(ev.ChannelRegistered(channel, f"https://push.invalid/{channel}"))
            case do.Show(app=app, notification=notification):
                self.post(ev.OnDesktop(app, notification, "", 0))

    def _to_process(self, effect: do.Freeze | do.Thaw | do.Kill, pid: int) -> None:
        for process in [each for each in self._processes if each.pid == pid]:
            match effect:
                case do.Freeze():
                    process.freeze()
                case do.Thaw():
                    process.thaw()
                case do.Kill():
                    process.kill()

    def _new_id(self) -> str:
        return f"id-{next(self._numbers)}"
