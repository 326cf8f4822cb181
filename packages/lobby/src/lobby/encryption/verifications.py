"""The verifications of one login: their messages sent and heard, keys looked up, signatures made.

``core.verification`` decides. It is in memory only: when Lobby is killed in the middle, the other side gives up after
ten minutes, and so does Lobby when it slept too long. Nothing is signed before all of it has come to its end.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import vodozemac

from lobby.core import verification_messages as messages
from lobby.core.batch import Json
from lobby.core.key_news import ToDevice
from lobby.core.sas import METHOD, Party, TheirKeys
from lobby.core.timeline import person_name
from lobby.core.verification import Effect, Flow, LookUp, Matched, Send
from lobby.core.verification_messages import Request, is_id, read_request
from lobby.core.views import Verification
from lobby.encryption.engine import Engine
from lobby.encryption.login_keys import LoginKeys
from lobby.encryption.recovery import Recovery
from lobby.errors import LobbyError, Unreachable
from lobby.matrix.session import Session
from lobby.store import Store

ENDED_KEPT = 300.0
"""Seconds for which one that ended is still shown."""
MOST = 20
"""Offers at once; one more is not taken: they cost nobody anything who floods us with them."""
LONGEST_PAUSE = 15.0
"""Seconds between attempts to send, at most; the first pause is one second, each is twice the one before."""

log = logging.getLogger("lobby")


class AgreementHalf:
    """``core.sas.Sas`` by vodozemac."""

    def __init__(self) -> None:
        self._half = vodozemac.Sas()
        self.public_key = self._half.public_key.to_base64()

    def agree(self, their_key: str) -> "AgreedSecret":
        return AgreedSecret(self._half.diffie_hellman(vodozemac.Curve25519PublicKey.from_base64(their_key)))


class AgreedSecret:
    """``core.sas.Secret`` by vodozemac."""

    def __init__(self, agreed: vodozemac.EstablishedSas) -> None:
        self._agreed = agreed

    def emoji(self, info: str) -> list[int]:
        return list(self._agreed.bytes(info).emoji_indices)

    def mac(self, text: str, info: str) -> str:
        return self._agreed.calculate_mac(text, info)


@dataclass
class UnderWay:
    """A verification and what is still to be done for it, in order."""

    flow: Flow
    effects: deque[Effect] = field(default_factory=deque)
    work: "asyncio.Task[None] | None" = None
    heard: set[str] = field(default_factory=set)
    """Events of the room that were heard: they may come twice."""


class Verifications:
    """All of one login. ``changed`` is called when what ``verifications`` returns is another; last comes ``stop``."""

    def __init__(
        self,
        engine: Engine,
        keys: LoginKeys,
        session: Session,
        recovery: Recovery,
        store: Store,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """``store``: the kept chats; ``clock``: seconds since 1970."""
        self._engine = engine
        self._keys = keys
        self._session = session
        self._recovery = recovery
        self._store = store
        self._clock = clock
        self._changed = changed
        self._me = Party(engine.user_id, engine.device_id)
        self._under_way: dict[str, UnderWay] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def stop(self) -> None:
        """Break off what is under way; the other sides give up by themselves."""
        if self._timer is not None:
            self._timer.cancel()
        work = [one.work for one in self._under_way.values() if one.work is not None]
        self._under_way.clear()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    # For the page

    def verifications(self) -> list[Verification]:
        """Those that go on and those that ended a little while ago, the newest first."""
        return [self._shown(one.flow) for one in reversed(self._under_way.values()) if not self._is_past(one.flow)]

    async def verify(self, user_id: str, device_id: str = "") -> str:
        """Ask for one; returns its id. Raises LobbyError."""
        if user_id == self._me.user_id:
            return await self._ask_own_devices(device_id)
        return await self._ask_person(user_id)

    async def accept(self, id: str) -> None:
        """The person takes an offer. Raises LobbyError."""
        one = self._of(id)
        if not one.flow.own:
            await self._insist_that_it_can_be_signed(one.flow.other.user_id)
        self._do(one, one.flow.agree(self._clock()))

    async def confirm(self, id: str) -> None:
        """The emoji match. Raises LobbyError."""
        one = self._of(id)
        self._do(one, one.flow.confirm(self._vouched_for(), self._clock()))

    async def cancel(self, id: str, mismatch: bool = False) -> None:
        """Break one off; ``mismatch``: the emoji do not match. Raises LobbyError."""
        one = self._of(id)
        self._do(one, one.flow.cancel(mismatch, self._clock()))

    # For what comes

    async def hear(self, message: ToDevice) -> None:
        """A message between devices; what belongs to no verification is passed over."""
        id = message.content.get("transaction_id")
        if message.type == messages.REQUEST:
            at = message.content.get("timestamp")
            request = read_request(message.content, id, message.sender, "", at, self._clock())
            if request is not None and request.sender.user_id == self._me.user_id and request.sender != self._me:
                self._offered(request)
            return
        one = self._under_way.get(id) if isinstance(id, str) else None
        if one is not None and not one.flow.room_id and message.sender == one.flow.other.user_id:
            self._hear(one, message.type, message.content)

    async def hear_event(self, room_id: str, event: Json) -> None:
        """An event of an encrypted room in clear; what belongs to no verification is passed over."""
        kind, sender, content, event_id = (event.get(name) for name in ("type", "sender", "content", "event_id"))
        if not isinstance(content, dict) or not isinstance(sender, str) or not isinstance(kind, str):
            return
        if kind == "m.room.message":
            at = event.get("origin_server_ts")
            request = read_request(content, event_id, sender, room_id, at, self._clock())
            if request is not None and content.get("to") == self._me.user_id and sender != self._me.user_id:
                self._offered(request)
            return
        relation = content.get("m.relates_to")
        id = relation.get("event_id") if isinstance(relation, dict) else None
        one = self._under_way.get(id) if isinstance(id, str) else None
        if one is None or one.flow.room_id != room_id or str(event_id) in one.heard:
            return
        one.heard.add(str(event_id))
        if sender == one.flow.other.user_id:
            self._hear(one, kind, content)
        elif sender == self._me.user_id and kind in (messages.READY, messages.CANCEL):
            # Another device of ours has answered. What this one sends comes back, too: then it is offered no more.
            self._do(one, one.flow.elsewhere(self._clock()))

    # Asking

    async def _ask_own_devices(self, device_id: str) -> str:
        if await self._recovery.people.identity_of(self._me.user_id) is None:
            raise LobbyError("This account has no identity yet. Nothing was asked. Create a recovery key first.")
        devices = await self._engine.devices_of(self._me.user_id, fresh=True)
        asked = tuple(sorted(devices)) if not device_id else tuple({device_id} & set(devices))
        if not asked:
            raise LobbyError("There is no other device of yours that could be asked. Log in there first.")
        one = self._begin(secrets.token_urlsafe(24), self._me.user_id, "", self._clock())
        self._do(one, one.flow.ask(asked, self._clock()))
        return one.flow.id

    async def _ask_person(self, user_id: str) -> str:
        room_id = self._direct_room(user_id)
        if not room_id:
            raise LobbyError("Verifying takes an encrypted direct chat with that person. Nothing was asked.")
        await self._insist_that_it_can_be_signed(user_id)
        content = {
            "msgtype": messages.REQUEST,
            "body": f"{self._me.user_id} asks to verify your keys. This client does not show how.",
            "from_device": self._me.device_id,
            "methods": [METHOD],
            "to": user_id,
        }
        id = await self._say(room_id, "m.room.message", content, secrets.token_urlsafe(24))
        one = self._begin(id, user_id, room_id, self._clock())
        self._do(one, one.flow.ask((), self._clock()))
        return id

    async def _insist_that_it_can_be_signed(self, user_id: str) -> None:
        if not self._recovery.can_sign_persons:
            raise LobbyError(
                "This device cannot sign for others to see whom you verified. Nothing was asked. Enter your recovery "
                "key first, or create one."
            )
        if await self._recovery.people.identity_of(user_id) is None:
            raise LobbyError(
                f"{self._name_of(user_id)} cannot be verified yet, so nothing was asked. They have to create a "
                "recovery key first: in Lobby under Encryption, in other clients in the security settings."
            )

    def _direct_room(self, user_id: str) -> str:
        for room in self._store.rooms():
            joined = {member.user_id for member in self._store.members(room.room_id) if member.membership == "join"}
            if room.direct and room.encrypted and joined - {self._me.user_id} == {user_id}:
                return room.room_id
        return ""

    # Inside

    def _of(self, id: str) -> UnderWay:
        one = self._under_way.get(id)
        if one is None or self._is_past(one.flow):
            raise LobbyError("This verification is over, or Lobby was restarted meanwhile. Ask again.")
        return one

    def _begin(self, id: str, user_id: str, room_id: str, at: float) -> UnderWay:
        one = UnderWay(Flow(id, self._me, user_id, room_id, AgreementHalf, at))
        self._under_way[id] = one
        return one

    def _offered(self, request: Request) -> None:
        if request.id in self._under_way:
            return
        for other in [*self._under_way.values()]:
            if other.flow.other == request.sender and not other.flow.over:
                # Whoever asks once more has given the earlier one up.
                self._do(other, other.flow.cancel(False, self._clock()))
        if sum(not one.flow.over for one in self._under_way.values()) >= MOST:
            log.warning("A verification that %s offers was not taken: too many are open.", request.sender.user_id)
            return
        at = min(request.at, self._clock())
        one = self._begin(request.id, request.sender.user_id, request.room_id, at)
        self._do(one, one.flow.offer(request, self._clock()))

    def _hear(self, one: UnderWay, kind: str, content: Json) -> None:
        now = self._clock()
        self._do(one, [*one.flow.wake(now), *one.flow.hear(kind, content, now)])

    def _do(self, one: UnderWay, effects: list[Effect]) -> None:
        one.effects += effects
        if one.effects and one.work is None:
            one.work = asyncio.create_task(self._work(one))
        self._changed()
        self._set_timer()

    async def _work(self, one: UnderWay) -> None:
        pause = 1.0
        try:
            while one.effects:
                try:
                    await self._carry_out(one, one.effects[0])
                except Unreachable as error:
                    if self._clock() > one.flow.until:
                        one.effects.popleft()
                        self._fail(one, error)
                    else:
                        await asyncio.sleep(max(pause, error.retry_after))
                        pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                except LobbyError as error:
                    self._fail(one, error)
                pause = 1.0
                one.effects.popleft()
        finally:
            one.work = None

    def _fail(self, one: UnderWay, error: LobbyError) -> None:
        log.info("A verification did not go on: %s", error)
        one.effects += one.flow.failed(f"It did not work: {error} Nothing was signed; ask again.", self._clock())
        self._changed()

    async def _carry_out(self, one: UnderWay, effect: Effect) -> None:
        flow = one.flow
        match effect:
            case Send() if flow.room_id:
                await self._say(flow.room_id, effect.kind, effect.content, txn=f"{flow.id}-{effect.kind}")
            case Send():
                content = dict.fromkeys(effect.devices, effect.content)
                await self._engine.send_to_device(effect.kind, {flow.other.user_id: content})
            case LookUp():
                keys = await self._keys_of(flow.other)
                self._do(one, flow.know(keys, self._clock()))
            case Matched():
                await self._sign(flow, effect)
                flow.signed(self._clock())
                self._changed()

    async def _say(self, room_id: str, kind: str, content: Json, txn: str) -> str:
        """``txn``: the same at each attempt, so that it is said once."""
        sealed = await self._keys.seal(room_id, kind, content)
        return await self._session.send_event(room_id, "m.room.encrypted", sealed, txn)

    async def _keys_of(self, party: Party) -> TheirKeys | None:
        devices = await self._engine.devices_of(party.user_id, fresh=True)
        identity = await self._recovery.people.identity_of(party.user_id)
        key = devices.get(party.device_id, {}).get("keys", {}).get(f"ed25519:{party.device_id}")
        return TheirKeys(key, identity.master if identity is not None else "") if is_id(key) else None

    def _vouched_for(self) -> dict[str, str]:
        """This device's key, and the identity's if this device knows it to be the person's."""
        keys = {f"ed25519:{self._me.device_id}": self._engine.fingerprint_key}
        own = self._recovery.own_identity
        return keys if own is None else {**keys, f"ed25519:{own.master}": own.master}

    async def _sign(self, flow: Flow, matched: Matched) -> None:
        if not flow.own:
            if not await self._recovery.sign_person(flow.other.user_id, matched.master_key):
                raise LobbyError("The identity of the other person is another one by now.")
            return
        if matched.master_key:
            await self._recovery.trust_own_identity(matched.master_key)
        if await self._recovery.sign_own_device(matched.device_id, matched.device_key):
            return
        if not matched.master_key:
            raise LobbyError("Neither of the two devices has the keys of your identity: enter the recovery key in one.")
        await self._recovery.ask_for_secrets()

    # What is shown, and time

    def _shown(self, flow: Flow) -> Verification:
        name = self._device_name(flow.device_id) if flow.own else self._name_of(flow.other.user_id)
        return Verification(
            flow.id, flow.other.user_id, name, flow.own, flow.phase, flow.emoji, flow.reason, flow.room_id
        )

    def _device_name(self, device_id: str) -> str:
        if not device_id:
            return "your other devices"
        names = {device.device_id: device.name for device in self._recovery.state().others}
        return names.get(device_id, device_id)

    def _name_of(self, user_id: str) -> str:
        names = {
            member.user_id: member.name
            for room in self._store.rooms()
            if room.direct
            for member in self._store.members(room.room_id)
            if member.name
        }
        return person_name(user_id, names)

    def _is_past(self, flow: Flow) -> bool:
        return flow.over and self._clock() >= flow.ended_at + ENDED_KEPT

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wakes = [
            one.flow.ended_at + ENDED_KEPT if one.flow.over else one.flow.next_wake()
            for one in self._under_way.values()
        ]
        due = [wake for wake in wakes if wake is not None]
        if due:
            wait = max(min(due) - self._clock(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._time_has_passed)

    def _time_has_passed(self) -> None:
        self._timer = None
        for id, one in [*self._under_way.items()]:
            if self._is_past(one.flow):
                del self._under_way[id]
            else:
                self._do(one, one.flow.wake(self._clock()))
        self._changed()
        self._set_timer()
