"""Programs of the person that look at the desk and steer it: the command line, a status page, the demo's stage."""

import functools
from collections.abc import Callable
from pathlib import Path

from frontdesk.agent.core import admission
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.life.background_switch import ALL
from frontdesk.agent.core.scheduled.permission import MOST_IDENTIFIER
from frontdesk.agent.in_turn import InTurn
from frontdesk.agent.shell.app_server import Connection
from frontdesk.agent.shell.registry import Registry
from frontdesk.errors import FrontdeskError, RefusedError, WireError
from frontdesk.terms import APP_ID_MOST, VALUES, DeskStatus, Receipt, Refusal, TaskReceipt
from frontdesk.wire import desk as wire
from frontdesk.wire.status import explained, fitting

_OfApp = (
    wire.OpenApp
    | wire.QuitApp
    | wire.RemoveApp
    | wire.GetReceipts
    | wire.GetTaskReceipts
    | wire.SwitchBackground
    | wire.Act
    | wire.Dismiss
)


class Steering:
    """``post`` hands events to the core. ``status``, ``receipts`` and ``task_receipts`` are what may be asked for."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        registry: Registry,
        post: Callable[[ev.Event], None],
        *,
        now: Callable[[], float],
        status: Callable[[], DeskStatus],
        receipts: Callable[[str], tuple[Receipt, ...]],
        task_receipts: Callable[[str], tuple[TaskReceipt, ...]],
    ) -> None:
        self._dispatcher = dispatcher
        self._registry = registry
        self._post = post
        self._now = now
        self._status = status
        self._receipts = receipts
        self._task_receipts = task_receipts
        self._watchers: dict[Connection, int] = {}
        self._questions = InTurn()

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def tell_watchers(self) -> None:
        status = fitting(self._status())
        for connection, request in list(self._watchers.items()):
            connection.send(wire.StatusIs(request, status))

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        self._watchers.pop(connection, None)
        self._questions.forget(connection)

    def received(self, connection: Connection, message: wire.ToDesk) -> None:
        """``WireError``: nothing that such a program may say."""
        match message:
            case wire.GetStatus() | wire.Watch() | wire.Explain():
                self._questions.later(connection, functools.partial(self._tell, connection, message))
            case wire.ListApps(request=request):
                connection.send(wire.AppsAre(request, tuple(self._dispatcher.lifecycle.manifests().values())))
            case wire.AddApp(request=request, manifest=path, python=python):
                self._add(connection, request, Path(path), python)
            case wire.SimulateLaunch() | wire.SimulateExpire():
                expire = isinstance(message, wire.SimulateExpire)
                # Longer than any that exists is as good as one character too many; it comes back in the answer (X02).
                identifier, app = message.identifier[: MOST_IDENTIFIER + 1], message.app[: APP_ID_MOST + 1]
                self._post(ev.SimulateAsked(connection.asker, message.request, identifier, app, expire))
            case wire.ForceCondition() | wire.LiftCondition():
                self._condition(connection, message)
            case _ if isinstance(message, _OfApp):
                self._about_app(connection, message)
            case _:
                raise WireError(Refusal.BAD_REQUEST, f"{type(message).__name__} needs the hello of an app first.")

    def _tell(self, connection: Connection, question: wire.GetStatus | wire.Watch | wire.Explain) -> None:
        if isinstance(question, wire.Watch):
            self._watchers[connection] = question.request
        if not isinstance(question, wire.Explain):
            connection.send(wire.StatusIs(question.request, fitting(self._status())))
            return
        told = self._dispatcher.explain(question.of, self._now())
        if not told and question.of != "all" and not self._knows(question.of):
            named = question.of[:MOST_IDENTIFIER]
            text = f"{named!r} is neither a registered app nor a task that somebody has submitted."
            connection.send(wire.Refused(Refusal.UNKNOWN_TASK, text, question.request))
            return
        connection.send(explained(question.request, told))

    def _condition(self, connection: Connection, message: wire.ForceCondition | wire.LiftCondition) -> None:
        if isinstance(message, wire.LiftCondition):
            self._post(ev.ConditionLifted(message.condition))
        elif message.value in VALUES[message.condition]:
            self._post(ev.ConditionForced(message.condition, message.value))
        else:
            cannot = f"{message.condition} cannot be {message.value[:50]!r}"
            text = f"{cannot}; it can be {message.condition.possible}. Nothing was changed."
            connection.send(wire.Refused(Refusal.BAD_REQUEST, text, message.request))
            return
        self._post(ev.AnswerAsked(connection.asker, message.request))

    def _about_app(self, connection: Connection, message: _OfApp) -> None:
        app = message.app
        if not self._knows(app) and not (app == ALL and isinstance(message, wire.SwitchBackground)):
            connection.send(wire.Refused(Refusal.UNKNOWN_APP, admission.unknown(app), message.request))
            return
        match message:
            case wire.OpenApp():
                self._post(ev.OpenAsked(app))
            case wire.QuitApp():
                self._post(ev.QuitAsked(app))
            case wire.SwitchBackground(on=on):
                self._post(ev.BackgroundSwitched(app, on))
            case wire.Act(notification=notification, action=action):
                self._post(ev.ActAsked(app, notification, action))
            case wire.Dismiss(notification=notification):
                self._post(ev.DismissAsked(app, notification))
            case wire.RemoveApp(request=request):
                try:
                    self._registry.remove(app)
                except FrontdeskError as error:
                    connection.send(wire.Refused(reason_of(error, Refusal.STORE_UNAVAILABLE), str(error), request))
                    return
                self._post(ev.AppRemoved(app))
            case wire.GetReceipts(request=request):
                connection.send(wire.ReceiptsAre(request, self._receipts(app)))
                return
            case wire.GetTaskReceipts(request=request):
                connection.send(wire.TaskReceiptsAre(request, self._task_receipts(app)))
                return
        self._post(ev.AnswerAsked(connection.asker, message.request))

    def _add(self, connection: Connection, request: int, file: Path, python: str) -> None:
        try:
            manifest = self._registry.add(file, python)
        except FrontdeskError as error:
            connection.send(wire.Refused(reason_of(error, Refusal.STORE_UNAVAILABLE), str(error), request))
            return
        self._post(ev.AppAdded(manifest))
        connection.send(wire.AppsAre(request, (manifest,)))

    def _knows(self, app: str) -> bool:
        return app in self._dispatcher.lifecycle.manifests()


def reason_of(error: FrontdeskError, otherwise: Refusal) -> Refusal:
    return error.reason if isinstance(error, RefusedError) else otherwise
