"""The life of each app: which state it is in, which moves there are, when it is launched, frozen, thawed, stopped.

Theory of operation. ``MOVES`` (in ``life``) is the whole truth about states (contract L02), held by ``Lives.move``
alone. An app in the background runs for as long as something *holds* it: a background task, a push it works on, a
person who is opening it, or the time it is given to answer ``EnteredBackground``. Other machines take and drop holds by
signals; when a batch of events has been handled, ``settle`` suspends every app that nothing holds. Deciding that late
is what lets an app end one task and begin the next, or a push arrive just then, without a useless freeze in between.

This file is the machine: which event goes where. ``waking``, ``foreground``, ``stopping`` and ``connecting`` are its
parts, and ``lives`` is what they share.
"""

from collections.abc import Callable
from typing import Any

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.background_switch import ALL
from frontdesk.agent.core.life.connecting import Connecting
from frontdesk.agent.core.life.foreground import Foreground
from frontdesk.agent.core.life.life import Life, Moments, later, over
from frontdesk.agent.core.life.lives import MACHINE, Lives, Out
from frontdesk.agent.core.life.stopping import Stopping
from frontdesk.agent.core.life.waking import Waking
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.progress_notice import run_of
from frontdesk.terms import AppState, AppStatus, Hold, Manifest, Obstacle, StopReason, WakeReason
from frontdesk.wire import desk as wire

__all__ = ["MACHINE", "Lifecycle"]

S = AppState

_ASKED_FOR: dict[type, WakeReason] = {
    ev.OpenAsked: WakeReason.OPENED,
    ev.ActAsked: WakeReason.PRESSED,
    ev.PageVisited: WakeReason.PAGE_VISITED,
}
"""What a person does to have an app, and why it then runs."""


class Lifecycle:
    """The machine. ``new_id`` hands in launch tokens; ``background_available`` says who may run unseen (L10)."""

    def __init__(
        self,
        limits: Limits,
        new_id: Callable[[], str],
        desk_version: str,
        background_available: Callable[[str], bool],
    ) -> None:
        self._limits = limits
        self._background_available = background_available
        self._lives = Lives(limits)
        self._waking = Waking(self._lives, new_id)
        self._foreground = Foreground(self._lives, self._waking)
        self._stopping = Stopping(self._lives, self._waking)
        self._connecting = Connecting(
            self._lives, self._waking, self._stopping, self._foreground, desk_version, background_available
        )
        self._for_all = self._table_for_all()
        self._for_one = self._table_for_one()
        self._standing: dict[str, tuple[Obstacle, float | None] | None] = {}
        """``not_launchable`` of each app, as the other machines know it."""

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        """What follows from ``happened``; ignores what is about apps it does not know."""
        kind = type(happened)
        if kind in self._for_all:
            return self._for_all[kind](happened, now) + self._availability(list(self._lives.lives), now)
        app = getattr(happened, "app", "")
        life = self._lives.lives.get(app)
        if life is None:
            return []
        at = self._lives.moments[app]
        if isinstance(happened, ev.Report):
            life.slept = at.opened_at = None
        out = self._for_one[kind](life, at, happened, now) if kind in self._for_one else []
        return out + self._availability([app], now)

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``; None: never, unless something happens."""
        lives = self._lives.lives.values()
        moments = [moment for at in self._lives.moments.values() for moment in at.deadlines()]
        for life in lives:
            moments += [moment for moment in (life.opening_until, life.settle_until) if moment is not None]
        moments += [
            life.since + self._limits.suspended for life in lives if life.state is S.SUSPENDED and life.ending is None
        ]
        return min(moments, default=None)

    def saves(self) -> list[do.Effect]:
        """``Save`` for every app whose saved form has changed since the last call."""
        return self._lives.saves()

    def restore(self, key: str, value: bytes) -> None:
        """Take back one saved form; called for each before ``AppAdded``, ``Survived`` and ``DeskStarted``."""
        self._lives.restore(key, value)

    # --- what goes where ------------------------------------------------------------------------------------------

    def _table_for_all(self) -> dict[type, Callable[[Any, float], Out]]:
        """What is not about one app that is known."""
        return {
            ev.AppAdded: self._added,
            ev.DeskStarted: lambda happened, now: self._connecting.desk_started(now),
            ev.TimePassed: lambda happened, now: self._time_passed(now),
            ev.MemoryShort: lambda happened, now: self._stopping.memory_short(),
            ev.DeskStopping: lambda happened, now: self._stopping.desk_stopping(now),
            ev.SleepComing: lambda happened, now: [do.Note("", "sleep_coming", "the machine is about to sleep")],
            ev.MachineSlept: lambda happened, now: self._slept(happened.seconds),
            ev.WallClock: lambda clock, now: self._clock_set(clock),
            ev.BackgroundSwitched: lambda switched, now: self._switched(switched.app),
            ev.AnswerAsked: lambda asked, now: [do.Answer(asked.asker, wire.Done(asked.request))],
            ev.Launched: lambda answer, now: self._connecting.launched(answer),
        }

    def _table_for_one(self) -> dict[type, Callable[[Life, Moments, Any, float], Out]]:
        return {
            ev.AppRemoved: self._removed,
            ev.LaunchFailed: self._connecting.launch_failed,
            ev.Connected: self._connecting.connected,
            ev.Disconnected: self._connecting.disconnected,
            ev.Survived: self._connecting.survived,
            ev.TaskReceiptKept: self._connecting.run_over,
            ev.Exited: self._stopping.exited,
            ev.QuitAsked: self._stopping.quit,
            ev.Stop: lambda life, at, why, now: self._stopping.stop(life, why, now),
            ev.Wake: lambda life, at, wake, now: self._waking.wake(life, at, wake.why, now),
            **dict.fromkeys(_ASKED_FOR, self._asked_for),
            ev.SubscriptionsLost: self._subscriptions_lost,
            ev.WentForeground: lambda life, at, _, now: self._foreground.came(life, at, now),
            ev.WentBackground: lambda life, at, _, now: self._foreground.left(life, now),
            ev.SaidReady: self._ready,
            ev.HoldOn: self._hold,
            ev.LetGo: self._let_go,
            ev.BoxOver: self._box_over,
        }

    def _asked_for(self, life: Life, at: Moments, asked: ev.Event, now: float) -> Out:
        out: Out = []
        if isinstance(asked, ev.ActAsked):
            text = f"a notification was pressed{f' ({asked.action})' if asked.action else ''}"
            out.append(do.Note(life.app, "pressed", text, about=asked.notification, why=asked.action))
            if run_of(asked.notification) is not None:
                # The desk's own notification: its button is not the app's to hear of, and the rest of it opens the app.
                return out if asked.action else out + self._waking.wake(life, at, WakeReason.OPENED, now)
        return out + self._waking.wake(life, at, _ASKED_FOR[type(asked)], now)

    def _subscriptions_lost(self, life: Life, at: Moments, _: ev.SubscriptionsLost, now: float) -> Out:
        """Who may not run unseen makes them anew when it is opened (L10)."""
        return self._waking.to_subscribe_anew(life, at, now) if self._background_available(life.app) else []

    def _time_passed(self, now: float) -> Out:
        out: Out = []
        for app, life in list(self._lives.lives.items()):
            at = self._lives.moments[app]
            if over(life.settle_until, now):
                life.settle_until = None
                out.append(do.Note(app, "settled", f'no "ready" within {self._limits.settle:g} s'))
            if over(life.opening_until, now):
                life.opening_until = None
            out += self._stopping.time_passed(life, at, now)
            if over(at.retry_at, now):
                out += self._waking.try_again(life, at, now)
        return out

    # --- whether it may be launched unseen ------------------------------------------------------------------------

    def not_launchable(self, app: str, now: float) -> tuple[Obstacle, float | None] | None:
        """What stands in the way of a launch in the background, and when that ends by itself; None: nothing does."""
        life = self._lives.lives.get(app)
        if life is None:
            return None
        at = self._lives.moments[app]
        if self._lives.leaving:
            return Obstacle.DESK_STOPPING, None
        if not self._background_available(app):
            return Obstacle.BACKGROUND_OFF, None
        if life.quit:
            return Obstacle.APP_QUIT, None
        if at.retry_at is not None and not over(at.retry_at, now):
            return Obstacle.APP_FAILED, at.retry_at
        if life.ending is not None or at.quit_by is not None:
            return Obstacle.APP_BUSY, None
        return None

    def _availability(self, apps: list[str], now: float) -> Out:
        """Tell of each for which that is another answer than before."""
        out: Out = []
        for app in apps:
            standing = self.not_launchable(app, now)
            if standing != self._standing.get(app):
                out.append(ev.AvailabilityChanged(app))
            self._standing[app] = standing
        for app in self._standing.keys() - self._lives.lives.keys():
            del self._standing[app]
        return out

    def _switched(self, switch: str) -> Out:
        """The app can read it (L10)."""
        return [
            do.Send(app, wire.BackgroundIs(self._background_available(app)))
            for app in self._lives.lives
            if switch in (app, ALL) and self._lives.moments[app].connected
        ]

    # --- the machine's sleep and clock ----------------------------------------------------------------------------

    def _slept(self, seconds: float) -> Out:
        """What an app had a time for it could not do in this one."""
        for app, life in self._lives.lives.items():
            at = self._lives.moments[app]
            life.settle_until = later(life.settle_until, seconds)
            life.opening_until = later(life.opening_until, seconds)
            at.connect_by = later(at.connect_by, seconds)
            at.quit_by = later(at.quit_by, seconds)
            at.opened_at = later(at.opened_at, seconds)
        return [do.Note("", "slept", f"the machine slept for {seconds:.0f} s")] if seconds >= 1.0 else []

    def _clock_set(self, clock: ev.WallClock) -> Out:
        self._lives.ahead = clock.whole_ahead
        return []

    # --- holds ----------------------------------------------------------------------------------------------------

    def _ready(self, life: Life, at: Moments, said: ev.SaidReady, now: float) -> Out:
        if said.transition == life.transition:
            life.settle_until = None
        return []

    def _hold(self, life: Life, at: Moments, hold: ev.HoldOn, now: float) -> Out:
        at.holds[hold.kind, hold.key] = Hold(hold.kind, hold.name, now)
        return []

    def _let_go(self, life: Life, at: Moments, hold: ev.LetGo, now: float) -> Out:
        at.holds.pop((hold.kind, hold.key), None)
        return []

    def _box_over(self, life: Life, at: Moments, _: ev.BoxOver, now: float) -> Out:
        at.holds = {key: hold for key, hold in at.holds.items() if hold.kind == "task"}
        life.settle_until = life.opening_until = None
        return []

    def settle(self, now: float) -> Out:
        """Suspend every app in the background that nothing holds (L01, A02). Called when a batch has been handled."""
        out: Out = []
        for app, life in self._lives.lives.items():
            at = self._lives.moments[app]
            if life.state is not S.BACKGROUND or life.ending or not at.connected or at.quit_by is not None:
                continue
            if at.holds or life.settle_until is not None or life.opening_until is not None:
                continue
            self._lives.move(life, S.SUSPENDED, now)
            life.slept_from = now
            life.failures = 0
            out += [do.Freeze(app, life.process()), *self._lives.watch_page(app, on=True), ev.Slept(app)]
            out.append(do.Note(app, "suspended", "nothing holds it: suspended"))
        return out

    # --- the registry ---------------------------------------------------------------------------------------------

    def _added(self, added: ev.AppAdded, now: float) -> Out:
        app = added.manifest.id
        self._lives.manifests[app] = added.manifest
        if app in self._lives.lives:
            return []
        self._lives.begin(app, now)
        return self._lives.watch_page(app, on=True)

    def _removed(self, life: Life, at: Moments, _: ev.AppRemoved, now: float) -> Out:
        out: Out = []
        if life.state is not S.STOPPED:
            why = ev.Stop(life.app, StopReason.REMOVED, "Its registration was removed.")
            out += self._stopping.stop(life, why, now)
        if life.ending is not None:
            # Nobody will be left to be told of its exit.
            out.append(do.KeepReceipt(life.ending))
        out += [*self._lives.watch_page(life.app, on=False), do.ForgetPage(life.app)]
        self._lives.forget(life.app)
        return [*out, do.Note(life.app, "removed", "registration removed")]

    # --- looking at it --------------------------------------------------------------------------------------------

    def life(self, app: str) -> Life | None:
        """The saved part of an app's life, to read."""
        return self._lives.lives.get(app)

    def lives(self) -> list[Life]:
        return list(self._lives.lives.values())

    def manifests(self) -> dict[str, Manifest]:
        return dict(self._lives.manifests)

    def manifest(self, app: str) -> Manifest | None:
        return self._lives.manifests.get(app)

    def state(self, app: str) -> AppState | None:
        """None: no such app."""
        life = self._lives.lives.get(app)
        return life.state if life is not None else None

    def background_available(self, app: str) -> bool:
        """Whether the person lets it run unseen (L10)."""
        return self._background_available(app)

    def in_background(self, app: str) -> do.Process | None:
        """Its process, while it runs unseen and is not about to be stopped."""
        life = self._lives.lives.get(app)
        runs = life is not None and life.state is S.BACKGROUND and life.ending is None
        return life.process() if life is not None and runs else None

    def in_front(self, app: str) -> bool:
        """A person sees it, and has not quit it."""
        life, at = self._lives.lives.get(app), self._lives.moments.get(app)
        seen = life is not None and life.state is S.FOREGROUND and life.ending is None
        return seen and at is not None and at.quit_by is None

    def is_connected(self, app: str) -> bool:
        at = self._lives.moments.get(app)
        return at is not None and at.connected

    def status(self, app: str, now: float, seconds_left: float | None) -> AppStatus:
        life, at = self._lives.lives[app], self._lives.moments[app]
        holds = list(at.holds.values())
        if life.settle_until is not None:
            holds.append(Hold("settling", "told that it is in the background", life.settle_until - self._limits.settle))
        if life.opening_until is not None:
            holds.append(Hold("opening", "being opened", life.opening_until - self._limits.opening))
        manifest = self._lives.manifests.get(app)
        return AppStatus(
            app=app,
            name=manifest.name if manifest is not None else app,
            state=life.state,
            since=life.since,
            quit=life.quit,
            pid=life.pid,
            seconds_left=seconds_left if life.state is S.BACKGROUND else None,
            holds=tuple(holds) if life.state is S.BACKGROUND else (),
            page=life.page,
            last_receipt=life.untold[-1] if life.untold else None,
            launches=at.launches,
            background_off=not self._background_available(app),
        )
