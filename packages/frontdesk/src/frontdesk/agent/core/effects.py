"""What the core wants done. The loop commits every ``Save`` of a batch first, then carries out the rest in order.

``after_save``: this effect promises something to somebody outside, so it waits until the saves before it are durable
(P09; "an accepted request is durable before it is acknowledged").
"""

from typing import ClassVar

import msgspec

from frontdesk.terms import Notification, Receipt, TaskReceipt
from frontdesk.wire.desk import ToApp


class Effect(msgspec.Struct, frozen=True, tag=True):
    """Something a shell shall do."""

    after_save: ClassVar[bool] = False


class Save(Effect, frozen=True):
    """Keep ``value`` under (machine, key) for good; None removes it."""

    machine: str
    key: str
    value: bytes | None


class KeepReceipt(Effect, frozen=True):
    """Keep for ``frontdesk log`` and for the app's next start (L05)."""

    receipt: Receipt


class KeepTaskReceipt(Effect, frozen=True):
    """Keep for ``frontdesk log`` and for the app's next start (L05)."""

    receipt: TaskReceipt


Kept = KeepReceipt | KeepTaskReceipt
"""What goes into the list of receipts."""


class Measure(Effect, frozen=True):
    """Find out what the app and its children use; ``Consumed`` is the answer (L08, L09)."""

    app: str
    process: "Process"


class Inhibit(Effect, frozen=True):
    """Hold off the machine's sleep while guarded work is open, or stop doing so; ``why`` is for a person."""

    on: bool
    why: str = ""


class Send(Effect, frozen=True):
    """To the app, on whatever connection it has."""

    app: str
    message: ToApp


class SendKept(Send, frozen=True):
    """To the app, once all saves before are durable."""

    after_save: ClassVar[bool] = True


class Answer(Effect, frozen=True):
    """To whoever asked, once all saves before are durable."""

    asker: int
    message: ToApp
    after_save: ClassVar[bool] = True


class Launch(Effect, frozen=True):
    app: str
    token: str


class Process(msgspec.Struct, frozen=True):
    """Which process is meant: ``started`` in clock ticks since boot makes a reused id harmless."""

    pid: int
    started: int
    launched: bool
    """In a session that the keeper made for it, so its group is ours to signal (L01)."""
    token: str


class Freeze(Effect, frozen=True):
    app: str
    process: Process


class Thaw(Effect, frozen=True):
    app: str
    process: Process


class Kill(Effect, frozen=True):
    """SIGKILL to all of the app's processes."""

    app: str
    process: Process


class ExitSeen(Effect, frozen=True):
    """Tell the keeper that what came of this end is durable: no other desk needs to hear of it (L05)."""

    pid: int
    after_save: ClassVar[bool] = True


class WatchPage(Effect, frozen=True):
    """Tell (``PageVisited``) when a browser connects to the page, or stop watching."""

    app: str
    on: bool


class TurnAway(Effect, frozen=True):
    """Close the connections that wait at the page: they called the run that was quit, nobody opens it again (L04)."""

    app: str


class ForgetPage(Effect, frozen=True):
    """Close the listening socket kept for the app."""

    app: str


class RegisterChannel(Effect, frozen=True):
    channel: str


class UnregisterChannel(Effect, frozen=True):
    channel: str


class AckPush(Effect, frozen=True):
    channel: str
    version: str
    code: int = 100
    """100 delivered, 101 not decrypted, 102 not delivered otherwise (push protocol of Mozilla's autopush)."""
    after_save: ClassVar[bool] = True


class ReconnectPush(Effect, frozen=True):
    """Connect to the push service now: somebody looks, the network is back, or the machine has slept (and what was open
    is probably dead)."""


class Show(Effect, frozen=True):
    """On the desktop; the desk's own list has it already."""

    app: str
    notification: Notification


class Unshow(Effect, frozen=True):
    app: str
    notification: str


class StoodBefore(Effect, frozen=True):
    """An earlier desk put it on the desktop: its bubble is ours now, to be replaced, withdrawn and pressed (N03, N04).

    ``service`` and ``number`` as in ``OnDesktop``. ``notification``: what it says; None: it is to be withdrawn.
    """

    app: str
    id: str
    service: str
    number: int
    notification: Notification | None


class Note(Effect, frozen=True):
    """A line for the event list: ``what`` is a stable word, ``text`` is for a person; the rest as in ``Happening``."""

    app: str
    what: str
    text: str
    about: str = ""
    name: str = ""
    why: str = ""
    cause: str = ""
