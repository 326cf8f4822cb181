"""Processes and connections as the desk hears of them: launched, said hello, found again by the next desk (L06)."""

from collections.abc import Callable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.foreground import Foreground
from frontdesk.agent.core.life.life import Life, Moments
from frontdesk.agent.core.life.lives import Lives, Out
from frontdesk.agent.core.life.stopping import UNTOLD_MOST, Stopping
from frontdesk.agent.core.life.waking import Waking
from frontdesk.terms import AppState, StopReason, WakeReason
from frontdesk.wire import desk as wire

S = AppState


class Connecting:
    """``desk_version`` and ``background_available`` are what an app is told when it is welcomed."""

    def __init__(
        self,
        lives: Lives,
        waking: Waking,
        stopping: Stopping,
        foreground: Foreground,
        desk_version: str,
        background_available: Callable[[str], bool],
    ) -> None:
        self._lives = lives
        self._limits = lives.limits
        self._waking = waking
        self._stopping = stopping
        self._foreground = foreground
        self._desk_version = desk_version
        self._background_available = background_available

    # --- launched -------------------------------------------------------------------------------------------------

    def launched(self, answer: ev.Launched) -> Out:
        process = do.Process(answer.pid, answer.started, launched=True, token=answer.token)
        life = self._lives.lives.get(answer.app)
        if life is None or life.token != answer.token:
            # The app was removed, perhaps registered again, while it was being launched: nobody wants this one.
            return [do.Kill(answer.app, process)]
        if life.state is S.LAUNCHING:
            life.pid, life.started = process.pid, process.started
            if life.ending is not None:
                return [do.Kill(life.app, life.process())]
        return []

    def launch_failed(self, life: Life, at: Moments, answer: ev.LaunchFailed, now: float) -> Out:
        if life.state is not S.LAUNCHING or life.token != answer.token:
            return []
        return self._stopping.ended(life, life.receipt(StopReason.LAUNCH_FAILED, answer.text, now), now)

    def run_over(self, life: Life, at: Moments, kept: ev.TaskReceiptKept, now: float) -> Out:
        """Told in the next welcome: an app that was there has seen its handler called."""
        life.untold_tasks = (*life.untold_tasks, kept.receipt)[-UNTOLD_MOST:]
        return []

    # --- connected ------------------------------------------------------------------------------------------------

    def connected(self, life: Life, at: Moments, hello: ev.Connected, now: float) -> Out:
        if life.ending is not None:
            return []
        out: Out = []
        if life.state not in (S.STOPPED, S.LAUNCHING) and life.run and life.run != hello.run:
            # Started again before anybody heard that the run before has ended.
            text = "It ended without a word, and was started again."
            at.wanted = None
            out += self._stopping.ended(life, life.receipt(StopReason.CRASHED, text, now), now)
            at = self._lives.moments[life.app]
        frozen = life.state is S.SUSPENDED
        if frozen:
            self._waking.slept(life, now)
        fresh = life.state in (S.STOPPED, S.LAUNCHING) or (life.slept is not None and not at.told_of_sleep)
        self._is_there(life, at, hello, now)
        if frozen:
            # It spoke before it was frozen, to a desk that had died over freezing it.
            out.append(do.Thaw(life.app, life.process()))
        out += self._welcome(life, hello)
        if fresh:
            out += self._waking.awake(life, at, now)
        else:
            out.append(ev.Awake(life.app, life.why, fresh=False))
            if at.opened_at is not None and life.why is WakeReason.OPENED:
                out.append(do.Send(life.app, wire.Open()))
        if hello.foreground:
            out += self._foreground.came(life, at, now)
        elif life.state is S.FOREGROUND:
            out += self._foreground.left(life, now)
        return out

    def _is_there(self, life: Life, at: Moments, hello: ev.Connected, now: float) -> None:
        if life.state is S.STOPPED:
            self._lives.move(life, S.LAUNCHING, now)
            life.why, life.quit, life.ran_since = WakeReason.BY_HAND, False, now
            at.retry_at = None
        if life.state in (S.LAUNCHING, S.SUSPENDED):
            self._lives.move(life, S.BACKGROUND, now)
        life.pid, life.started, life.run = hello.pid, hello.started, hello.run
        life.launched = hello.launched
        life.page = hello.page or life.page
        at.connected, at.version, at.connect_by = True, hello.version, None

    def _welcome(self, life: Life, hello: ev.Connected) -> Out:
        untold, life.untold = life.untold, ()
        untold_tasks, life.untold_tasks = life.untold_tasks, ()
        manifest = self._lives.manifests.get(life.app)
        welcome = wire.Welcome(
            version=hello.version,
            desk=self._desk_version,
            why=life.why,
            background_available=self._background_available(life.app),
            receipts=untold,
            task_receipts=untold_tasks,
            declared=manifest.tasks if manifest is not None else (),
        )
        return [
            *self._lives.watch_page(life.app, on=False),
            do.Send(life.app, welcome),
            do.Note(life.app, "connected", f"connected, process {hello.pid}", why=life.why),
        ]

    def disconnected(self, life: Life, at: Moments, _: ev.Disconnected, now: float) -> Out:
        at.connected = False
        if life.state in (S.FOREGROUND, S.BACKGROUND):
            at.connect_by = now + self._limits.launch
        return []

    # --- after a restart of the desk ------------------------------------------------------------------------------

    def survived(self, life: Life, at: Moments, found: ev.Survived, now: float) -> Out:
        at.survived = True
        if life.ending is not None:
            return [do.Kill(life.app, life.process())]
        if life.state is S.SUSPENDED and found.child:
            return [do.Freeze(life.app, life.process()), *self._lives.watch_page(life.app, on=True)]
        out: Out = []
        if life.quit:
            at.quit_by = now + self._limits.quit
        if life.state is S.BACKGROUND:
            # The desk before may have died between deciding to thaw it and doing so.
            out.append(do.Thaw(life.app, life.process()))
        if life.state is S.SUSPENDED:
            # Its keeper is gone and with it the other end of its page: let it come and hand that over again.
            out += self._waking.thaw(life, at, WakeReason.ENDPOINT_CHANGED, now)
        at.connect_by = now + self._limits.launch
        if life.state is S.LAUNCHING and life.opening_until is not None:
            life.opening_until = at.connect_by
        return out

    def desk_started(self, now: float) -> Out:
        """All survivors are known: the others are gone, and apps that are not registered any more are forgotten."""
        out: Out = []
        for app, life in list(self._lives.lives.items()):
            if app not in self._lives.manifests:
                self._lives.forget(app)
            elif life.state is S.STOPPED:
                out += self._lives.watch_page(app, on=True)
            elif not self._lives.moments[app].survived:
                text = "It was gone when the desk came back. What it had left with the desk is kept."
                out += self._stopping.ended(life, life.ending or life.receipt(StopReason.REPLACED, text, now), now)
        return out
