"""How continued tasks come to their end: told to, they complete it in time, or their app is stopped (contract S18).

It may come from the app itself, from the person, or from the desk; what is told of it depends on that. Of a run that
came to no good end there is a receipt, and the person hears what they neither asked for nor saw.
"""

from collections.abc import Callable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.continued_places import Places
from frontdesk.agent.core.scheduled.continued_showing import Showing
from frontdesk.agent.core.scheduled.continued_work import Stage, Work
from frontdesk.terms import StopReason, TaskEnd
from frontdesk.wire import desk as wire

Out = list[do.Effect | ev.Signal]

HOLD = "continued"
"""The kind of hold that a run keeps its app awake by."""


class Ending:
    """``in_front(app)``: the person sees the app, which is then not stopped over a task."""

    def __init__(self, limits: Limits, places: Places, showing: Showing, in_front: Callable[[str], bool]) -> None:
        self._limits = limits
        self._places = places
        self._showing = showing
        self._in_front = in_front

    def expire(self, work: Work, end: TaskEnd, text: str, now: float) -> Out:
        """Tell it to come to an end; one that the app has not got yet ends here, one that was told before goes on."""
        if work.stage is Stage.STARTING:
            return self.over(work, end, text, now)
        if work.stage is not Stage.RUNNING:
            return []
        self._places.move(work, Stage.ENDING)
        work.end, work.text = end, text
        note = work.note("run_expired", f"{work.identifier} is to end: {end.replace('_', ' ')}", end)
        return [*self.tell_to_end(work, now), *self._showing.hide(work), note]

    def tell_to_end(self, work: Work, now: float) -> Out:
        seconds = self._limits.expiry_lead
        self._places.progress[work.run].due = now + seconds
        return [do.Send(work.app, wire.ExpireRuns((work.run,), work.end or TaskEnd.CANCELLED, seconds))]

    def overdue(self, work: Work, now: float) -> Out:
        """Told to come to an end, it has not. An app in front of the person is left alone all the same."""
        self._places.progress[work.run].due = None
        seconds = self._limits.expiry_lead
        work.text += f" It did not complete it within {seconds:g} s of being told."
        self._places.changed(work)
        if self._in_front(work.app):
            return self.expired(work, now)
        text = f"{work.identifier}: {work.text} Complete it in its expiration handler at the latest."
        return [ev.Stop(work.app, StopReason.TASK_NOT_COMPLETED, text, seconds, seconds, (work.identifier,))]

    def expired(self, work: Work, now: float) -> Out:
        """One that was told to come to an end has done so."""
        return self.over(work, work.end or TaskEnd.CANCELLED, work.text, now)

    def over(self, work: Work, end: TaskEnd, text: str, now: float) -> Out:
        """It has come to no good end: a receipt says so, and the person is told what they did not do themselves."""
        out = self.gone(work)
        if end in (TaskEnd.STALLED, TaskEnd.APP_ENDED):
            out += self._showing.tell_end(work, text)
        note = work.note("run_over", f"{work.identifier}: {end.replace('_', ' ')}", end)
        return [*out, do.KeepTaskReceipt(work.receipt(end, text, now)), note]

    def gone(self, work: Work) -> Out:
        """Nothing is left of it, its notification included."""
        had_place = work.stage is not Stage.QUEUED
        out = [*self._showing.hide(work), ev.LetGo(work.app, HOLD, work.run)] if had_place else []
        self._places.move(work, Stage.GONE)
        return out
