"""A desk's status, and explanations, cut to what a frame holds: long texts, ends of lists, last whole apps. No I/O."""

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from frontdesk.terms import AppStatus, DeskStatus, Explanation, Happening, Hold, Reason, Receipt, Shown, Span
from frontdesk.wire.desk import ExplanationsAre, StatusIs, encode
from frontdesk.wire.frames import MOST_BYTES

_MOST_NUMBER = 2**63 - 1
_ROOM_TO_SAY_SO = 400
"""Bytes for the sentence about apps that are left out."""


class _Cut(NamedTuple):
    """How much stays: characters of a text; holds of an app; notifications, happenings, spans: the newest of each.

    Of scheduled tasks: how many of an app, and how many reasons of each.
    """

    characters: int
    holds: int
    lines: int
    tasks: int
    reasons: int


_CUTS = (
    _Cut(200, 100, 200, 100, 20),
    _Cut(100, 20, 100, 20, 5),
    _Cut(40, 5, 40, 5, 2),
    _Cut(20, 1, 5, 1, 1),
)


def fitting(status: DeskStatus, room: int = MOST_BYTES) -> DeskStatus:
    """``status`` as it can be sent, in a body of at most ``room`` bytes: whole if it fits, else cut as little as does.

    What is cut says so: a text ends with an ellipsis, a list of holds with how many more there are, and ``trouble``
    tells of apps that are left out. Ids are never cut.
    """
    smaller = status
    for cut in _CUTS:
        if _bytes(smaller) <= room:
            return smaller
        smaller = _cut(status, cut)
    return smaller if _bytes(smaller) <= room else _without_some_apps(smaller, room)


def explained(request: int, told: tuple[Explanation, ...], room: int = MOST_BYTES) -> ExplanationsAre:
    """The answer that holds ``told``, in a body of at most ``room`` bytes: whole if it fits, else cut as far as needed.

    A text that is cut ends with an ellipsis, the last reason that is left says how many more there are, and ``more``
    counts tasks that are left out. Ids are never cut.
    """
    smaller = told
    for cut in _CUTS:
        if _bytes_of(smaller) <= room:
            return ExplanationsAre(request, smaller)
        smaller = tuple(_cut_explanation(each, cut) for each in told)
    left = room - _bytes_of(())
    for place, each in enumerate(smaller):
        left -= len(msgspec.msgpack.encode(each))
        if left < 0:
            return ExplanationsAre(request, smaller[:place], len(told) - place)
    return ExplanationsAre(request, smaller)


def _bytes_of(told: tuple[Explanation, ...]) -> int:
    return len(encode(ExplanationsAre(_MOST_NUMBER, told, _MOST_NUMBER)))


def _bytes(status: DeskStatus) -> int:
    return len(encode(StatusIs(_MOST_NUMBER, status)))


def _cut(status: DeskStatus, cut: _Cut) -> DeskStatus:
    happenings = status.happenings[-cut.lines :]
    return replace(
        status,
        apps=tuple(_cut_app(app, cut) for app in status.apps),
        shown=tuple(_cut_shown(shown, cut) for shown in status.shown[: cut.lines]),
        happenings=tuple(_cut_happening(each, cut) for each in happenings),
        spans=_cut_spans(status.spans, cut),
        push_service=shortened(status.push_service, 10 * cut.characters),
        trouble=shortened(status.trouble, 10 * cut.characters),
    )


def _cut_happening(each: Happening, cut: _Cut) -> Happening:
    most = cut.characters
    text, name, why = shortened(each.text, most), shortened(each.name, most), shortened(each.why, most)
    return replace(each, text=text, name=name, why=why)


def _cut_spans(spans: tuple[Span, ...], cut: _Cut) -> tuple[Span, ...]:
    """What apps are in now, and the latest of what they were in."""
    ended = sorted((span for span in spans if span.until is not None), key=lambda span: span.until or 0.0)
    gone = {id(span) for span in ended[: -cut.lines]}
    return tuple(replace(span, holds=_cut_holds(span.holds, cut)) for span in spans if id(span) not in gone)


def _cut_app(app: AppStatus, cut: _Cut) -> AppStatus:
    subscriptions = tuple(replace(each, name=shortened(each.name, cut.characters)) for each in app.subscriptions)
    return replace(
        app,
        name=shortened(app.name, cut.characters),
        holds=_cut_holds(app.holds, cut),
        subscriptions=subscriptions[: cut.holds],
        # Half an address would lead somewhere else.
        page=app.page if len(app.page) <= 10 * cut.characters else "",
        last_receipt=None if app.last_receipt is None else _cut_receipt(app.last_receipt, cut),
        tasks=tuple(_cut_explanation(each, cut) for each in app.tasks[: cut.tasks]),
        more_tasks=app.more_tasks + max(0, len(app.tasks) - cut.tasks),
        penalty=shortened(app.penalty, 2 * cut.characters),
    )


def _cut_explanation(each: Explanation, cut: _Cut) -> Explanation:
    reasons = tuple(_cut_reason(reason, cut) for reason in each.reasons[: cut.reasons])
    if more := len(each.reasons) - len(reasons):
        reasons = (*reasons[:-1], replace(reasons[-1], text=f"{reasons[-1].text} (and {more} more)"))
    return replace(each, text=shortened(each.text, 2 * cut.characters), reasons=reasons)


def _cut_reason(reason: Reason, cut: _Cut) -> Reason:
    text, now, needs = (shortened(each, cut.characters) for each in (reason.text, reason.now, reason.needs))
    return replace(reason, text=text, now=now, needs=needs)


def _cut_holds(holds: tuple[Hold, ...], cut: _Cut) -> tuple[Hold, ...]:
    kept = tuple(replace(hold, name=shortened(hold.name, cut.characters)) for hold in holds[: cut.holds])
    if more := holds[cut.holds :]:
        kept += (Hold(more[0].kind, f"and {len(more)} more", more[0].since),)
    return kept


def _cut_receipt(receipt: Receipt, cut: _Cut) -> Receipt:
    tasks = tuple(shortened(name, cut.characters) for name in receipt.tasks[: cut.holds])
    if more := len(receipt.tasks) - len(tasks):
        tasks += (f"and {more} more",)
    return replace(receipt, text=shortened(receipt.text, 2 * cut.characters), tasks=tasks)


def _cut_shown(shown: Shown, cut: _Cut) -> Shown:
    said = shown.notification
    actions = tuple(replace(action, title=shortened(action.title, cut.characters)) for action in said.actions)
    title, body = shortened(said.title, cut.characters), shortened(said.body, 2 * cut.characters)
    return replace(shown, notification=replace(said, title=title, body=body, actions=actions))


def _without_some_apps(status: DeskStatus, room: int) -> DeskStatus:
    """As many apps as there is room for, from the first; what is shown and what happened give way to them."""
    status = replace(status, shown=(), happenings=(), spans=())
    left = room - _bytes(replace(status, apps=())) - _ROOM_TO_SAY_SO
    kept: list[AppStatus] = []
    for app in status.apps:
        left -= len(msgspec.msgpack.encode(app))
        if left < 0:
            break
        kept.append(app)
    out = len(status.apps) - len(kept)
    said = f"{out} apps more than one answer holds are left out; `frontdesk log APP` tells of each. {status.trouble}"
    return replace(status, apps=tuple(kept), trouble=said.rstrip())


def shortened(text: str, most: int) -> str:
    """``text`` in at most as many characters, with an ellipsis if something is missing. ``most``: at least 1."""
    return text if len(text) <= most else text[: most - 1] + "…"
