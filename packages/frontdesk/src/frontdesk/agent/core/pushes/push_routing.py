"""The way of a push from the push service to its app, or to the person in the app's place.

A changeable alert waits here, saved, until the app has answered it: given to the app when it is awake, else the app is
woken, within a budget (contract P02). An app that dies over a push gets it again, and in the end the person sees the
fallback (L07). Acknowledged to the push service once saved, never before, and never twice given to the app (P09).
"""

from collections.abc import Callable

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.backoff import doubled
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.pushes.subscriptions import Subscribed, Subscriptions
from frontdesk.terms import Notification, PushKind, StopReason, Verdict, WakeReason
from frontdesk.wire import desk as wire

WAITING, SEEN = "push", "seen"
"""Under these words waiting pushes and known versions are saved."""

_IN_WORDS = {
    Verdict.SHOW_THIS: "show my text",
    Verdict.SHOW_AS_IT_IS: "show it as it is",
    Verdict.SHOW_NOTHING: "show nothing",
}

Out = list[do.Effect | ev.Signal]


class Waiting(msgspec.Struct):
    """One push that its app has not answered yet, as it is saved."""

    id: str
    app: str
    name: str
    data: bytes
    received: float
    expires: float | None
    order: int
    tries: int = 0


class _AppPushes:
    """What is known of one app's pushes while this desk lives."""

    def __init__(self) -> None:
        self.awake = False
        self.waking = False
        self.due: dict[str, float] = {}
        """Pushes the app is working on, and until when it may."""
        self.wakes: list[float] = []
        self.retry_at: float | None = None


class PushRouting:
    """The machine.

    ``not_wakeable(app)`` says in a word why the app may not be woken ("" = it may); ``seconds_left(app, now)`` is its
    background time, None where none runs. Both only look.
    """

    def __init__(
        self,
        limits: Limits,
        new_id: Callable[[], str],
        subscriptions: Subscriptions,
        not_wakeable: Callable[[str], str],
        seconds_left: Callable[[str, float], float | None],
    ) -> None:
        self._limits = limits
        self._new_id = new_id
        self._not_wakeable = not_wakeable
        self._seconds_left = seconds_left
        self._subscriptions = subscriptions
        self._waiting: dict[str, Waiting] = {}
        self._seen: dict[str, dict[str, int]] = {}
        self._order = 0
        self._ahead = 0
        """Whole seconds that the wall clock is ahead of the desk's, as the saved forms have it."""
        self._apps: dict[str, _AppPushes] = {}

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.PushArrived():
                return self._arrived(happened, now)
            case ev.PushAnswered():
                return self._answered(happened, now)
            case ev.Connected(app=app, pushes=pushes):
                return self._connected(app, pushes, now)
            case ev.Disconnected(app=app):
                self._of(app).awake = False
            case ev.Unreached(app=app):
                self._of(app).waking = False
                return [out for each in self._not_given(app) for out in self._fall_back(each, "it does not answer")]
            case ev.Awake(app=app):
                at = self._of(app)
                at.awake, at.waking, at.retry_at = True, False, None
                return self._offer(app, now)
            case ev.CameForeground(app=app):
                return self._offer(app, now)
            case ev.Slept(app=app):
                self._of(app).awake = False
                return self._offer(app, now)
            case ev.Ended(app=app, receipt=receipt):
                return self._ended(app, receipt.reason, now)
            case ev.AvailabilityChanged(app=app) if self._not_wakeable(app) and not self._of(app).awake:
                self._of(app).waking = False
                return self._offer(app, now)
            case ev.SubscriptionGone(app=app, name=name, channel=channel):
                gone = [each for each in self._waiting.values() if (each.app, each.name) == (app, name)]
                versions = self._seen.pop(channel, {})
                forgotten: Out = [do.Save(SEEN, f"{channel} {version}", None) for version in versions]
                return forgotten + [
                    out for each in gone for out in self._over(each, "nobody was subscribed to it any more")
                ]
            case ev.AppRemoved(app=app):
                self._apps.pop(app, None)
            case ev.DeskStarted():
                return [out for app in self._apps_waiting() for out in self._offer(app, now)]
            case ev.WallClock(whole_ahead=ahead) if ahead != self._ahead:
                self._ahead = ahead
                return [self._save_waiting(each) for each in self._waiting.values()]
            case ev.MachineSlept(seconds=seconds):
                for at in self._apps.values():
                    at.due = {push: due + seconds for push, due in at.due.items()}
            case ev.TimePassed():
                return self._time_passed(now)
        return []

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: an answer due, a push over, a retry, a wake allowed again."""
        moments = [due for at in self._apps.values() for due in at.due.values()]
        for entry in self._waiting.values():
            if entry.expires is not None and entry.id not in self._of(entry.app).due:
                moments.append(entry.expires)
        for app in self._apps_waiting():
            at = self._of(app)
            if at.retry_at is not None:
                moments.append(at.retry_at)
            elif not at.awake and not at.waking and len(at.wakes) >= self._limits.push_wakes:
                moments.append(at.wakes[0] + self._limits.push_wakes_in)
        return min(moments, default=None)

    def waits_until(self, app: str, now: float) -> float | None:
        """Pushes wait for it until then, since it was woken for others as often as it may be; None: none does (P02)."""
        at = self._apps.get(app)
        if at is None or at.awake or at.waking or len(at.wakes) < self._limits.push_wakes or not self.waiting(app):
            return None
        free = at.wakes[-self._limits.push_wakes] + self._limits.push_wakes_in
        return free if free > now else None

    def saves(self) -> list[do.Effect]:
        """Nothing: this machine saves as it goes, since much of what it keeps never changes."""
        return []

    def restore(self, machine: str, key: str, value: bytes) -> None:
        """Take back one saved part; ``machine`` is one of the two words above."""
        if machine == WAITING:
            waiting = msgspec.msgpack.decode(value, type=Waiting)
            self._waiting[waiting.id] = waiting
            self._order = max(self._order, waiting.order + 1)
        elif machine == SEEN:
            channel, _, version = key.partition(" ")
            order = msgspec.msgpack.decode(value, type=int)
            self._seen.setdefault(channel, {})[version] = order
            self._order = max(self._order, order + 1)

    # --- looking at it --------------------------------------------------------------------------------------------

    def waiting(self, app: str) -> int:
        return sum(entry.app == app for entry in self._waiting.values())

    # --- pushes ---------------------------------------------------------------------------------------------------

    def _arrived(self, push: ev.PushArrived, now: float) -> Out:
        entry = self._subscriptions.of_channel(push.channel)
        if entry is None:
            return [do.AckPush(push.channel, push.version, 102), do.UnregisterChannel(push.channel)]
        seen = self._seen.setdefault(push.channel, {})
        if push.version in seen:
            return [do.AckPush(push.channel, push.version, 102)]
        out = self._mark_seen(push.channel, push.version)
        about = _about(seen[push.version])
        if push.data is None:
            text = f"a push for {entry.name} could not be decrypted: dropped"
            note = do.Note(entry.app, "push_refused", text, about=about, name=entry.name)
            return [*out, do.AckPush(push.channel, push.version, 101), note]
        ack = do.AckPush(push.channel, push.version)
        if entry.kind is PushKind.ALERT:
            text = f"alert for {entry.name}: shown without waking it"
            out += [ack, do.Note(entry.app, "push", text, about=about, name=entry.name, why=PushKind.ALERT)]
            return out + self._present(entry.app, self._as_it_is(entry, push.data), about)
        unwakeable = self._not_wakeable(entry.app)
        if unwakeable and not self._of(entry.app).awake:
            text = f"push for {entry.name}: not given to it ({unwakeable})"
            out += [ack, do.Note(entry.app, "push", text, about=about, name=entry.name, why=unwakeable)]
            return out + self._present(entry.app, entry.fallback, about)
        expires = None if push.ttl is None else now + push.ttl
        waiting = Waiting(self._new_id(), entry.app, entry.name, push.data, now, expires, self._next_order())
        self._waiting[waiting.id] = waiting
        note = do.Note(entry.app, "push", f"push for {entry.name}", about=_about(waiting.order), name=entry.name)
        out += [self._save_waiting(waiting), ack, note]
        return out + self._trim(entry.app) + self._offer(entry.app, now, just_in=waiting)

    def _offer(self, app: str, now: float, just_in: Waiting | None = None) -> Out:
        """Give the app what waits for it if it is awake and has time for it; else wake it, if it may be woken.

        ``just_in`` has its moment even with a time to live of 0: now or never (P08).
        """
        at = self._of(app)
        late = [each for each in self._not_given(app) if self._is_over(each, now) and each is not just_in]
        out = [drop for each in late for drop in self._over(each)]
        waiting = self._not_given(app)
        if not waiting or (at.retry_at is not None and not at.awake):
            return out
        if at.waking:
            return out + self._in_time(waiting)
        if at.awake:
            left = self._seconds_left(app, now)
            if left is not None and left <= self._limits.expiry_lead:
                # Too late for this wake (P02): they wait, and are given together in the next.
                return out
            return out + [give for each in waiting for give in self._give(at, each, now, left)]
        if self._not_wakeable(app):
            return out + [shown for each in waiting for shown in self._fall_back(each, "it may not be woken")]
        at.wakes = [moment for moment in at.wakes if moment + self._limits.push_wakes_in > now]
        if len(at.wakes) >= self._limits.push_wakes:
            return out
        at.wakes.append(now)
        at.waking = True
        return [*out, *self._in_time(waiting), ev.Wake(app, WakeReason.PUSH)]

    def _in_time(self, waiting: list[Waiting]) -> Out:
        """Their wake has begun in time; that it takes a moment must not make a push too late (P08)."""
        timed = [each for each in waiting if each.expires is not None]
        for each in timed:
            each.expires = None
        return [self._save_waiting(each) for each in timed]

    def _over(self, each: Waiting, why: str = "its time to live was over") -> Out:
        text = f"push for {each.name}: {why}"
        note = do.Note(each.app, "push_over", text, about=_about(each.order), name=each.name, why=why)
        return [*self._forget(each), note]

    def _give(self, at: _AppPushes, each: Waiting, now: float, left: float | None) -> Out:
        at.due[each.id] = now + (self._limits.push if left is None else min(self._limits.push, left))
        return [
            ev.HoldOn(each.app, "push", each.id, each.name),
            do.Send(each.app, wire.Push(each.id, each.name, each.data, each.received)),
        ]

    def _answered(self, answer: ev.PushAnswered, now: float) -> Out:
        each = self._waiting.get(answer.push)
        if each is None or each.app != answer.app:
            return [do.SendKept(answer.app, wire.PushKept(answer.push))]
        entry = self._subscriptions.named(each.app, each.name)
        shown: Notification | None = None
        if answer.verdict is Verdict.SHOW_THIS:
            shown = answer.notification
        elif answer.verdict is Verdict.SHOW_AS_IT_IS and entry is not None:
            shown = self._as_it_is(entry, each.data)
        about = _about(each.order)
        out = self._present(each.app, shown, about) + self._forget(each)
        out.append(do.SendKept(each.app, wire.PushKept(each.id)))
        out.append(
            do.Note(
                each.app,
                "push_answered",
                f"the app answered the push for {each.name}: {_IN_WORDS[answer.verdict]}",
                about=about,
                name=each.name,
                why=answer.verdict,
            )
        )
        return out

    def _connected(self, app: str, pushes: tuple[str, ...], now: float) -> Out:
        """An app that reconnects goes on with what it has (P09: not given twice); what got lost on the way waits."""
        at = self._of(app)
        lost = [push for push in at.due if push not in pushes]
        for push in lost:
            del at.due[push]
        out: Out = [ev.LetGo(app, "push", push) for push in lost]
        for push in pushes:
            if push not in self._waiting:
                out.append(do.Send(app, wire.PushKept(push)))
            elif push not in at.due:
                at.due[push] = now + self._limits.push
                out.append(ev.HoldOn(app, "push", push, self._waiting[push].name))
        return out

    def _ended(self, app: str, reason: StopReason, now: float) -> Out:
        """The app is gone: what it was given, or was woken for, is tried again or shown in its place (L07)."""
        at = self._of(app)
        out: Out = []
        for each in [entry for entry in self._waiting.values() if entry.app == app]:
            if reason is StopReason.QUIT:
                out += self._fall_back(each, "the person quit the app")
            elif each.id in at.due or at.waking:
                each.tries += 1
                if each.tries >= self._limits.push_tries:
                    out += self._fall_back(each, f"the app ended {each.tries} times over it")
                    continue
                out.append(self._save_waiting(each))
                pause = doubled(self._limits.retry_first, self._limits.retry_most, each.tries - 1)
                at.retry_at = max(at.retry_at or 0.0, now + pause)
        at.awake = at.waking = False
        at.due.clear()
        return out + self._offer(app, now)

    def _time_passed(self, now: float) -> Out:
        out: Out = []
        for at in list(self._apps.values()):
            for push in [push for push, due in at.due.items() if due <= now]:
                if push in self._waiting:
                    out += self._fall_back(self._waiting[push], f"no answer within {self._limits.push:g} s")
                at.due.pop(push, None)
            if at.retry_at is not None and at.retry_at <= now:
                at.retry_at = None
        for app in self._apps_waiting():
            out += self._offer(app, now)
        return out

    # --- small parts ----------------------------------------------------------------------------------------------

    def _fall_back(self, each: Waiting, why: str) -> Out:
        entry = self._subscriptions.named(each.app, each.name)
        about = _about(each.order)
        text = f"push for {each.name}: fallback shown ({why})"
        note = do.Note(each.app, "push_fallback", text, about=about, name=each.name, why=why)
        return [*self._present(each.app, entry.fallback if entry else None, about), *self._forget(each), note]

    def _present(self, app: str, notification: Notification | None, cause: str) -> Out:
        return [ev.Present(app, notification, cause)] if notification is not None else []

    def _as_it_is(self, entry: Subscribed, data: bytes) -> Notification | None:
        """The alert that a payload is by itself: JSON with ``title``, and ``body`` and ``id`` if it likes."""
        try:
            alert = msgspec.json.decode(data, type=AlertPayload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return entry.fallback
        return Notification(id=alert.id or entry.name, title=alert.title, body=alert.body)

    def _forget(self, each: Waiting) -> Out:
        self._waiting.pop(each.id, None)
        self._of(each.app).due.pop(each.id, None)
        return [do.Save(WAITING, each.id, None), ev.LetGo(each.app, "push", each.id)]

    def _trim(self, app: str) -> Out:
        waiting = self._not_given(app)
        if len(waiting) <= self._limits.waiting_pushes:
            return []
        return self._fall_back(waiting[0], "too many wait for it")

    def _mark_seen(self, channel: str, version: str) -> Out:
        seen = self._seen[channel]
        seen[version] = self._next_order()
        out: Out = [do.Save(SEEN, f"{channel} {version}", msgspec.msgpack.encode(seen[version]))]
        while len(seen) > self._limits.seen_versions:
            oldest = min(seen, key=seen.__getitem__)
            del seen[oldest]
            out.append(do.Save(SEEN, f"{channel} {oldest}", None))
        return out

    def _not_given(self, app: str) -> list[Waiting]:
        due = self._of(app).due
        mine = [entry for entry in self._waiting.values() if entry.app == app and entry.id not in due]
        return sorted(mine, key=lambda entry: entry.order)

    def _apps_waiting(self) -> list[str]:
        return sorted({entry.app for entry in self._waiting.values() if entry.id not in self._of(entry.app).due})

    def _is_over(self, each: Waiting, now: float) -> bool:
        return each.expires is not None and each.expires <= now and each.id not in self._of(each.app).due

    def _of(self, app: str) -> _AppPushes:
        return self._apps.setdefault(app, _AppPushes())

    def _next_order(self) -> int:
        self._order += 1
        return self._order

    def _save_waiting(self, each: Waiting) -> do.Effect:
        """In wall time, with which the next desk begins its own: a clock that was set takes no push its time (P08)."""
        expires = None if each.expires is None else each.expires + self._ahead
        form = msgspec.structs.replace(each, received=each.received + self._ahead, expires=expires)
        return do.Save(WAITING, each.id, msgspec.msgpack.encode(form))


def _about(order: int) -> str:
    """The word for one push in the event list."""
    return f"push {order}"


class AlertPayload(msgspec.Struct, frozen=True):
    """What a sender puts into a push that the desk shows by itself (P02)."""

    title: str
    body: str = ""
    id: str = ""
