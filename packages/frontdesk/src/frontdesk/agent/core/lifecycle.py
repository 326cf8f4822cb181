"""The life of each app: which state it is in, which moves there are, when it is launched, frozen, thawed, stopped.

Theory of operation. ``MOVES`` (in ``life``) is the whole truth about states (contract L02), held by ``_move`` alone. An
app in the background runs for as long as something *holds* it: a background task, a push it works on, a person who is
opening it, or the time it is given to answer ``EnteredBackground``. Other machines take and drop holds by signals; when
a batch of events has been handled, ``settle`` suspends every app that nothing holds. Deciding that late is what lets an
app end one task and begin the next, or a push arrive just then, without a useless freeze in between.
"""

from collections.abc import Callable

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life import BY_PERSON, FAILED, IN_WORDS, MOVES, STRENGTH, Life, Moments
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import AppState, AppStatus, Hold, Manifest, Receipt, StopReason, WakeReason
from frontdesk.wire import desk as wire

S = AppState

MACHINE = "lifecycle"
"""Under this word lives are saved."""

OPEN_LOST_WITHIN = 2.0
"""Seconds: an app that ends so soon after it was told to open, without a word, has not opened. It is launched."""

_UNTOLD_MOST = 20

Out = list[do.Effect | ev.Signal]


class Lifecycle:
    """The machine. ``new_id`` hands in launch tokens; ``background_off`` names apps (or ``*``) for L10."""

    def __init__(
        self,
        limits: Limits,
        new_id: Callable[[], str],
        desk_version: str,
        background_off: frozenset[str] = frozenset(),
    ) -> None:
        self._limits = limits
        self._new_id = new_id
        self._desk_version = desk_version
        self._background_off = background_off
        self._manifests: dict[str, Manifest] = {}
        self._lives: dict[str, Life] = {}
        self._nows: dict[str, Moments] = {}
        self._saved_as: dict[str, bytes] = {}
        self._leaving = False

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        """What follows from ``happened``; ignores what is about apps it does not know."""
        match happened:
            case ev.AppAdded(manifest=manifest):
                return self._added(manifest, now)
            case ev.DeskStarted():
                return self._desk_started(now)
            case ev.TimePassed():
                return [out for app in list(self._lives) for out in self._time_passed(app, now)]
            case ev.MemoryShort():
                return self._memory_short()
            case ev.DeskStopping():
                return self._desk_stopping(now)
            case ev.AnswerAsked(asker=asker, request=request):
                return [do.Answer(asker, wire.Done(request))]
            case ev.Launched():
                return self._launched(happened)
        app = getattr(happened, "app", None)
        if app not in self._lives:
            return []
        life, at = self._lives[app], self._nows[app]
        if isinstance(happened, ev.Report):
            life.slept = at.opened_at = None
        match happened:
            case ev.AppRemoved():
                return self._removed(life, now)
            case ev.LaunchFailed(token=token, text=text):
                return self._launch_failed(life, token, text, now)
            case ev.Connected():
                return self._connected(life, at, happened, now)
            case ev.Disconnected():
                at.connected = False
                if life.state in (S.FOREGROUND, S.BACKGROUND):
                    at.connect_by = now + self._limits.launch
            case ev.Exited(pid=pid, status=status):
                return self._exited(life, at, pid, status, now)
            case ev.Survived(child=child):
                return self._survived(life, at, child, now)
            case ev.OpenAsked():
                return self._wake(life, at, WakeReason.OPENED, now)
            case ev.ActAsked():
                return self._wake(life, at, WakeReason.PRESSED, now)
            case ev.PageVisited():
                return self._wake(life, at, WakeReason.PAGE_VISITED, now)
            case ev.Wake(why=why):
                return self._wake(life, at, why, now)
            case ev.SubscriptionsLost():
                out = self._wake(life, at, WakeReason.ENDPOINT_CHANGED, now)
                # Nothing holds it yet while it subscribes anew: it gets the time of one that is being opened.
                life.opening_until = at.connect_by
                return out
            case ev.QuitAsked():
                return self._quit(life, at, now)
            case ev.WentForeground():
                return self._went_foreground(life, at, now)
            case ev.WentBackground():
                return self._went_background(life, at, now)
            case ev.SaidReady(transition=transition):
                if transition == life.transition:
                    life.settle_until = None
            case ev.HoldOn(kind=kind, key=key, name=name):
                at.holds[kind, key] = Hold(kind, name, now)
            case ev.LetGo(kind=kind, key=key):
                at.holds.pop((kind, key), None)
            case ev.BoxOver():
                at.holds = {key: hold for key, hold in at.holds.items() if hold.kind == "task"}
                life.settle_until = life.opening_until = None
            case ev.Stop():
                return self._stop(life, happened, now)
        return []

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``; None: never, unless something happens."""
        moments = [moment for at in self._nows.values() for moment in at.deadlines()]
        for life in self._lives.values():
            moments += [moment for moment in (life.opening_until, life.settle_until) if moment is not None]
        moments += [
            life.since + self._limits.suspended
            for life in self._lives.values()
            if life.state is S.SUSPENDED and life.ending is None
        ]
        return min(moments, default=None)

    def saves(self) -> list[do.Effect]:
        """``Save`` for every app whose saved form has changed since the last call."""
        changed: list[do.Effect] = []
        for app, life in self._lives.items():
            form = msgspec.msgpack.encode(life)
            if self._saved_as.get(app) != form:
                self._saved_as[app] = form
                changed.append(do.Save(MACHINE, app, form))
        for app in [app for app in self._saved_as if app not in self._lives]:
            del self._saved_as[app]
            changed.append(do.Save(MACHINE, app, None))
        return changed

    def restore(self, key: str, value: bytes) -> None:
        """Take back one saved form; called for each before ``AppAdded``, ``Survived`` and ``DeskStarted``."""
        self._lives[key] = msgspec.msgpack.decode(value, type=Life)
        self._nows[key] = Moments()
        self._saved_as[key] = value

    # --- looking at it --------------------------------------------------------------------------------------------

    def life(self, app: str) -> Life | None:
        """The saved part of an app's life, to read."""
        return self._lives.get(app)

    def lives(self) -> list[Life]:
        return list(self._lives.values())

    def manifests(self) -> dict[str, Manifest]:
        return dict(self._manifests)

    def is_connected(self, app: str) -> bool:
        at = self._nows.get(app)
        return at is not None and at.connected

    def background_available(self, app: str) -> bool:
        """Whether the person lets this app run in the background (L10)."""
        return not ({app, "*"} & self._background_off)

    def status(self, app: str, now: float, seconds_left: float | None) -> AppStatus:
        life, at = self._lives[app], self._nows[app]
        holds = list(at.holds.values())
        if life.settle_until is not None:
            holds.append(Hold("settling", "told that it is in the background", life.settle_until - self._limits.settle))
        if life.opening_until is not None:
            holds.append(Hold("opening", "being opened", life.opening_until - self._limits.opening))
        return AppStatus(
            app=app,
            name=self._manifests[app].name if app in self._manifests else app,
            state=life.state,
            since=life.since,
            quit=life.quit,
            pid=life.pid,
            seconds_left=seconds_left if life.state is S.BACKGROUND else None,
            holds=tuple(holds) if life.state is S.BACKGROUND else (),
            page=life.page,
            last_receipt=life.untold[-1] if life.untold else None,
            launches=at.launches,
        )

    # --- deciding late --------------------------------------------------------------------------------------------

    def settle(self, now: float) -> Out:
        """Suspend every app in the background that nothing holds (L01, A02). Called when a batch has been handled."""
        out: Out = []
        for app, life in self._lives.items():
            at = self._nows[app]
            if life.state is not S.BACKGROUND or life.ending or not at.connected or at.quit_by is not None:
                continue
            if at.holds or life.settle_until is not None or life.opening_until is not None:
                continue
            self._move(life, S.SUSPENDED, now)
            life.slept_from = now
            life.failures = 0
            out += [do.Freeze(app, life.process()), *self._watch_page(app, on=True), ev.Slept(app)]
            out.append(do.Note(app, "suspended", "nothing holds it: suspended"))
        return out

    # --- the registry ---------------------------------------------------------------------------------------------

    def _added(self, manifest: Manifest, now: float) -> Out:
        self._manifests[manifest.id] = manifest
        if manifest.id not in self._lives:
            self._lives[manifest.id] = Life(manifest.id, since=now)
            self._nows[manifest.id] = Moments()
            return self._watch_page(manifest.id, on=True)
        return []

    def _removed(self, life: Life, now: float) -> Out:
        out: Out = []
        if life.state is not S.STOPPED:
            out += self._stop(life, ev.Stop(life.app, StopReason.REMOVED, "Its registration was removed."), now)
        if life.ending is not None:
            # Nobody will be left to be told of its exit.
            out.append(do.KeepReceipt(life.ending))
        out += [*self._watch_page(life.app, on=False), do.ForgetPage(life.app)]
        del self._lives[life.app], self._nows[life.app], self._manifests[life.app]
        return [*out, do.Note(life.app, "removed", "registration removed")]

    # --- waking ---------------------------------------------------------------------------------------------------

    def _wake(self, life: Life, at: Moments, why: WakeReason, now: float) -> Out:
        if self._leaving:
            return []
        if why in BY_PERSON:
            life.quit = False
        if life.ending is not None or at.quit_by is not None:
            # It is on its way out: opened meanwhile, it comes back when it is gone.
            at.wanted = _stronger(at.wanted, why)
            return []
        if life.state is S.STOPPED:
            if life.quit:
                return [do.Note(life.app, "not_woken", f"not launched although {IN_WORDS[why]}: the person quit it")]
            if at.retry_at is not None and why is not WakeReason.OPENED:
                at.wanted = _stronger(at.wanted, why)
                return []
            return self._launch(life, at, why, now)
        if why in BY_PERSON and life.state is not S.FOREGROUND:
            life.opening_until = now + self._limits.opening
        if life.state is S.SUSPENDED:
            return self._thaw(life, at, why, now)
        if life.state is S.LAUNCHING or not at.connected:
            life.why = _stronger(life.why, why)
            at.connect_by = at.connect_by or now + self._limits.launch
            return []
        out: Out = [ev.Awake(life.app, why, fresh=False)]
        if why is WakeReason.OPENED:
            at.opened_at = now
            out.insert(0, do.Send(life.app, wire.Open()))
        return out

    def _launch(self, life: Life, at: Moments, why: WakeReason, now: float) -> Out:
        self._move(life, S.LAUNCHING, now)
        life.token, life.why, life.pid, life.launched = self._new_id(), why, 0, True
        life.ran_since = now
        at.retry_at, at.wanted = None, None
        # Launched by this desk, perhaps for a run that ended while there was none: not to be looked for at its start.
        at.survived = True
        at.launches += 1
        at.connect_by = now + self._limits.launch
        if why in BY_PERSON:
            life.opening_until = at.connect_by
        return [
            *self._watch_page(life.app, on=False),
            do.Launch(life.app, life.token),
            do.Note(life.app, "launched", f"launched: {IN_WORDS[why]}"),
        ]

    def _thaw(self, life: Life, at: Moments, why: WakeReason, now: float) -> Out:
        slept = self._slept(life, now)
        self._move(life, S.BACKGROUND, now)
        life.why = why
        out: Out = [*self._watch_page(life.app, on=False), do.Thaw(life.app, life.process())]
        out.append(do.Note(life.app, "thawed", f"woken after {slept:.0f} s of sleep: {IN_WORDS[why]}"))
        if at.connected:
            return out + self._awake(life, at, now)
        at.connect_by = now + self._limits.launch
        return out

    def _slept(self, life: Life, now: float) -> float:
        """Its sleep is over: how long it was, kept until the app knows."""
        life.slept = max(0.0, now - life.slept_from) if life.slept_from is not None else 0.0
        life.slept_from = None
        self._nows[life.app].told_of_sleep = False
        return life.slept

    def _awake(self, life: Life, at: Moments, now: float) -> Out:
        """Messages reach it now: first of all how long it slept (L13), then what it was woken for."""
        out: Out = []
        if life.slept is not None:
            # The next desk says it again, should this one die over saying it: twice does no harm.
            at.told_of_sleep = True
            out.append(do.Send(life.app, wire.Resumed(life.slept)))
        if life.opening_until is not None:
            life.opening_until = now + self._limits.opening
        out.append(ev.Awake(life.app, life.why, fresh=True))
        if life.why is WakeReason.OPENED:
            out.append(do.Send(life.app, wire.Open()))
        return out

    # --- processes and connections --------------------------------------------------------------------------------

    def _launched(self, now_there: ev.Launched) -> Out:
        process = do.Process(now_there.pid, now_there.started, launched=True, token=now_there.token)
        life = self._lives.get(now_there.app)
        if life is None or life.token != now_there.token:
            # The app was removed, perhaps registered again, while it was being launched: nobody wants this one.
            return [do.Kill(now_there.app, process)]
        if life.state is S.LAUNCHING:
            life.pid, life.started = process.pid, process.started
            if life.ending is not None:
                return [do.Kill(life.app, life.process())]
        return []

    def _launch_failed(self, life: Life, token: str, text: str, now: float) -> Out:
        if life.state is not S.LAUNCHING or life.token != token:
            return []
        return self._ended(life, self._receipt(life, StopReason.LAUNCH_FAILED, text, now), now)

    def _connected(self, life: Life, at: Moments, hello: ev.Connected, now: float) -> Out:
        if life.ending is not None:
            return []
        ended: Out = []
        if life.state not in (S.STOPPED, S.LAUNCHING) and life.run and life.run != hello.run:
            # Started again before anybody heard that the run before has ended.
            text = "It ended without a word, and was started again."
            at.wanted = None
            ended = self._ended(life, self._receipt(life, StopReason.CRASHED, text, now), now)
            at = self._nows[life.app]
        frozen = life.state is S.SUSPENDED
        if frozen:
            self._slept(life, now)
        fresh = life.state in (S.STOPPED, S.LAUNCHING) or (life.slept is not None and not at.told_of_sleep)
        if life.state is S.STOPPED:
            self._move(life, S.LAUNCHING, now)
            life.why, life.quit, life.ran_since = WakeReason.BY_HAND, False, now
            at.retry_at = None
        if life.state in (S.LAUNCHING, S.SUSPENDED):
            self._move(life, S.BACKGROUND, now)
        life.pid, life.started, life.run = hello.pid, hello.started, hello.run
        life.launched = hello.launched
        life.page = hello.page or life.page
        at.connected, at.version, at.connect_by = True, hello.version, None
        untold, life.untold = life.untold, ()
        out: Out = [
            *ended,
            *self._watch_page(life.app, on=False),
            do.Send(
                life.app,
                wire.Welcome(
                    version=hello.version,
                    desk=self._desk_version,
                    why=life.why,
                    background_available=self.background_available(life.app),
                    receipts=untold,
                ),
            ),
            do.Note(life.app, "connected", f"connected, process {hello.pid}"),
        ]
        if frozen:
            # It spoke before it was frozen, to a desk that had died over freezing it.
            out.insert(0, do.Thaw(life.app, life.process()))
        if fresh:
            out += self._awake(life, at, now)
        else:
            out.append(ev.Awake(life.app, life.why, fresh=False))
        if hello.foreground:
            out += self._went_foreground(life, at, now)
        elif life.state is S.FOREGROUND:
            out += self._went_background(life, at, now)
        return out

    def _exited(self, life: Life, at: Moments, pid: int, status: int | None, now: float) -> Out:
        if life.state is S.STOPPED or (life.pid and life.pid != pid):
            return []
        if life.ending is not None:
            receipt = life.ending
        elif at.quit_by is not None or life.quit:
            receipt = self._receipt(life, StopReason.QUIT, "You quit it. Open it again and it is as before.", now)
        elif not status:
            # None: not a child of the keeper, so nobody can know how it ended.
            text = "It ended by itself." if status == 0 else "It ended; it had been started by hand."
            receipt = self._receipt(life, StopReason.EXITED, text, now)
        else:
            how = _how_it_ended(status)
            text = f"It ended unexpectedly ({how}). Its log is in the desk's state folder, logs/{life.app}.log."
            receipt = self._receipt(life, StopReason.CRASHED, text, now)
        return self._ended(life, receipt, now)

    def _ended(self, life: Life, receipt: Receipt, now: float) -> Out:
        at = self._nows[life.app]
        wanted, launches = at.wanted, at.launches
        if at.opened_at is not None and now - at.opened_at < OPEN_LOST_WITHIN and receipt.reason is not StopReason.QUIT:
            wanted = WakeReason.OPENED
        # Leaving at once for a visitor is as bad as crashing: that visitor still waits at the page.
        left_visitor = receipt.reason is StopReason.EXITED and life.why in BY_PERSON and life.state is not S.FOREGROUND
        self._move(life, S.STOPPED, now)
        life.pid, life.token, life.run, life.ending = 0, "", "", None
        life.slept_from = life.slept = life.settle_until = None
        life.opening_until = None
        life.untold = (*life.untold, receipt)[-_UNTOLD_MOST:]
        at = self._nows[life.app] = Moments()
        at.launches = launches
        out: Out = [
            do.KeepReceipt(receipt),
            do.Note(life.app, "stopped", f"stopped ({receipt.reason}): {receipt.text}"),
            ev.Ended(life.app, receipt),
        ]
        if receipt.reason in FAILED or left_visitor:
            # The page is not watched meanwhile: a waiting visitor must not launch a crashing app in a loop.
            pause = min(self._limits.retry_first * 2.0**life.failures, self._limits.retry_most)
            life.failures += 1
            at.retry_at, at.wanted = now + pause, wanted
            return out
        if receipt.reason is StopReason.QUIT and wanted is None and self._has_page(life.app):
            # A page that was just loading asks for its icon, say: no person who opens the app again.
            out.append(do.TurnAway(life.app))
        out += self._watch_page(life.app, on=True)
        return out + self._wake(life, at, wanted, now) if wanted is not None else out

    def _survived(self, life: Life, at: Moments, child: bool, now: float) -> Out:
        at.survived = True
        if life.ending is not None:
            return [do.Kill(life.app, life.process())]
        if life.state is S.SUSPENDED and child:
            return [do.Freeze(life.app, life.process()), *self._watch_page(life.app, on=True)]
        out: Out = []
        if life.quit:
            at.quit_by = now + self._limits.quit
        if life.state is S.BACKGROUND:
            # The desk before may have died between deciding to thaw it and doing so.
            out.append(do.Thaw(life.app, life.process()))
        if life.state is S.SUSPENDED:
            # Its keeper is gone and with it the other end of its page: let it come and hand that over again.
            out += self._thaw(life, at, WakeReason.ENDPOINT_CHANGED, now)
        at.connect_by = now + self._limits.launch
        if life.state is S.LAUNCHING and life.opening_until is not None:
            life.opening_until = at.connect_by
        return out

    def _desk_started(self, now: float) -> Out:
        out: Out = []
        for app, life in list(self._lives.items()):
            at = self._nows[app]
            if app not in self._manifests:
                del self._lives[app], self._nows[app]
            elif life.state is S.STOPPED:
                out += self._watch_page(app, on=True)
            elif not at.survived:
                text = "It was gone when the desk came back. What it had left with the desk is kept."
                out += self._ended(life, life.ending or self._receipt(life, StopReason.REPLACED, text, now), now)
        return out

    # --- foreground and background --------------------------------------------------------------------------------

    def _went_foreground(self, life: Life, at: Moments, now: float) -> Out:
        if life.state not in (S.BACKGROUND, S.SUSPENDED) or not at.connected or life.ending is not None:
            return []
        # A frozen app says nothing: this was said just before it was frozen, and a person is looking at it (L11).
        out = self._thaw(life, at, WakeReason.PAGE_VISITED, now) if life.state is S.SUSPENDED else []
        self._move(life, S.FOREGROUND, now)
        life.failures = 0
        if at.quit_by is None:
            life.quit = False
        life.settle_until = life.opening_until = None
        return [*out, ev.CameForeground(life.app), do.Note(life.app, "foreground", "a person sees it")]

    def _went_background(self, life: Life, at: Moments, now: float) -> Out:
        if life.state is not S.FOREGROUND:
            return []
        self._move(life, S.BACKGROUND, now)
        life.transition += 1
        life.settle_until = now + self._limits.settle
        return [
            do.Send(life.app, wire.EnteredBackground(life.transition)),
            ev.LeftForeground(life.app),
            do.Note(life.app, "background", "its window is gone: told so"),
        ]

    # --- stopping -------------------------------------------------------------------------------------------------

    def _quit(self, life: Life, at: Moments, now: float) -> Out:
        life.quit = True
        at.wanted = life.opening_until = None
        if life.state is S.STOPPED or life.ending is not None:
            return [do.Note(life.app, "quit", "quit by the person")]
        if life.state in (S.FOREGROUND, S.BACKGROUND) and at.connected:
            at.quit_by = now + self._limits.quit
            return [
                do.Send(life.app, wire.Quit(self._limits.quit)),
                do.Note(life.app, "quit", "quit by the person: told to leave"),
            ]
        stop = ev.Stop(life.app, StopReason.QUIT, "You quit it. Open it again and it is as before.")
        return self._stop(life, stop, now)

    def _stop(self, life: Life, why: ev.Stop, now: float) -> Out:
        if life.state is S.STOPPED or life.ending is not None:
            return []
        life.ending = self._receipt(life, why.reason, why.text, now, why.limit, why.used, why.tasks)
        note = do.Note(life.app, "stopping", f"being stopped ({why.reason})")
        return [note, do.Kill(life.app, life.process())] if life.pid else [note]

    def _memory_short(self) -> Out:
        """The app that has slept longest goes first; nobody's running app goes at all (L03)."""
        sleepers = [life for life in self._lives.values() if life.state is S.SUSPENDED and life.ending is None]
        if not sleepers:
            return []
        longest = min(sleepers, key=lambda life: (life.since, life.app))
        text = "The machine was short of memory, and it had slept longest. Open it and it is as before."
        return [ev.Stop(longest.app, StopReason.MEMORY_PRESSURE, text)]

    def _desk_stopping(self, now: float) -> Out:
        """Sleepers end at once, the rest are asked to leave first; those in front last of all (L03)."""
        self._leaving = True
        out: Out = []
        order = (S.SUSPENDED, S.LAUNCHING, S.BACKGROUND, S.FOREGROUND)
        alive = [life for life in self._lives.values() if life.state in order and life.ending is None]
        for life in sorted(alive, key=lambda life: order.index(life.state)):
            at = self._nows[life.app]
            text = "The desk was stopped, as at logout. It is launched again when it is opened or needed."
            if life.state in (S.SUSPENDED, S.LAUNCHING) or not at.connected:
                out += self._stop(life, ev.Stop(life.app, StopReason.LOGOUT, text), now)
            else:
                life.ending = self._receipt(life, StopReason.LOGOUT, text, now)
                at.quit_by = now + self._limits.quit / 2
                out.append(do.Send(life.app, wire.Quit(self._limits.quit / 2)))
        return out

    def _time_passed(self, app: str, now: float) -> Out:
        life, at = self._lives[app], self._nows[app]
        out: Out = []
        if _over(life.settle_until, now):
            life.settle_until = None
            out.append(do.Note(app, "settled", f'no "ready" within {self._limits.settle:g} s'))
        if _over(life.opening_until, now):
            life.opening_until = None
        if _over(at.quit_by, now):
            at.quit_by = None
            out += [do.Kill(app, life.process())] if life.ending is not None else []
            text = f"You quit it, and it did not leave within {self._limits.quit:g} s."
            out += self._stop(life, ev.Stop(app, StopReason.QUIT, text, limit=self._limits.quit), now)
        if _over(at.connect_by, now):
            at.connect_by = None
            out += self._did_not_connect(life, now)
        if life.state is S.SUSPENDED and now >= life.since + self._limits.suspended:
            text = f"It had slept for {now - life.since:.0f} s. Open it, or let a push wake it, and it is as before."
            stop = ev.Stop(app, StopReason.SUSPENDED_LONG, text, self._limits.suspended, now - life.since)
            out += self._stop(life, stop, now)
        if _over(at.retry_at, now):
            at.retry_at = None
            wanted, at.wanted = at.wanted, None
            out += self._watch_page(app, on=True)
            out += self._wake(life, at, wanted, now) if wanted is not None else []
        return out

    def _did_not_connect(self, life: Life, now: float) -> Out:
        limit = self._limits.launch
        if life.state is S.LAUNCHING:
            text = f"It was launched and did not connect within {limit:g} s. See logs/{life.app}.log."
            return self._stop(life, ev.Stop(life.app, StopReason.LAUNCH_TIMED_OUT, text, limit), now)
        if life.state is S.BACKGROUND:
            text = f"It lost its connection to the desk and did not come back within {limit:g} s."
            return self._stop(life, ev.Stop(life.app, StopReason.UNREACHABLE, text, limit), now)
        # In front of a person it is left alone; but nobody waits for its answers any longer.
        return [ev.Unreached(life.app)] if life.state is S.FOREGROUND else []

    # --- small parts ----------------------------------------------------------------------------------------------

    def _move(self, life: Life, to: AppState, now: float) -> None:
        if to not in MOVES[life.state]:
            raise AssertionError(f"{life.app}: no move from {life.state} to {to} (contract L02)")
        life.state, life.since = to, now

    def _watch_page(self, app: str, *, on: bool) -> Out:
        return [do.WatchPage(app, on)] if self._has_page(app) else []

    def _has_page(self, app: str) -> bool:
        manifest = self._manifests.get(app)
        return manifest is not None and manifest.page

    def _receipt(
        self,
        life: Life,
        reason: StopReason,
        text: str,
        now: float,
        limit: float | None = None,
        used: float | None = None,
        tasks: tuple[str, ...] = (),
    ) -> Receipt:
        return Receipt(life.app, reason, now, text, limit, used, tasks, life.pid, life.ran_since)


def _over(moment: float | None, now: float) -> bool:
    return moment is not None and moment <= now


def _stronger(one: WakeReason | None, other: WakeReason) -> WakeReason:
    return other if one is None or STRENGTH[other] > STRENGTH[one] else one


def _how_it_ended(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
