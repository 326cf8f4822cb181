"""A verification by emoji: two devices show the same seven, if nobody is between them, and people compare them.

Matrix client-server API, "Key verification framework" and "Short Authentication String (SAS)". One ``Flow`` is one
verification, asked for by this device or offered to it; between devices of one person by messages from device to
device, with another person by events of an encrypted room. It ends done or cancelled, at the latest after LASTS.
Done means: the person here said that the emoji match, each end's codes fit the keys that the other one sees at the
homeserver, and the signature that says so to others was made.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lobby.core import sas
from lobby.core import verification_ends as ends
from lobby.core import verification_messages as messages
from lobby.core.batch import Json
from lobby.core.sas import Party, Sas, Secret, TheirKeys
from lobby.core.verification_messages import LASTS, Request
from lobby.core.views import VerificationPhase as Phase

START_AFTER = 5.0
"""Seconds that the end that was asked waits for the other to begin; many clients wait for a press of a button there."""


class Step(enum.Enum):
    """What comes next."""

    ASKED = "their ready"
    OFFERED = "the person agrees"
    READY = "a start, theirs or ours"
    STARTED = "their accept"
    KEY_AWAITED = "their key, then ours"
    KEY_SENT = "their key"
    COMPARING = "the person's word, their codes"
    CHECKED = "their done"
    SIGNING = "the signature"
    DONE = "nothing: it is done"
    CANCELLED = "nothing: it was cancelled"


PHASES = {
    Step.ASKED: Phase.ASKED,
    Step.OFFERED: Phase.OFFERED,
    Step.READY: Phase.BEGINNING,
    Step.STARTED: Phase.BEGINNING,
    Step.KEY_AWAITED: Phase.BEGINNING,
    Step.KEY_SENT: Phase.BEGINNING,
    Step.COMPARING: Phase.COMPARING,
    Step.CHECKED: Phase.CONFIRMED,
    Step.SIGNING: Phase.CONFIRMED,
    Step.DONE: Phase.DONE,
    Step.CANCELLED: Phase.CANCELLED,
}

EXPECTED = {
    messages.READY: (Step.ASKED,),
    messages.START: (Step.READY, Step.STARTED),
    messages.ACCEPT: (Step.STARTED,),
    messages.KEY: (Step.KEY_AWAITED, Step.KEY_SENT),
    messages.MAC: (Step.COMPARING,),
    messages.DONE: (Step.CHECKED,),
}
"""Which message may come when; anything else cancels."""


@dataclass(frozen=True)
class Send:
    """Send this to the other end; ``devices``: to these of it, where it goes from device to device."""

    kind: str
    content: Json
    devices: tuple[str, ...]


@dataclass(frozen=True)
class LookUp:
    """Ask the homeserver afresh for the other end's keys, and hand them to ``know``."""


@dataclass(frozen=True)
class Matched:
    """All fits. Have signed what was vouched for, then call ``signed`` or ``failed``."""

    device_id: str
    device_key: str
    master_key: str
    """Empty: the other end does not vouch for the identity."""


Effect = Send | LookUp | Matched


class Flow:
    """One verification: ``ask`` or ``offer`` comes first. Each call returns what to do.

    ``at``: when it was asked for, seconds since 1970; ``new_sas``: makes a fresh half of a key agreement.
    """

    def __init__(
        self, id: str, me: Party, other_user: str, room_id: str, new_sas: Callable[[], Sas], at: float
    ) -> None:
        self.id = id
        self.me = me
        self.other = Party(other_user, "")
        """The device is empty until it is known which one answers."""
        self.room_id = room_id
        """Empty: from device to device."""
        self.step = Step.OFFERED
        self.confirmed = False
        self.emoji: tuple[tuple[str, str], ...] = ()
        self.reason = ""
        """Why it was cancelled, a sentence for the person."""
        self.ended_at = 0.0
        self.until = at + LASTS
        """When it ends at the latest, seconds since 1970."""
        self._start_at: float | None = None
        self._asked: tuple[str, ...] = ()
        self._new_sas = new_sas
        self._sas: Sas | None = None
        self._start: Json = {}
        self._starts = False
        self._commitment = ""
        self._secret: Secret | None = None
        self._keys: TheirKeys | None = None
        self._codes: Any = None
        self._vouched: frozenset[str] | None = None

    @property
    def own(self) -> bool:
        """The other end is a device of the same person."""
        return self.other.user_id == self.me.user_id

    @property
    def device_id(self) -> str:
        """The device at the other end: that which answered, or the only one that was asked; empty: not known yet."""
        return self.other.device_id or (self._asked[0] if len(self._asked) == 1 else "")

    @property
    def phase(self) -> Phase:
        if self.step is Step.COMPARING and self.confirmed:
            return Phase.CONFIRMED
        return PHASES[self.step]

    @property
    def over(self) -> bool:
        return self.step in (Step.DONE, Step.CANCELLED)

    def next_wake(self) -> float | None:
        """When to call ``wake``; None: when something happens."""
        if self.over or self.step is Step.SIGNING:
            return None
        return min(self.until, self._start_at or self.until)

    # What the person says

    def ask(self, devices: tuple[str, ...], now: float) -> list[Effect]:
        """Ask: these devices, or (none given) whoever answers in the room, where the request is the event ``id``."""
        self.step = Step.ASKED
        self._asked = devices
        if self.room_id:
            return []
        return [self._send(messages.REQUEST, messages.request_content(self.me.device_id, now), devices)]

    def offer(self, request: Request, now: float) -> list[Effect]:
        """The other end asks."""
        self.other = request.sender
        if sas.METHOD not in request.methods:
            return self._cancel(ends.UNKNOWN_METHOD, now)
        return []

    def agree(self, now: float) -> list[Effect]:
        """The person takes the offer."""
        if self.step is not Step.OFFERED:
            return []
        self.step = Step.READY
        self._start_at = now + START_AFTER
        return [self._send(messages.READY, messages.ready_content(self.me.device_id)), LookUp()]

    def confirm(self, own_keys: Mapping[str, str], now: float) -> list[Effect]:
        """The person says that the emoji match. ``own_keys``: what we vouch for, key id → key."""
        if self.step is not Step.COMPARING or self.confirmed or self._secret is None:
            return []
        self.confirmed = True
        codes = sas.macs(self._secret, self.me, self.other, self.id, own_keys)
        return [self._send(messages.MAC, codes), *self._check(now)]

    def cancel(self, mismatch: bool, now: float) -> list[Effect]:
        """The person breaks it off; ``mismatch``: because the emoji differ. Too late once all is checked."""
        if self.over or self.step is Step.SIGNING:
            return []
        return self._cancel(ends.MISMATCHED_SAS if mismatch else ends.USER, now, ours=True)

    # What the other end says

    def hear(self, kind: str, content: Json, now: float) -> list[Effect]:
        """A message of this verification from the other person, or another device of this one."""
        if self.over or self.step is Step.SIGNING:
            return []
        if kind == messages.CANCEL:
            return self._hear_cancel(content, now)
        named = content.get("from_device")
        if kind == messages.READY and self.other.device_id and named != self.other.device_id:
            return []  # Another device answers after the first one: it was told, or will see it in the room.
        if kind == messages.START and named != self.other.device_id:
            return self._cancel(ends.UNEXPECTED, now) if self.step is not Step.ASKED else []
        if self.step not in EXPECTED.get(kind, ()):
            return self._cancel(ends.UNEXPECTED, now)
        match kind:
            case messages.READY:
                return self._hear_ready(content, now)
            case messages.START:
                return self._hear_start(content, now)
            case messages.ACCEPT:
                return self._hear_accept(content, now)
            case messages.KEY:
                return self._hear_key(content, now)
            case messages.MAC:
                return self._hear_codes(content, now)
        self.step = Step.SIGNING
        return [self._matched()]

    def elsewhere(self, now: float) -> list[Effect]:
        """Another device of this person has taken, or declined, what was offered to all of them."""
        if self.step is Step.OFFERED:
            self._end(ends.REASONS[ends.ACCEPTED], now)
        return []

    def know(self, keys: TheirKeys | None, now: float) -> list[Effect]:
        """The other end's keys as the homeserver shows them; None: it shows no such device."""
        if self.over:
            return []
        if keys is None:
            return self._cancel(ends.KEY_MISMATCH, now)
        self._keys = keys
        return self._check(now)

    # What else happens

    def signed(self, now: float) -> None:
        """The signature is made."""
        if self.step is Step.SIGNING:
            self.step, self.ended_at = Step.DONE, now

    def failed(self, reason: str, now: float) -> list[Effect]:
        """Something on our side did not work. ``reason``: a sentence for the person."""
        if self.over:
            return []
        effects = [] if self.step is Step.SIGNING else self._cancel(ends.USER, now)
        self._end(reason, now)
        return effects

    def wake(self, now: float) -> list[Effect]:
        """Time has passed."""
        if self.over or self.step is Step.SIGNING:
            return []
        if now >= self.until:
            return self._cancel(ends.TIMEOUT, now)
        if self.step is Step.READY and self._start_at is not None and now >= self._start_at:
            return self._begin()
        return []

    # Inside

    def _hear_cancel(self, content: Json, now: float) -> list[Effect]:
        code = content.get("code")
        several = self.step is Step.ASKED and len(self._asked) > 1
        self._end(ends.REASONS.get(code, ends.STRANGE) if isinstance(code, str) else ends.STRANGE, now)
        # One of those that were asked has declined: the others need not ask their person any more.
        return [self._send(messages.CANCEL, messages.cancel_content(ends.USER), self._asked)] if several else []

    def _hear_ready(self, content: Json, now: float) -> list[Effect]:
        methods, device_id = content.get("methods"), content.get("from_device")
        if not messages.is_id(device_id) or not isinstance(methods, list):
            return self._cancel(ends.INVALID, now)
        if sas.METHOD not in methods:
            return self._cancel(ends.UNKNOWN_METHOD, now)
        self.other = Party(self.other.user_id, str(device_id))
        rest = tuple(device for device in self._asked if device != device_id)
        told = [self._send(messages.CANCEL, messages.cancel_content(ends.ACCEPTED), rest)] if rest else []
        return [*told, LookUp(), *self._begin()]

    def _begin(self) -> list[Effect]:
        self.step = Step.STARTED
        self._start_at = None
        self._starts = True
        self._start = self._named(messages.start_content(self.me.device_id))
        return [Send(messages.START, self._start, self._to())]

    def _hear_start(self, content: Json, now: float) -> list[Effect]:
        if self.step is Step.STARTED and self.me < self.other:
            return []  # Both have begun at once: that of the smaller ids counts, and it is ours.
        if not messages.is_acceptable(content):
            return self._cancel(ends.UNKNOWN_METHOD, now)
        self._start, self._starts, self._start_at = content, False, None
        self._sas = self._new_sas()
        try:
            bound = sas.commitment(self._sas.public_key, content)
        except ValueError:
            return self._cancel(ends.INVALID, now)
        self.step = Step.KEY_AWAITED
        return [self._send(messages.ACCEPT, messages.accept_content(bound))]

    def _hear_accept(self, content: Json, now: float) -> list[Effect]:
        if not messages.is_agreed(content):
            return self._cancel(ends.UNKNOWN_METHOD, now)
        bound = content.get("commitment")
        if not isinstance(bound, str):
            return self._cancel(ends.INVALID, now)
        self._commitment = bound
        self._sas = self._new_sas()
        self.step = Step.KEY_SENT
        return [self._send(messages.KEY, {"key": self._sas.public_key})]

    def _hear_key(self, content: Json, now: float) -> list[Effect]:
        key, ours = content.get("key"), self._sas
        if not isinstance(key, str) or ours is None:
            return self._cancel(ends.INVALID, now)
        try:
            if self._starts and sas.commitment(key, self._start) != self._commitment.rstrip("="):
                return self._cancel(ends.MISMATCHED_COMMITMENT, now)
            self._secret = ours.agree(key)
        except ValueError:
            return self._cancel(ends.INVALID, now)
        me, other = (self.me, ours.public_key), (self.other, key)
        starter, accepter = (me, other) if self._starts else (other, me)
        self.emoji = sas.emoji(self._secret, starter, accepter, self.id)
        self.step = Step.COMPARING
        return [] if self._starts else [self._send(messages.KEY, {"key": ours.public_key})]

    def _hear_codes(self, content: Json, now: float) -> list[Effect]:
        if self._codes is not None:
            return self._cancel(ends.UNEXPECTED, now)
        self._codes = content
        return self._check(now)

    def _check(self, now: float) -> list[Effect]:
        """Once codes and keys are here, see whether they fit; when the person has agreed, too, our side is done."""
        if self._codes is None or self._keys is None or self._secret is None:
            return []
        if self._vouched is None:
            try:
                self._vouched = sas.vouched(self._secret, self.other, self.me, self.id, self._codes, self._keys)
            except ValueError:
                return self._cancel(ends.KEY_MISMATCH, now)
            needed = self._keys.device_key if self.own else self._keys.master_key
            if needed not in self._vouched:
                return self._cancel(ends.KEY_MISMATCH, now)
        if not self.confirmed or self.step is not Step.COMPARING:
            return []
        self.step = Step.CHECKED
        return [self._send(messages.DONE, {})]

    def _matched(self) -> Matched:
        assert self._keys is not None
        vouched = self._vouched or frozenset()
        master = self._keys.master_key if self._keys.master_key in vouched else ""
        return Matched(self.other.device_id, self._keys.device_key if self._keys.device_key in vouched else "", master)

    def _cancel(self, code: str, now: float, ours: bool = False) -> list[Effect]:
        devices = self._asked if self.step is Step.ASKED else self._to()
        self._end((ends.OURS if ours else ends.REASONS)[code], now)
        return [self._send(messages.CANCEL, messages.cancel_content(code), devices)]

    def _end(self, reason: str, now: float) -> None:
        self.step, self.reason, self.ended_at = Step.CANCELLED, reason, now

    def _to(self) -> tuple[str, ...]:
        return (self.other.device_id,) if self.other.device_id else self._asked

    def _send(self, kind: str, content: Json, devices: tuple[str, ...] | None = None) -> Send:
        return Send(kind, self._named(content), self._to() if devices is None else devices)

    def _named(self, content: Json) -> Json:
        if self.room_id:
            return {**content, "m.relates_to": {"rel_type": "m.reference", "event_id": self.id}}
        return {**content, "transaction_id": self.id}
