"""How far continued tasks are, as their apps tell, and as the person is shown while the app is not in front (S18)."""

from collections.abc import Callable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.scheduled.continued_places import Places
from frontdesk.agent.core.scheduled.continued_work import Stage, Work
from frontdesk.agent.core.scheduled.progress_notice import end_notice, fraction_of, notice_id, progress_notice

EVERY = 1.0
"""Seconds from one update of a notification to the next, at least. Only what is new to a person is one: a percent."""

Out = list[do.Effect | ev.Signal]


class Showing:
    """``in_front(app)``: the person sees the app itself."""

    def __init__(self, places: Places, in_front: Callable[[str], bool]) -> None:
        self._places = places
        self._in_front = in_front

    def told(self, told: ev.ProgressTold, now: float) -> Out:
        """Of a run of that app. It counts as progress when the numbers are others than before."""
        work = self._places.runs.get(told.run)
        if work is None or work.app != told.app:
            return []
        at = self._places.progress[work.run]
        if (told.done, told.total) != at.done_of:
            at.done_of, at.new_at = (told.done, told.total), now
        at.fraction = fraction_of(told.done, told.total)
        at.title, at.subtitle = told.title or at.title, told.subtitle or at.subtitle
        return self._show(work, now)

    def left_foreground(self, app: str, now: float) -> Out:
        """One that the person has put away comes back: another look at the app is another chance to cancel."""
        for work in self._places.runs_of(app):
            self._places.progress[work.run].dismissed = False
        return self.begun(app, now)

    def begun(self, app: str, now: float) -> Out:
        return [out for work in self._places.runs_of(app) for out in self._show(work, now)]

    def catch_up(self, work: Work, now: float) -> Out:
        """Show what was too soon for another update."""
        return self._show(work, now) if self._places.progress[work.run].stale else []

    def came_foreground(self, app: str) -> Out:
        return [out for work in self._places.runs_of(app) for out in self.hide(work)]

    def hide(self, work: Work) -> Out:
        """There may be one although this desk has shown none: of the desk before."""
        at = self._places.progress[work.run]
        at.shown, at.stale = None, False
        return [ev.Withdraw(work.app, notice_id(work.run))]

    def dismissed(self, run: str) -> None:
        """The person has put the notification of this run away."""
        at = self._places.progress[run]
        at.dismissed, at.stale = True, False

    def tell_end(self, work: Work, text: str) -> Out:
        """It came to an end that the person has neither asked for nor seen."""
        if self._in_front(work.app):
            return []
        return [ev.Present(work.app, end_notice(work.run, work.request.title, text))]

    def _show(self, work: Work, now: float) -> Out:
        at = self._places.progress[work.run]
        notice = progress_notice(work.run, at.title, at.subtitle, at.fraction)
        at.stale = False
        if work.stage is not Stage.RUNNING or at.dismissed or notice == at.shown or self._in_front(work.app):
            return []
        update = at.shown is not None
        if update and now < at.shown_at + EVERY:
            at.stale = True
            return []
        at.shown, at.shown_at = notice, now
        return [ev.Present(work.app, notice, quiet=update)]
