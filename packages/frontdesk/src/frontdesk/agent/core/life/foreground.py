"""Whether a person can see an app: coming to the front, and leaving it (contract L01, L11)."""

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.life import Life, Moments
from frontdesk.agent.core.life.lives import Lives, Out
from frontdesk.agent.core.life.waking import Waking
from frontdesk.terms import AppState, WakeReason
from frontdesk.wire import desk as wire

S = AppState


class Foreground:
    """Believes what apps report of themselves."""

    def __init__(self, lives: Lives, waking: Waking) -> None:
        self._lives = lives
        self._waking = waking

    def came(self, life: Life, at: Moments, now: float) -> Out:
        if life.state not in (S.BACKGROUND, S.SUSPENDED) or not at.connected or life.ending is not None:
            return []
        # A frozen app says nothing: this was said just before it was frozen, and a person is looking at it (L11).
        out = self._waking.thaw(life, at, WakeReason.PAGE_VISITED, now) if life.state is S.SUSPENDED else []
        self._lives.move(life, S.FOREGROUND, now)
        life.failures = 0
        if at.quit_by is None:
            life.quit = False
        life.settle_until = life.opening_until = None
        return [*out, ev.CameForeground(life.app), do.Note(life.app, "foreground", "a person sees it")]

    def left(self, life: Life, now: float) -> Out:
        if life.state is not S.FOREGROUND:
            return []
        self._lives.move(life, S.BACKGROUND, now)
        life.transition += 1
        life.settle_until = now + self._lives.limits.settle
        return [
            do.Send(life.app, wire.EnteredBackground(life.transition)),
            ev.LeftForeground(life.app),
            do.Note(life.app, "background", "its window is gone: told so", why="left"),
        ]
