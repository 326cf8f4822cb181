"""What becomes of a request when its run has ended: done with, tried again, or given up (contract S05, S19, L07)."""

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled import runs
from frontdesk.agent.core.scheduled.launching import Launching
from frontdesk.agent.core.scheduled.obstacles import in_words
from frontdesk.agent.core.scheduled.requests import Request, Requests, Run
from frontdesk.agent.core.scheduled.runs import Runs
from frontdesk.terms import EXPIRED, ProcessingTask, Retry, StopReason, TaskEnd, WakeReason

Out = list[do.Effect | ev.Signal]

_NO_FAULT = frozenset({StopReason.LOGOUT, StopReason.MEMORY_PRESSURE, StopReason.SUSPENDED_LONG, StopReason.QUIT})
"""Ends of an app that say nothing against the task it worked on."""


class Outcome:
    """Ends runs."""

    def __init__(self, limits: Limits, requests: Requests, running: Runs, launching: Launching) -> None:
        self._limits = limits
        self._requests = requests
        self._running = running
        self._launching = launching

    def of(self, request: Request, end: TaskEnd, now: float, *, success: bool = False) -> Out:
        """The run has ended so. Tried again where the request says so and nothing newer waits behind it."""
        run, name = request.run, request.identifier
        if run is None:
            return []
        out = self._running.over(request)
        text, again = f"{name}: {end.replace('_', ' ')}", ""
        retry = request.task.retry if isinstance(request.task, ProcessingTask) else None
        alone = len(self._requests.line(request.app, name)) == 1
        if retry is not None and not success and end is not TaskEnd.CANCELLED and alone:
            request.failures += 1
            request.attempt += 1
            request.deaths = 0
            request.not_before = now + retry.pause(request.failures)
            self._requests.changed(request)
            again = in_words(request.not_before - now)
            text += f", tried again in {again}"
        else:
            self._requests.remove(request)
        if end in EXPIRED:
            out.append(do.KeepTaskReceipt(runs.receipt(request, run, end, now, again=again)))
        self._launching.place_app(request.app, now)
        return [*out, do.Note(request.app, "run_over", text, about=runs.about(request), name=name, why=end)]

    def app_ended(self, app: str, why: StopReason, now: float) -> Out:
        """What the app was at work on comes again, after a pause and only so often (L07)."""
        self._running.disconnected(app)
        out: Out = []
        for request, run in self._requests.running(app):
            if run.expired is not None:
                out += self.of(request, run.expired, now)
            elif run.began is None and why is StopReason.REPLACED:
                # The desk died over launching it: launched again, at no cost to its budget or its tries.
                out += [ev.HoldOn(app, runs.HOLD, run.id, request.identifier), ev.Wake(app, WakeReason.SCHEDULED)]
            elif why in _NO_FAULT:
                out += self._running.over(request)
            else:
                out += self._died(request, run, now)
        self._launching.place_app(app, now)
        return out

    def _died(self, request: Request, run: Run, now: float) -> Out:
        name = request.identifier
        out = self._running.over(request)
        request.deaths += 1
        request.attempt += 1
        self._requests.changed(request)
        about = runs.about(request)
        if request.deaths >= self._limits.task_tries:
            self._requests.remove(request)
            text = f"{name} given up: the app ended {request.deaths} times over it"
            return [
                *out,
                do.KeepTaskReceipt(runs.receipt(request, run, TaskEnd.APP_ENDED, now)),
                do.Note(request.app, "run_over", text, about=about, name=name, why=TaskEnd.APP_ENDED),
            ]
        pauses = Retry(first=self._limits.retry_first, most=self._limits.retry_most)
        request.not_before = now + pauses.pause(request.deaths)
        text = f"{name}: the app ended over it, tried again in {in_words(request.not_before - now)}"
        return [*out, do.Note(request.app, "run_again", text, about=about, name=name)]
