"""What an app says, as the core hears it: a message of ``wire.desk`` as the event that it is, cut to what is kept."""

from collections.abc import Callable

import msgspec

from frontdesk.agent.core import events as ev
from frontdesk.terms import Action, ContinuedTask, Notification, TaskRequest
from frontdesk.wire import desk as wire

MOST_ID, MOST_TITLE, MOST_TEXT, MOST_ACTIONS = 300, 300, 2000, 8
"""Characters of a notification that are kept, and buttons; those of buttons are as of id and title."""

MOST_NAME = 200
"""Characters of a background task's name that are kept."""

MOST_SUBMISSION = 64
"""Characters by which an app's submission is known again."""


class NewChannel(msgspec.Struct, frozen=True):
    """What a subscription needs that nobody may guess: a fresh channel id and fresh keys."""

    channel: str
    private_key: str
    p256dh: str
    auth: str


def said(app: str, asker: int, message: wire.ToDesk, new_channel: Callable[[], NewChannel]) -> ev.Report | None:
    """The event that ``message`` of this app is; None for what is none: a question, or nothing an app may say.

    ``asker``: who gets the answer. Texts are cut to what anybody reads (contract X02).
    """
    match message:
        case wire.Foreground():
            return ev.WentForeground(app)
        case wire.Background():
            return ev.WentBackground(app)
        case wire.Ready(transition=transition):
            return ev.SaidReady(app, transition)
        case wire.BeginTask(task=task, name=name):
            return ev.TaskBegun(app, task, name[:MOST_NAME])
        case wire.EndTask(task=task):
            return ev.TaskEnded(app, task)
        case wire.PushAnswer(push=push, verdict=verdict, notification=notification):
            return ev.PushAnswered(app, push, verdict, None if notification is None else _short(notification))
        case wire.Notify(request=request, notification=notification):
            return ev.NotifyAsked(app, asker, request, _short(notification))
        case wire.Withdraw(request=request, notification=notification_id):
            return ev.WithdrawAsked(app, asker, request, notification_id[:MOST_ID])
        case wire.Unsubscribe(request=request, name=name):
            return ev.UnsubscribeAsked(app, asker, request, name)
        case wire.Subscribe(request=request, name=name, kind=kind, fallback=fallback):
            shown, new = None if fallback is None else _short(fallback), new_channel()
            return ev.SubscribeAsked(
                app, asker, request, name, kind, shown, new.channel, new.private_key, new.p256dh, new.auth
            )
        case _:
            return _said_of_scheduled_tasks(app, asker, message)


def _said_of_scheduled_tasks(app: str, asker: int, message: wire.ToDesk) -> ev.Report | None:
    match message:
        case wire.SubmitTask(request=request, task=task, existing=existing, submission=submission):
            return ev.SubmitAsked(app, asker, request, _short_task(task), existing, submission[:MOST_SUBMISSION])
        case wire.CancelTasks(request=request, identifiers=identifiers):
            return ev.CancelAsked(app, asker, request, frozenset(identifiers))
        case wire.CompleteTask(run=run, success=success):
            return ev.RunCompleted(app, run, success)
        case wire.TellProgress(run=run, done=done, total=total, title=title, subtitle=subtitle):
            return ev.ProgressTold(app, run, done, total, title[:MOST_TITLE], subtitle[:MOST_TITLE])
        case _:
            return None


def _short(notification: Notification) -> Notification:
    """As much as anybody reads: one app's endless text must not fill the desk's list and its store (X02)."""
    return msgspec.structs.replace(
        notification,
        id=notification.id[:MOST_ID],
        title=notification.title[:MOST_TITLE],
        body=notification.body[:MOST_TEXT],
        actions=tuple(
            Action(action.id[:MOST_ID], action.title[:MOST_TITLE]) for action in notification.actions[:MOST_ACTIONS]
        ),
    )


def _short_task(task: TaskRequest) -> TaskRequest:
    """Titles are cut; an identifier is not, since half of one is another: the scheduler refuses a long one."""
    if isinstance(task, ContinuedTask):
        return msgspec.structs.replace(task, title=task.title[:MOST_TITLE], subtitle=task.subtitle[:MOST_TITLE])
    return task
