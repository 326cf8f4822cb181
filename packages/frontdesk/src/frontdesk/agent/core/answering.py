"""What an app asks of the desk and is told at once, from what the core knows: nothing is changed by it."""

from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.terms import AppState, Refusal, TaskKind
from frontdesk.wire import desk as wire
from frontdesk.wire.status import explained

Question = wire.ListTasks | wire.ExplainTasks | wire.GetBudget
"""To be answered when all that the app said before has been handled."""


def answered(app: str, question: Question, desk: Dispatcher, now: float) -> wire.ToApp:
    """The answer to a question of this app about its own scheduled tasks (S13, S15, S16)."""
    request = question.request
    match question:
        case wire.ListTasks():
            return wire.TasksAre(request, desk.pending(app))
        case wire.ExplainTasks():
            return explained(request, desk.explain(app, now))
        case wire.GetBudget():
            if not desk.has_mode(app, TaskKind.REFRESH):
                text = "A budget is for refresh tasks, and `refresh` is not in `background` of its manifest."
                return wire.Refused(Refusal.NOT_PERMITTED, text, request)
            return wire.BudgetIs(request, desk.budgets.budget(app, now))


def not_shown(app: str, request: int, desk: Dispatcher) -> wire.Refused | None:
    """The refusal to open an address of this app in the browser; None: it may be opened.

    For an app that the person sees or has just asked to see: no other may put itself in front of anybody.
    """
    life = desk.lifecycle.life(app)
    if life is not None and (life.state is AppState.FOREGROUND or life.opening_until is not None):
        return None
    text = "Nobody is opening this app, so no browser was opened. Notify the person; what they press opens it."
    return wire.Refused(Refusal.NOT_PERMITTED, text, request)
