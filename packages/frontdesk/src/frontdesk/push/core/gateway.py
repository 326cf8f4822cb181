"""The Matrix gateway's decisions: what to send for a notification, and what to tell the homeserver afterwards.

A pure machine. ``notified`` makes a plan of pushes; each is tried by the shell and judged by ``tried``; ``finished``
is the answer. 200 is a promise that nothing is left to do: a push that may yet succeed makes it 502, and the
homeserver asks again. What became of earlier attempts it knows by (event_id, pushkey), so that asking again is
harmless, and each time goes on where the last one stopped.
"""

import enum
from collections.abc import Iterable

import msgspec

from frontdesk.wire import matrix_push

MOST_REMEMBERED = 10_000
"""Outcomes the gateway knows of earlier attempts; older ones are forgotten first."""

MOST_DEVICES = 100
"""Devices of one notification that are pushed to at a time, so that one request cannot cause thousands."""


class Trouble(enum.StrEnum):
    """Why a push got no answer from an endpoint."""

    UNREACHABLE = "unreachable"
    """No connection, no such name, no answer in time."""
    ADDRESS_REFUSED = "address_refused"
    """The endpoint's host is spelled as an address that may not be connected to, or its scheme is not a safe one."""
    NAME_REFUSED = "name_refused"
    """The endpoint's host is a name that leads only to such addresses now; names can be wrong for a moment."""
    NOT_AN_ADDRESS = "not_an_address"
    """The endpoint is no http(s) URL."""


class Outcome(enum.StrEnum):
    """What became of a push."""

    DELIVERED = "delivered"
    LATER = "later"
    """It may succeed another time."""
    NEVER = "never"
    """This device cannot be reached any more; the homeserver is to forget it."""


class Push(msgspec.Struct, frozen=True):
    """One push to make: encrypt ``payload`` for ``target`` and post it."""

    pushkey: str
    target: matrix_push.Target
    wishes: matrix_push.Wishes
    payload: bytes
    smaller: bytes | None = None
    """What to send instead when the endpoint says it is too large."""
    event_id: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """What one notification asks for. ``rejected`` are pushkeys that can never work."""

    pushes: tuple[Push, ...]
    rejected: tuple[str, ...] = ()
    more: bool = False
    """Something is left for the homeserver's next attempt: it is being tried for an earlier request that has not been
    answered, or there are more devices than are pushed to at a time."""


class Reply(msgspec.Struct, frozen=True):
    """Status 200 with the rejected pushkeys, or 502: ask again later."""

    status: int
    rejected: tuple[str, ...] = ()


class Gateway:
    """The machine. It needs no clock: homeservers decide when to ask again."""

    def __init__(self, remember: int = MOST_REMEMBERED) -> None:
        self._most = remember
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._under_way: set[tuple[str, str]] = set()

    def notified(self, notification: matrix_push.Notification) -> Plan:
        """A homeserver's notification, perhaps a repeat. Whoever asks must call ``finished`` with the plan."""
        # A pushkey named twice is one device, or it would look like a repeat of itself.
        devices = {
            device.pushkey: device for device in notification.devices if matrix_push.wanted(notification, device)
        }
        if notification.event_id is None:
            # A badge is not remembered, so that asking again would only repeat the first ones. The next one tells all.
            return self._planned(notification, list(devices.values())[:MOST_DEVICES])
        event_id = notification.event_id
        known = {pushkey: self._outcomes.get((event_id, pushkey)) for pushkey in devices}
        under_way = {pushkey for pushkey in devices if (event_id, pushkey) in self._under_way}
        due = [pushkey for pushkey in devices if pushkey not in under_way and known[pushkey] in (None, Outcome.LATER)]
        due.sort(
            key=lambda pushkey: known[pushkey] is Outcome.LATER
        )  # or the first ones, failing, would keep out the rest
        plan = self._planned(notification, [devices[pushkey] for pushkey in due[:MOST_DEVICES]])
        for pushkey in plan.rejected:
            self._remember((event_id, pushkey), Outcome.NEVER)
        self._under_way |= {(event_id, push.pushkey) for push in plan.pushes}
        before = [pushkey for pushkey in devices if known[pushkey] is Outcome.NEVER]
        return Plan(plan.pushes, (*before, *plan.rejected), bool(under_way) or len(due) > MOST_DEVICES)

    def tried(self, push: Push, answer: int | Trouble) -> Outcome | Push:
        """What an endpoint's status means; a smaller push to try at once when this one was too large."""
        if answer == 413 and push.smaller is not None:
            return msgspec.structs.replace(push, payload=push.smaller, smaller=None)
        if isinstance(answer, Trouble):
            may_change = answer in (Trouble.UNREACHABLE, Trouble.NAME_REFUSED)
            return Outcome.LATER if may_change else Outcome.NEVER
        if 200 <= answer < 300:
            return Outcome.DELIVERED
        if answer in (408, 425, 429) or answer >= 500:
            return Outcome.LATER
        # Gone (404, 410), somewhere else (a redirect is never followed), or refused for good.
        return Outcome.NEVER

    def finished(self, plan: Plan, outcomes: tuple[Outcome, ...]) -> Reply:
        """The answer to the homeserver; ``outcomes`` are those of ``plan.pushes``, in order."""
        rejected = list(plan.rejected)
        for push, outcome in zip(plan.pushes, outcomes, strict=True):
            self._under_way.discard((push.event_id or "", push.pushkey))
            if push.event_id:
                self._remember((push.event_id, push.pushkey), outcome)
            if outcome is Outcome.NEVER:
                rejected.append(push.pushkey)
        # A badge is not sent again by homeservers, so there is nothing to gain from a 502 for it; but it is the truth.
        if plan.more or Outcome.LATER in outcomes:
            return Reply(502)
        return Reply(200, tuple(rejected))

    def _planned(self, notification: matrix_push.Notification, devices: Iterable[matrix_push.Device]) -> Plan:
        targets = [(device, matrix_push.target_of(device)) for device in devices]
        pushes = tuple(self._push(notification, device, target) for device, target in targets if target is not None)
        return Plan(pushes, tuple(device.pushkey for device, target in targets if target is None))

    def _push(
        self, notification: matrix_push.Notification, device: matrix_push.Device, target: matrix_push.Target
    ) -> Push:
        payload = matrix_push.payload(notification, device)
        smallest = matrix_push.smallest_payload(notification)
        return Push(
            pushkey=device.pushkey,
            target=target,
            wishes=matrix_push.wishes(notification, device),
            payload=payload,
            smaller=smallest if len(smallest) < len(payload) else None,
            event_id=notification.event_id,
        )

    def _remember(self, known: tuple[str, str], outcome: Outcome) -> None:
        self._outcomes.pop(known, None)  # to the end of the line
        self._outcomes[known] = outcome
        while len(self._outcomes) > self._most:
            del self._outcomes[next(iter(self._outcomes))]
