"""How a run ends: quit by the person, stopped by the desk, or by itself; its receipt, and what follows (L03–L05)."""

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.backoff import doubled
from frontdesk.agent.core.life.life import BY_PERSON, FAILED, Life, Moments, over
from frontdesk.agent.core.life.lives import Lives, Out
from frontdesk.agent.core.life.waking import Waking
from frontdesk.terms import AppState, Receipt, StopReason, WakeReason
from frontdesk.wire import desk as wire

S = AppState

OPEN_LOST_WITHIN = 2.0
"""Seconds: an app that ends so soon after it was told to open, without a word, has not opened. It is launched."""

UNTOLD_MOST = 20


class Stopping:
    """Ends runs, and hears of their ends."""

    def __init__(self, lives: Lives, waking: Waking) -> None:
        self._lives = lives
        self._limits = lives.limits
        self._waking = waking

    # --- ending a run ---------------------------------------------------------------------------------------------

    def quit(self, life: Life, at: Moments, _: ev.QuitAsked, now: float) -> Out:
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
        return self.stop(life, ev.Stop(life.app, StopReason.QUIT, _QUIT), now)

    def stop(self, life: Life, why: ev.Stop, now: float) -> Out:
        if life.state is S.STOPPED or life.ending is not None:
            return []
        life.ending = life.receipt(why.reason, why.text, now, why.limit, why.used, why.tasks)
        note = do.Note(life.app, "stopping", f"being stopped ({why.reason.words})", why=why.reason)
        return [note, do.Kill(life.app, life.process())] if life.pid else [note]

    def memory_short(self) -> Out:
        """The app that has slept longest goes first; nobody's running app goes at all (L03)."""
        sleepers = [life for life in self._lives.lives.values() if life.state is S.SUSPENDED and life.ending is None]
        if not sleepers:
            return []
        longest = min(sleepers, key=lambda life: (life.since, life.app))
        text = "The machine was short of memory, and it had slept longest. Open it and it is as before."
        return [ev.Stop(longest.app, StopReason.MEMORY_PRESSURE, text)]

    def desk_stopping(self, now: float) -> Out:
        """Sleepers end at once, the rest are asked to leave first; those in front last of all (L03)."""
        self._lives.leaving = True
        out: Out = []
        order = (S.SUSPENDED, S.LAUNCHING, S.BACKGROUND, S.FOREGROUND)
        alive = [life for life in self._lives.lives.values() if life.state in order and life.ending is None]
        for life in sorted(alive, key=lambda life: order.index(life.state)):
            at = self._lives.moments[life.app]
            text = "The desk was stopped, as at logout. It is launched again when it is opened or needed."
            if life.state in (S.SUSPENDED, S.LAUNCHING) or not at.connected:
                out += self.stop(life, ev.Stop(life.app, StopReason.LOGOUT, text), now)
            else:
                life.ending = life.receipt(StopReason.LOGOUT, text, now)
                at.quit_by = now + self._limits.quit / 2
                out.append(do.Send(life.app, wire.Quit(self._limits.quit / 2)))
        return out

    # --- time that is over ----------------------------------------------------------------------------------------

    def time_passed(self, life: Life, at: Moments, now: float) -> Out:
        """Stop what did not leave, did not connect, or has slept for long."""
        out: Out = []
        if over(at.quit_by, now):
            at.quit_by = None
            out += [do.Kill(life.app, life.process())] if life.ending is not None else []
            text = f"You quit it, and it did not leave within {self._limits.quit:g} s."
            out += self.stop(life, ev.Stop(life.app, StopReason.QUIT, text, limit=self._limits.quit), now)
        if over(at.connect_by, now):
            at.connect_by = None
            out += self._did_not_connect(life, now)
        if life.state is S.SUSPENDED and now >= life.since + self._limits.suspended:
            text = f"It had slept for {now - life.since:.0f} s. Open it, or let a push wake it, and it is as before."
            stop = ev.Stop(life.app, StopReason.SUSPENDED_LONG, text, self._limits.suspended, now - life.since)
            out += self.stop(life, stop, now)
        return out

    def _did_not_connect(self, life: Life, now: float) -> Out:
        limit = self._limits.launch
        if life.state is S.LAUNCHING:
            text = f"It was launched and did not connect within {limit:g} s. See logs/{life.app}.log."
            return self.stop(life, ev.Stop(life.app, StopReason.LAUNCH_TIMED_OUT, text, limit), now)
        if life.state is S.BACKGROUND:
            text = f"It lost its connection to the desk and did not come back within {limit:g} s."
            return self.stop(life, ev.Stop(life.app, StopReason.UNREACHABLE, text, limit), now)
        # In front of a person it is left alone; but nobody waits for its answers any longer.
        return [ev.Unreached(life.app)] if life.state is S.FOREGROUND else []

    # --- its end --------------------------------------------------------------------------------------------------

    def exited(self, life: Life, at: Moments, exit: ev.Exited, now: float) -> Out:
        if life.state is S.STOPPED or life.pid != exit.pid:
            return []
        return self.ended(life, life.ending or _of_an_own_end(life, at, exit.status, now), now)

    def ended(self, life: Life, receipt: Receipt, now: float) -> Out:
        """It has no process any more."""
        at = self._lives.moments[life.app]
        wanted, opened_at = at.wanted, at.opened_at
        if opened_at is not None and now - opened_at < OPEN_LOST_WITHIN and receipt.reason is not StopReason.QUIT:
            wanted = WakeReason.OPENED
        # Leaving at once for a visitor is as bad as crashing: that visitor still waits at the page.
        left_visitor = receipt.reason is StopReason.EXITED and life.why in BY_PERSON and life.state is not S.FOREGROUND
        self._lives.move(life, S.STOPPED, now)
        life.pid, life.token, life.run, life.ending = 0, "", "", None
        life.slept_from = life.slept = life.settle_until = None
        life.opening_until = None
        life.untold = (*life.untold, receipt)[-UNTOLD_MOST:]
        at = self._lives.run_over(life.app)
        out: Out = [
            do.KeepReceipt(receipt),
            do.Note(life.app, "stopped", f"stopped ({receipt.reason.words}): {receipt.text}", why=receipt.reason),
            ev.Ended(life.app, receipt),
        ]
        if receipt.reason in FAILED or left_visitor:
            # The page is not watched meanwhile: a waiting visitor must not launch a crashing app in a loop.
            pause = doubled(self._limits.retry_first, self._limits.retry_most, life.failures)
            life.failures += 1
            at.retry_at, at.wanted = now + pause, wanted
            text = f"not started by itself for {at.retry_at - now:g} s: it failed {life.failures} times in a row"
            return [*out, do.Note(life.app, "paused", text)] if life.failures > 1 else out
        if receipt.reason is StopReason.QUIT and wanted is None and self._lives.has_page(life.app):
            # A page that was just loading asks for its icon, say: no person who opens the app again.
            out.append(do.TurnAway(life.app))
        out += self._lives.watch_page(life.app, on=True)
        return out + self._waking.wake(life, at, wanted, now) if wanted is not None else out


_QUIT = "You quit it. Open it again and it is as before."


def _of_an_own_end(life: Life, at: Moments, status: int | None, now: float) -> Receipt:
    """The receipt of a run that the desk has not stopped."""
    if at.quit_by is not None or life.quit:
        return life.receipt(StopReason.QUIT, _QUIT, now)
    if not status:
        # None: not a child of the keeper, so nobody can know how it ended.
        text = "It ended by itself." if status == 0 else "It ended; it had been started by hand."
        return life.receipt(StopReason.EXITED, text, now)
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    text = f"It ended unexpectedly ({how}). Its log is in the desk's state folder, logs/{life.app}.log."
    return life.receipt(StopReason.CRASHED, text, now)
