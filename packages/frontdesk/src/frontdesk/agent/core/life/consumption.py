"""What apps in the background use of processor and memory, and stopping those that use too much (contract L08, L09).

An app is measured, with its children, only while it runs unseen: never in front of a person, never asleep, so that an
idle desk measures nothing. Its use of the processor is looked at over a window that begins anew whenever it comes to
the background; time in which the machine slept does not count. A busy processor is judged by the window's whole length
also before that has passed: nobody is stopped for a short burst. Who stays for a moment only, to take in a push, is not
measured at all.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import StopReason

LOOKS = 6
"""An app is measured so many times in each window of ``cpu_window``."""

Out = list[do.Effect | ev.Signal]


class _Measured(NamedTuple):
    at: float
    cpu: float


class _Watch:
    """One stay of an app in the background."""

    def __init__(self, now: float, first: float) -> None:
        self.since = now
        self.look_at: float | None = first
        """When to measure next; None: the answer is due."""
        self.measured: deque[_Measured] = deque()


class Consumption:
    """The machine. ``in_background(app)`` is its process while it runs unseen, else None.

    ``memory`` is what the person allows single apps, in bytes; for the others ``limits.memory`` counts.
    """

    def __init__(
        self, limits: Limits, in_background: Callable[[str], do.Process | None], memory: Mapping[str, int]
    ) -> None:
        self._limits = limits
        self._in_background = in_background
        self._memory = memory
        self._watches: dict[str, _Watch] = {}
        self._free: dict[str, set[str]] = {}
        """Apps that may use all processor time just now, and for which kinds of work."""

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.Awake(app=app) | ev.LeftForeground(app=app):
                if app not in self._watches and self._in_background(app) is not None:
                    first = now + min(self._limits.settle, self._limits.cpu_window / LOOKS)
                    self._watches[app] = _Watch(now, first)
            case ev.CameForeground(app=app) | ev.Slept(app=app) | ev.Stop(app=app):
                self._watches.pop(app, None)
            case ev.Ended(app=app) | ev.AppRemoved(app=app):
                self._watches.pop(app, None)
                self._free.pop(app, None)
            case ev.Consumed(app=app) if app in self._watches:
                return self._consumed(app, happened, now)
            case ev.FreeOfCpuLimit(app=app):
                self._freed(happened)
            case ev.MachineSlept(seconds=seconds):
                for watch in self._watches.values():
                    watch.measured = deque(_Measured(one.at + seconds, one.cpu) for one in watch.measured)
                    watch.since += seconds
            case ev.MemoryShort():
                # Whoever fills the machine's memory is found before the kernel ends somebody else for it.
                for watch in self._watches.values():
                    watch.look_at = now if watch.look_at is not None else None
                return [out for app in list(self._watches) for out in self._look(app, now)]
            case ev.TimePassed():
                return [out for app in list(self._watches) for out in self._look(app, now)]
        return []

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: the next measurement; None while nothing runs unseen."""
        return min((watch.look_at for watch in self._watches.values() if watch.look_at is not None), default=None)

    def saves(self) -> list[do.Effect]:
        """Nothing: after a restart of the desk the window begins anew."""
        return []

    def _freed(self, freed: ev.FreeOfCpuLimit) -> None:
        works = self._free.setdefault(freed.app, set())
        (works.add if freed.on else works.discard)(freed.by)
        if not works:
            del self._free[freed.app]
        if freed.app in self._watches:
            self._watches[freed.app].measured.clear()

    # --- measuring ------------------------------------------------------------------------------------------------

    def _look(self, app: str, now: float) -> Out:
        watch = self._watches[app]
        if watch.look_at is None or watch.look_at > now:
            return []
        process = self._in_background(app)
        if process is None:
            del self._watches[app]
            return []
        watch.look_at = None
        return [do.Measure(app, process)]

    def _consumed(self, app: str, used: ev.Consumed, now: float) -> Out:
        watch, process = self._watches[app], self._in_background(app)
        if process is None or used.pid != process.pid:
            return []
        watch.look_at = now + self._limits.cpu_window / LOOKS
        most = self._memory.get(app, self._limits.memory)
        # Having been told of the background it has the time to answer "ready" in which to let go of what it can.
        if used.memory is not None and used.memory > most and now >= watch.since + self._limits.settle:
            return [_too_much_memory(app, used.memory, most)]
        if used.cpu is None or app in self._free:
            return []
        seconds, over = self._most_used(watch, _Measured(now, used.cpu))
        if seconds > self._limits.cpu_share * over:
            return [self._too_much_processor(app, seconds, over)]
        return []

    def _most_used(self, watch: _Watch, last: _Measured) -> tuple[float, float]:
        """Seconds of processor time, and over how many seconds: of the stretch that ends now with the highest share."""
        window = self._limits.cpu_window
        watch.measured.append(last)
        while len(watch.measured) > 1 and watch.measured[1].at <= last.at - window:
            watch.measured.popleft()
        stretches = [(last.cpu - one.cpu, max(window, last.at - one.at)) for one in watch.measured]
        return max(stretches, key=lambda stretch: stretch[0] / stretch[1])

    # --- too much -------------------------------------------------------------------------------------------------

    def _too_much_processor(self, app: str, seconds: float, over: float) -> ev.Stop:
        share = self._limits.cpu_share
        text = (
            f"In the background it used {seconds:.3g} s of processor time within {over:.3g} s, more than the "
            f"{share * over:.3g} s that are allowed. Leave long work to a processing task that requires external power."
        )
        return ev.Stop(app, StopReason.CPU_EXCEEDED, text, share, seconds / over)


def _too_much_memory(app: str, used: int, most: int) -> ev.Stop:
    text = (
        f"In the background it held {used / 2**20:.0f} MiB of memory; {most / 2**20:.0f} MiB are allowed. "
        "settings.toml can allow it more, in its section [memory]."
    )
    return ev.Stop(app, StopReason.MEMORY_EXCEEDED, text, float(most), float(used))
