"""All apps the desk knows: what is kept of each, what is true of it now, and the one door of its moves (L02)."""

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.life import MOVES, Life, Moments, moved
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import AppState, Manifest

MACHINE = "lifecycle"
"""Under this word lives are saved."""

Out = list[do.Effect | ev.Signal]


class Lives:
    """What the parts of the lifecycle share. Whoever changes a state does it by ``move``."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.manifests: dict[str, Manifest] = {}
        self.lives: dict[str, Life] = {}
        self.moments: dict[str, Moments] = {}
        self.leaving = False
        """The desk is being stopped: nothing is woken any more."""
        self.ahead = 0
        """Whole seconds that the wall clock is ahead of the desk's. In the saved form moments are in wall time: with
        that the next desk begins its own, and nobody has slept for longer because a clock was set."""
        self._saved_as: dict[str, bytes] = {}

    def begin(self, app: str, now: float) -> None:
        """An app that the desk did not know; stopped."""
        self.lives[app] = Life(app, since=now)
        self.moments[app] = Moments()

    def forget(self, app: str) -> None:
        del self.lives[app], self.moments[app]
        self.manifests.pop(app, None)

    def run_over(self, app: str) -> Moments:
        """Nothing of what was true of the run that has ended is true any more; what is true from now on."""
        launches = self.moments[app].launches
        at = self.moments[app] = Moments()
        at.launches = launches
        return at

    def move(self, life: Life, to: AppState, now: float) -> None:
        if to not in MOVES[life.state]:
            raise AssertionError(f"{life.app}: no move from {life.state} to {to} (contract L02)")
        life.state, life.since = to, now

    # --- saved form -----------------------------------------------------------------------------------------------

    def saves(self) -> list[do.Effect]:
        """``Save`` for every app whose saved form has changed since the last call."""
        changed: list[do.Effect] = []
        for app, life in self.lives.items():
            form = msgspec.msgpack.encode(moved(life, self.ahead) if self.ahead else life)
            if self._saved_as.get(app) != form:
                self._saved_as[app] = form
                changed.append(do.Save(MACHINE, app, form))
        for app in [app for app in self._saved_as if app not in self.lives]:
            del self._saved_as[app]
            changed.append(do.Save(MACHINE, app, None))
        return changed

    def restore(self, app: str, value: bytes) -> None:
        self.lives[app] = msgspec.msgpack.decode(value, type=Life)
        self.moments[app] = Moments()
        self._saved_as[app] = value

    # --- pages ----------------------------------------------------------------------------------------------------

    def has_page(self, app: str) -> bool:
        manifest = self.manifests.get(app)
        return manifest is not None and manifest.page

    def watch_page(self, app: str, *, on: bool) -> Out:
        return [do.WatchPage(app, on)] if self.has_page(app) else []
