"""The Matrix gateway's decisions: what to send for a notification, and what to tell the homeserver afterwards.

A pure machine. ``notified`` makes a plan of pushes; each is tried by the shell and judged by ``tried``; ``finished``
is the answer. 200 is a promise that nothing is left to do: a push that may yet succeed makes it 502, and the
homeserver asks again. What it has delivered already it knows by (event_id, pushkey), so that asking again is harmless.
"""

import enum

import msgspec

from frontdesk.wire import matrix_push

MOST_REMEMBERED = 10_000
"""Deliveries the gateway knows as repeats; older ones are forgotten first."""


class Trouble(enum.StrEnum):
    """Why a push got no answer from an endpoint."""

    UNREACHABLE = "unreachable"
    """No connection, no such name, no answer in time."""
    ADDRESS_REFUSED = "address_refused"
    """The endpoint lies in a private network, or is not reached by a safe scheme."""
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
    under_way: bool = False
    """Some push of it is being tried for an earlier request that has not been answered."""


class Reply(msgspec.Struct, frozen=True):
    """Status 200 with the rejected pushkeys, or 502: ask again later."""

    status: int
    rejected: tuple[str, ...] = ()


class Gateway:
    """The machine. It needs no clock: homeservers decide when to ask again."""

    def __init__(self, remember: int = MOST_REMEMBERED) -> None:
        self._remember = remember
        self._delivered: dict[tuple[str, str], None] = {}
        self._under_way: set[tuple[str, str]] = set()

    def notified(self, notification: matrix_push.Notification) -> Plan:
        """A homeserver's notification, perhaps a repeat. Whoever asks must call ``finished`` with the plan."""
        pushes: list[Push] = []
        rejected: list[str] = []
        under_way = False
        # A pushkey named twice is one device, or it would look like a repeat of itself.
        for device in {device.pushkey: device for device in notification.devices}.values():
            target = matrix_push.target_of(device)
            known = (notification.event_id or "", device.pushkey)
            if target is None:
                rejected.append(device.pushkey)
            elif known in self._under_way:
                under_way = True
            elif known not in self._delivered and matrix_push.wanted(notification, device):
                pushes.append(self._push(notification, device, target))
                if notification.event_id:
                    self._under_way.add(known)
        return Plan(tuple(pushes), tuple(rejected), under_way)

    def tried(self, push: Push, answer: int | Trouble) -> Outcome | Push:
        """What an endpoint's status means; a smaller push to try at once when this one was too large."""
        if answer == 413 and push.smaller is not None:
            return msgspec.structs.replace(push, payload=push.smaller, smaller=None)
        if isinstance(answer, Trouble):
            return Outcome.LATER if answer is Trouble.UNREACHABLE else Outcome.NEVER
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
            if outcome is Outcome.DELIVERED and push.event_id:
                self._remember_delivery((push.event_id, push.pushkey))
            elif outcome is Outcome.NEVER:
                rejected.append(push.pushkey)
        # A badge is not sent again by homeservers, so there is nothing to gain from a 502 for it; but it is the truth.
        if plan.under_way or Outcome.LATER in outcomes:
            return Reply(502)
        return Reply(200, tuple(rejected))

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

    def _remember_delivery(self, known: tuple[str, str]) -> None:
        self._delivered[known] = None
        while len(self._delivered) > self._remember:
            del self._delivered[next(iter(self._delivered))]
