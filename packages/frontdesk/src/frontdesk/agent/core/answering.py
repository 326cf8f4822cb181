"""What an app asks of the desk and is told at once, from what the core knows: nothing is changed by it."""

from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.terms import Refusal, TaskKind
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
            manifest = desk.lifecycle.manifests().get(app)
            if manifest is None or TaskKind.REFRESH not in manifest.background:
                text = "A budget is for refresh tasks, and `refresh` is not in `background` of its manifest."
                return wire.Refused(Refusal.NOT_PERMITTED, text, request)
            return wire.BudgetIs(request, desk.budgets.budget(app, now))
