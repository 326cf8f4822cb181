"""Having an app run and be reached: launched or thawed, and what it hears first (contract L04, L11, L13)."""

from collections.abc import Callable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.life import BY_PERSON, IN_WORDS, STRENGTH, Life, Moments
from frontdesk.agent.core.life.lives import Lives, Out
from frontdesk.terms import AppState, WakeReason
from frontdesk.wire import desk as wire

S = AppState


class Waking:
    """``new_id`` hands in launch tokens."""

    def __init__(self, lives: Lives, new_id: Callable[[], str]) -> None:
        self._lives = lives
        self._limits = lives.limits
        self._new_id = new_id

    def wake(self, life: Life, at: Moments, why: WakeReason, now: float) -> Out:
        """See that messages reach it; ``Awake`` follows when they do."""
        if self._lives.leaving:
            return []
        if why in BY_PERSON:
            life.quit = False
        if life.ending is not None or at.quit_by is not None:
            # It is on its way out: opened meanwhile, it comes back when it is gone.
            at.wanted = _stronger(at.wanted, why)
            return []
        if life.state is S.STOPPED:
            if life.quit:
                return [
                    do.Note(
                        life.app, "not_woken", f"not launched although {IN_WORDS[why]}: the person quit it", why=why
                    )
                ]
            if at.retry_at is not None and why is not WakeReason.OPENED:
                at.wanted = _stronger(at.wanted, why)
                return []
            return self._launch(life, at, why, now)
        if why in BY_PERSON and life.state is not S.FOREGROUND:
            life.opening_until = now + self._limits.opening
        if life.state is S.SUSPENDED:
            return self.thaw(life, at, why, now)
        if life.state is S.LAUNCHING or not at.connected:
            life.why = _stronger(life.why, why)
            at.connect_by = at.connect_by or now + self._limits.launch
            if life.state is not S.LAUNCHING and why in BY_PERSON:
                # What ended its connection may be its own end, of which nobody has heard yet.
                at.opened_at = now
            return []
        out: Out = [ev.Awake(life.app, why, fresh=False)]
        if why is WakeReason.OPENED:
            at.opened_at = now
            out.insert(0, do.Send(life.app, wire.Open()))
        return out

    def to_subscribe_anew(self, life: Life, at: Moments, now: float) -> Out:
        out = self.wake(life, at, WakeReason.ENDPOINT_CHANGED, now)
        # Nothing holds it yet while it subscribes anew: it gets the time of one that is being opened.
        life.opening_until = at.connect_by
        return out

    def try_again(self, life: Life, at: Moments, now: float) -> Out:
        """The pause after it has failed is over."""
        at.retry_at = None
        wanted, at.wanted = at.wanted, None
        if wanted is WakeReason.SCHEDULED and not at.holds:
            # Its tasks were cancelled, switched off, or have lost a condition meanwhile.
            wanted = None
        out = self._lives.watch_page(life.app, on=True)
        return out + self.wake(life, at, wanted, now) if wanted is not None else out

    def thaw(self, life: Life, at: Moments, why: WakeReason, now: float) -> Out:
        slept = self.slept(life, now)
        self._lives.move(life, S.BACKGROUND, now)
        life.why = why
        out: Out = [*self._lives.watch_page(life.app, on=False), do.Thaw(life.app, life.process())]
        out.append(do.Note(life.app, "thawed", f"woken after {slept:.0f} s of sleep: {IN_WORDS[why]}", why=why))
        if at.connected:
            return out + self.awake(life, at, now)
        at.connect_by = now + self._limits.launch
        return out

    def slept(self, life: Life, now: float) -> float:
        """Its sleep is over: how long it was, kept until the app knows."""
        life.slept = max(0.0, now - life.slept_from) if life.slept_from is not None else 0.0
        life.slept_from = None
        self._lives.moments[life.app].told_of_sleep = False
        return life.slept

    def awake(self, life: Life, at: Moments, now: float) -> Out:
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

    def _launch(self, life: Life, at: Moments, why: WakeReason, now: float) -> Out:
        self._lives.move(life, S.LAUNCHING, now)
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
            *self._lives.watch_page(life.app, on=False),
            do.Launch(life.app, life.token),
            do.Note(life.app, "launched", f"launched: {IN_WORDS[why]}", why=why),
        ]


def _stronger(one: WakeReason | None, other: WakeReason) -> WakeReason:
    return other if one is None or STRENGTH[other] > STRENGTH[one] else one
