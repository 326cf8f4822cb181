"""Push subscriptions: which app has which, of what kind, at which endpoint, and whether it knows (contract P01).

A subscription lives until its app gives it up. Its endpoint can change (the push service forgot us): then the app is
told, even if it has to be launched for that, and is kept awake for a moment to hear it.
"""

from collections.abc import Callable

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import Condition, Notification, PushKind, Refusal, Subscription, SubscriptionStatus, WakeReason
from frontdesk.wire import desk as wire

MACHINE, LINK = "subscription", "push_link"
"""Under these words subscriptions, and our name at the push service, are saved."""

ANSWER_WITHIN = 10.0
"""Seconds an app waits for its endpoint before it is told that the push service is away."""

LINK_OUTLIVES = 30.0
"""Seconds of the machine's sleep after which the connection to the push service is made anew, at once: whether the old
one still lives would else be known only when an answer is missing."""

Out = list[do.Effect | ev.Signal]


class Subscribed(msgspec.Struct):
    """One subscription as it is saved. ``endpoint`` is empty until the push service has given one."""

    app: str
    name: str
    kind: PushKind
    channel: str
    private_key: str
    p256dh: str
    auth: str
    fallback: Notification | None = None
    endpoint: str = ""
    told: str = ""
    """The endpoint that the app knows of (P01)."""

    def public(self) -> Subscription:
        return Subscription(self.name, self.kind, self.endpoint, self.p256dh, self.auth)


class Subscriptions:
    """The machine. ``not_wakeable(app)`` says in a word why the app may not be woken; "": it may."""

    def __init__(self, limits: Limits, not_wakeable: Callable[[str], str], *, service_set: bool) -> None:
        self._limits = limits
        self._not_wakeable = not_wakeable
        self._service_set = service_set
        self._by_channel: dict[str, Subscribed] = {}
        self._askers: dict[str, list[tuple[int, int, float]]] = {}
        """By channel: asker, request, and until when it waits."""
        self._awake: set[str] = set()
        self._telling: dict[str, float] = {}
        """Channels whose app is being told, and until when that keeps it awake."""
        self._link_is_down = False
        self.uaid = ""

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.SubscribeAsked():
                return self._subscribe(happened, now)
            case ev.UnsubscribeAsked(app=app, name=name, asker=asker, request=request):
                return [*self._drop(self.named(app, name)), do.Answer(asker, wire.Done(request))]
            case ev.AppRemoved(app=app):
                self._awake.discard(app)
                mine = [entry for entry in self._by_channel.values() if entry.app == app]
                return [out for entry in mine for out in self._drop(entry)]
            case ev.PushLinkUp(uaid=uaid, changed=changed):
                return self._link_up(uaid, changed)
            case ev.PushLinkDown(text=text):
                return self._link_down(text)
            case ev.CameForeground() if self._link_is_down:
                return [do.ReconnectPush()]
            case ev.ConditionSeen(condition=Condition.NETWORK, value="online") if self._link_is_down:
                return [do.ReconnectPush()]
            case ev.MachineSlept(seconds=seconds) if seconds >= LINK_OUTLIVES:
                return [do.ReconnectPush()]
            case ev.ChannelRegistered(channel=channel, endpoint=endpoint):
                return self._registered(channel, endpoint, now)
            case ev.ChannelRefused(channel=channel, text=text):
                return self._answer_askers(channel, text)
            case ev.Awake(app=app):
                self._awake.add(app)
                return self._tell(app, now)
            case ev.Slept(app=app) | ev.Ended(app=app):
                self._awake.discard(app)
                for channel in [each for each in self._telling if self._by_channel[each].app == app]:
                    del self._telling[channel]
            case ev.Disconnected(app=app):
                self._awake.discard(app)
            case ev.DeskStarted():
                return [self._wake(app) for app in self._untold()]
            case ev.TimePassed():
                return self._time_passed(now)
        return []

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: an asker has waited enough, an app has had time to hear."""
        waits = [until for askers in self._askers.values() for _, _, until in askers]
        return min((*waits, *self._telling.values()), default=None)

    def saves(self) -> list[do.Effect]:
        """Nothing: saved as it changes."""
        return []

    def restore(self, machine: str, key: str, value: bytes) -> None:
        """Take back one saved part; ``machine`` is one of the two words above."""
        if machine == LINK:
            self.uaid = value.decode()
        else:
            self._by_channel[key] = msgspec.msgpack.decode(value, type=Subscribed)

    # --- looking at it --------------------------------------------------------------------------------------------

    def of_channel(self, channel: str) -> Subscribed | None:
        """Its keys are what the shell decrypts a push of this channel with."""
        return self._by_channel.get(channel)

    def of_app(self, app: str) -> tuple[SubscriptionStatus, ...]:
        """Its subscriptions, by name."""
        mine = sorted((entry for entry in self._by_channel.values() if entry.app == app), key=lambda entry: entry.name)
        return tuple(SubscriptionStatus(entry.name, entry.kind, bool(entry.endpoint)) for entry in mine)

    def named(self, app: str, name: str) -> Subscribed | None:
        return next((each for each in self._by_channel.values() if (each.app, each.name) == (app, name)), None)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _subscribe(self, asked: ev.SubscribeAsked, now: float) -> Out:
        if not self._service_set:
            text = "No push service is set. Put push_service into the desk's settings.toml; nothing was subscribed."
            return [do.Answer(asked.asker, wire.Refused(Refusal.PUSH_UNAVAILABLE, text, asked.request))]
        out: Out = []
        entry = self.named(asked.app, asked.name)
        if entry is not None and entry.kind is not asked.kind:
            out, entry = self._drop(entry), None
        if entry is None:
            entry = Subscribed(
                asked.app,
                asked.name,
                asked.kind,
                asked.channel,
                asked.private_key,
                asked.p256dh,
                asked.auth,
            )
            self._by_channel[entry.channel] = entry
            out.append(do.RegisterChannel(entry.channel))
        entry.fallback = asked.fallback
        if entry.endpoint:
            entry.told = entry.endpoint
            return [*out, self._save(entry), do.Answer(asked.asker, wire.Subscribed(asked.request, entry.public()))]
        self._askers.setdefault(entry.channel, []).append((asked.asker, asked.request, now + ANSWER_WITHIN))
        return [*out, self._save(entry)]

    def _registered(self, channel: str, endpoint: str, now: float) -> Out:
        entry = self._by_channel.get(channel)
        if entry is None:
            return [do.UnregisterChannel(channel)]
        entry.endpoint = endpoint
        answers: Out = []
        for asker, request, _ in self._askers.pop(channel, []):
            entry.told = endpoint
            answers.append(do.Answer(asker, wire.Subscribed(request, entry.public())))
        note = do.Note(entry.app, "subscribed", f"subscription {entry.name} has its endpoint")
        out: Out = [self._save(entry), *answers, note]
        if entry.told != endpoint:
            if entry.app in self._awake:
                return out + self._tell(entry.app, now)
            # Who may not be woken hears of it when it is awake next.
            if entry.app in self._untold():
                out.append(self._wake(entry.app))
        return out

    def _tell(self, app: str, now: float) -> Out:
        out: Out = []
        for entry in self._by_channel.values():
            if entry.app == app and entry.endpoint and entry.told != entry.endpoint:
                # The app may never have waited for the first endpoint of all; then this is how it learns it.
                entry.told = entry.endpoint
                out += [self._save(entry), do.SendKept(app, wire.SubscriptionChanged(entry.public()))]
                # Time to hear it; what it does about it then, it guards by a background task of its own.
                self._telling[entry.channel] = now + self._limits.settle
                out.append(ev.HoldOn(app, "endpoint", entry.channel, entry.name))
        return out

    def _link_down(self, why: str) -> Out:
        """Each attempt that fails says it again: noted is the first, in a person's words."""
        if self._link_is_down:
            return []
        self._link_is_down = True
        text = "the push service could not be connected to; pushes wait there, and it is tried again"
        return [do.Note("", "push_service_lost", text, why=why)]

    def _link_up(self, uaid: str, changed: bool) -> Out:
        out: Out = [do.Note("", "push_service_back", "the push service is reached again")] if self._link_is_down else []
        self._link_is_down = False
        if uaid != self.uaid:
            self.uaid = uaid
            out.append(do.Save(LINK, "uaid", uaid.encode()))
        for entry in self._by_channel.values():
            if changed and entry.endpoint:
                entry.endpoint = ""
                out.append(self._save(entry))
            if not entry.endpoint:
                out.append(do.RegisterChannel(entry.channel))
        return out

    def _drop(self, entry: Subscribed | None) -> Out:
        if entry is None:
            return []
        del self._by_channel[entry.channel]
        out: Out = [do.Save(MACHINE, entry.channel, None), do.UnregisterChannel(entry.channel)]
        out += self._answer_askers(entry.channel, "The subscription was given up before it had an endpoint.")
        if self._telling.pop(entry.channel, None) is not None:
            out.append(ev.LetGo(entry.app, "endpoint", entry.channel))
        return [*out, ev.SubscriptionGone(entry.app, entry.name, entry.channel)]

    def _answer_askers(self, channel: str, text: str) -> Out:
        return [
            do.Answer(asker, wire.Refused(Refusal.PUSH_UNAVAILABLE, text, request))
            for asker, request, _ in self._askers.pop(channel, [])
        ]

    def _time_passed(self, now: float) -> Out:
        out: Out = []
        for channel, askers in list(self._askers.items()):
            if any(until <= now for _, _, until in askers):
                text = "The push service cannot be reached now. The subscription is kept; its endpoint follows."
                out += self._answer_askers(channel, text)
        for channel in [channel for channel, until in self._telling.items() if until <= now]:
            del self._telling[channel]
            out.append(ev.LetGo(self._by_channel[channel].app, "endpoint", channel))
        return out

    def _untold(self) -> list[str]:
        """Apps that have an endpoint to hear of, do not hear of it now, and may be woken for it."""
        late = {each.app for each in self._by_channel.values() if each.endpoint and each.told != each.endpoint}
        return sorted(app for app in late if app not in self._awake and not self._not_wakeable(app))

    def _wake(self, app: str) -> ev.Signal:
        return ev.Wake(app, WakeReason.ENDPOINT_CHANGED)

    def _save(self, entry: Subscribed) -> do.Effect:
        return do.Save(MACHINE, entry.channel, msgspec.msgpack.encode(entry))
