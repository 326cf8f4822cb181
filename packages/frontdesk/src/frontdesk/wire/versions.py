"""What may be sent to a peer that speaks an older version of the protocol (contract X03). No I/O.

A field more is passed over by whoever does not know it. A message that a peer does not know ends the connection, and so
does a word for a reason that it does not know: the first are not sent, the second are put into words that it has.
"""

from msgspec.structs import replace

from frontdesk.terms import DeskStatus, Receipt, StopReason, WakeReason
from frontdesk.wire import desk as wire

_SINCE_2 = (
    # from an app
    wire.SubmitTask,
    wire.CancelTasks,
    wire.ListTasks,
    wire.ExplainTasks,
    wire.GetBudget,
    wire.CompleteTask,
    wire.TellProgress,
    # from a program that steers
    wire.Explain,
    wire.GetTaskReceipts,
    wire.SimulateLaunch,
    wire.SimulateExpire,
    wire.ForceCondition,
    wire.LiftCondition,
    wire.SwitchBackground,
    # from the desk; answers to any of these are asked for by who knows them
    wire.BackgroundIs,
    wire.RunTasks,
    wire.ExpireRuns,
    wire.RunKept,
)

_STOPPED_AS_IN_1 = {
    StopReason.TASK_NOT_COMPLETED: StopReason.TASK_NOT_ENDED,
    StopReason.CPU_EXCEEDED: StopReason.MEMORY_PRESSURE,
    StopReason.MEMORY_EXCEEDED: StopReason.MEMORY_PRESSURE,
}
"""The nearest word that version 1 has; the receipt's sentence says what it was."""


def since(message: wire.ToDesk | wire.ToApp) -> int:
    """The first version of the protocol that has this message."""
    return 2 if isinstance(message, _SINCE_2) else 1


def for_peer(message: wire.ToApp, version: int) -> wire.ToApp | None:
    """``message`` as a peer that speaks ``version`` understands it; None: there is no such thing in that version."""
    if version >= wire.NEWEST:
        return message
    if since(message) > version:
        return None
    match message:
        case wire.Welcome(why=why, receipts=receipts):
            why = WakeReason.BY_HAND if why is WakeReason.SCHEDULED else why
            return replace(message, why=why, receipts=_receipts_in_1(receipts), task_receipts=(), declared=())
        case wire.ReceiptsAre(receipts=receipts):
            return replace(message, receipts=_receipts_in_1(receipts))
        case wire.StatusIs(status=status):
            return replace(message, status=_status_in_1(status))
        case _:
            return message


def _status_in_1(status: DeskStatus) -> DeskStatus:
    apps = tuple(
        app if app.last_receipt is None else replace(app, last_receipt=_receipts_in_1((app.last_receipt,))[0])
        for app in status.apps
    )
    return replace(status, apps=apps, conditions=())


def _receipts_in_1(receipts: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    return tuple(replace(each, reason=_STOPPED_AS_IN_1.get(each.reason, each.reason)) for each in receipts)
