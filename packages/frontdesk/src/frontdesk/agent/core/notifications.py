"""What the person is shown: the desk's own list of notifications, and what is pressed there or on the desktop."""

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.scheduled.progress_notice import run_of
from frontdesk.terms import Notification, Shown
from frontdesk.wire import desk as wire

MACHINE, PRESSED, DESKTOP = "shown", "pressed", "desktop"
"""Under these words the list, presses that their apps have not heard of, and bubbles on the desktop are saved."""

MOST_SHOWN = 200
"""Notifications in the desk's own list; past it the oldest goes."""

Out = list[do.Effect | ev.Signal]


class Bubble(msgspec.Struct, frozen=True):
    """What is on the desktop of one notification. One that the list no longer has is to be withdrawn."""

    app: str
    id: str
    service: str = ""
    number: int = 0
    """As ``OnDesktop`` has them; 0: nothing is known to stand."""
    due: bool = True
    """The words in the list have not been seen to arrive there: a desk that finds it so shows them."""


class Notifications:
    """The machine. The list is complete whether or not this desktop has a notification service (N05).

    Whatever is put on the desktop is saved before as due, and its number afterwards: the desk that follows a killed one
    shows what may not have been shown, in the same bubble where its number is known, and withdraws what has to go. Only
    a desk killed in the moment between the bubble and its number leaves one that the next cannot know.
    """

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], Shown] = {}
        self._pressed: dict[str, list[wire.Pressed]] = {}
        self._bubbles: dict[tuple[str, str], Bubble] = {}

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.Present(app=app, notification=notification, cause=cause, quiet=quiet):
                return self._present(app, notification, now, cause, quiet)
            case ev.Withdraw(app=app, notification=notification_id):
                return self._gone(app, notification_id)
            case ev.NotifyAsked(app=app, notification=notification, asker=asker, request=request):
                return [*self._present(app, notification, now), do.Answer(asker, wire.Done(request))]
            case ev.WithdrawAsked(app=app, notification=notification_id, asker=asker, request=request):
                return [*self._gone(app, notification_id, "withdrawn"), do.Answer(asker, wire.Done(request))]
            case ev.DismissAsked(app=app, notification=notification_id):
                return self._gone(app, notification_id, "dismissed")
            case ev.ActAsked(app=app, notification=notification_id) if run_of(notification_id) is not None:
                # The desk's own: the app knows nothing of it.
                return self._gone(app, notification_id)
            case ev.ActAsked(app=app, notification=notification_id, action=action):
                # The lifecycle opens the app for the same event; the press is given when it is awake (N04).
                self._pressed.setdefault(app, []).append(wire.Pressed(notification_id, action))
                return [self._save_pressed(app), *self._gone(app, notification_id)]
            case ev.OnDesktop(app=app, notification=notification, service=service, number=number):
                current = self._shown.get((app, notification.id))
                due = current is not None and current.notification != notification
                return self._bubble(Bubble(app, notification.id, service if number else "", number, due))
            case ev.OffDesktop(app=app, notification=notification_id):
                known = self._bubbles.get((app, notification_id))
                due = known is not None and known.due and (app, notification_id) in self._shown
                return self._bubble(Bubble(app, notification_id, due=due))
            case ev.DeskStarted():
                return self._taken_up()
            case ev.Awake(app=app) if app in self._pressed:
                pressed = self._pressed.pop(app)
                return [*(do.Send(app, each) for each in pressed), self._save_pressed(app)]
            case ev.AppRemoved(app=app):
                self._pressed.pop(app, None)
                return [self._save_pressed(app)] + [
                    out for key in list(self._shown) if key[0] == app for out in self._gone(*key)
                ]
        return []

    def next_wake(self) -> float | None:
        """Never: nothing here depends on time."""
        return None

    def saves(self) -> list[do.Effect]:
        """Nothing: saved as it changes."""
        return []

    def restore(self, machine: str, key: str, value: bytes) -> None:
        """Take back one saved part; ``machine`` is one of the three words above."""
        if machine == PRESSED:
            self._pressed[key] = msgspec.msgpack.decode(value, type=list[wire.Pressed])
        elif machine == DESKTOP:
            bubble = msgspec.msgpack.decode(value, type=Bubble)
            self._bubbles[bubble.app, bubble.id] = bubble
        else:
            shown = msgspec.msgpack.decode(value, type=Shown)
            self._shown[shown.app, shown.notification.id] = shown

    def shown(self) -> tuple[Shown, ...]:
        """Newest first."""
        return tuple(sorted(self._shown.values(), key=lambda shown: -shown.at))

    def _save_pressed(self, app: str) -> do.Effect:
        pressed = self._pressed.get(app)
        return do.Save(PRESSED, app, msgspec.msgpack.encode(pressed) if pressed else None)

    def _present(self, app: str, notification: Notification, now: float, cause: str = "", quiet: bool = False) -> Out:
        shown = Shown(app, now, notification)
        self._shown[app, notification.id] = shown
        before = self._bubbles.get((app, notification.id), Bubble(app, notification.id))
        out: Out = [
            do.Save(MACHINE, _key(app, notification.id), msgspec.msgpack.encode(shown)),
            *self._bubble(msgspec.structs.replace(before, due=True)),
            do.Show(app, notification),
        ]
        if not quiet:
            # The title only: what stands in the body is kept no longer than the notification is.
            title = notification.title
            text = f"notification: {title}"
            out.append(do.Note(app, "notified", text, about=notification.id, name=title, cause=cause))
        if len(self._shown) > MOST_SHOWN:
            oldest = min(self._shown, key=lambda key: self._shown[key].at)
            out += self._gone(*oldest)
        return out

    def _gone(self, app: str, notification_id: str, how: str = "") -> Out:
        """``how``: the word and the note for the event list; empty: it needs none."""
        shown = self._shown.pop((app, notification_id), None)
        if shown is None:
            return []
        out: Out = [do.Save(MACHINE, _key(app, notification_id), None), do.Unshow(app, notification_id)]
        bubble = self._bubbles.get((app, notification_id))
        if bubble is not None:
            out += self._bubble(msgspec.structs.replace(bubble, due=False))
        if how:
            title = shown.notification.title
            out.append(do.Note(app, how, f"notification {how}: {title}", about=notification_id, name=title))
        return out

    def _bubble(self, bubble: Bubble) -> Out:
        """Keep what is known of it; one that is neither there nor wanted is forgotten."""
        key = bubble.app, bubble.id
        if self._bubbles.get(key) == bubble:
            return []
        if bubble.number or bubble.due:
            self._bubbles[key] = bubble
            return [do.Save(DESKTOP, _key(*key), msgspec.msgpack.encode(bubble))]
        return [do.Save(DESKTOP, _key(*key), None)] if self._bubbles.pop(key, None) is not None else []

    def _taken_up(self) -> Out:
        """What the desk before left on the desktop, and what it may not have shown any more, the oldest first."""
        out: Out = []
        for (app, notification_id), bubble in self._bubbles.items():
            if bubble.number:
                shown = self._shown.get((app, notification_id))
                words = shown.notification if shown is not None else None
                out.append(do.StoodBefore(app, notification_id, bubble.service, bubble.number, words))
        due = [shown for key, shown in self._shown.items() if key in self._bubbles and self._bubbles[key].due]
        return out + [do.Show(shown.app, shown.notification) for shown in sorted(due, key=lambda shown: shown.at)]


def _key(app: str, notification_id: str) -> str:
    return f"{app} {notification_id}"
