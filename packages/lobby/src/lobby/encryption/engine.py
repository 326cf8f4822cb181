"""The encryption engine of one login: device keys at the homeserver, keys of messages, sealing and opening.

nio's Olm machine (``machine``) does the cryptography and ``key_store`` keeps the keys; this is their conversation with
the homeserver. Order is what keeps messages readable through a crash: what came is durable before the sync token that
acknowledges it, and what is uploaded or sent is durable before it goes out. The one thing that is not kept is the
session with which this device encrypts in a room: after a restart a new one is made and shared, so no device is ever
left with a message whose key was on its way when we died.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lobby.core.key_news import Json, KeyNews, ToDevice
from lobby.core.room_sessions import BY_DEFAULT, RoomSessions, Rotation
from lobby.core.withheld import read_withheld
from lobby.encryption.key_store import KeyStore
from lobby.errors import ServerRefused, Unreachable
from lobby.late_import import imported
from lobby.matrix.session import Session, path_part

if TYPE_CHECKING:
    from lobby.encryption.machine import Machine

__all__ = ["Engine", "KeyNews", "Received", "ToDevice"]

FEW_KEYS = 25
"""One-time keys left at the homeserver at which more are uploaded; with more it has twice as many."""

ASK_AGAIN = 60.0
"""Seconds until a homeserver that did not tell of a device, or had no key of it, is asked again."""

SERVERS_TIME = 10_000
"""Milliseconds that our homeserver may wait for others when it asks them for keys."""

HANDED_ON = ("m.key.verification.", "m.secret.")
"""Beginnings of the readable messages between devices that others in Lobby understand; the rest is dropped."""

log = logging.getLogger("lobby")


@dataclass(frozen=True)
class Received:
    """What was new in the news about keys."""

    messages: tuple[tuple[int, ToDevice], ...] = ()
    """Messages for others in Lobby, each with the number under which it is kept until ``Engine.delivered``."""
    keys: frozenset[tuple[str, str]] = frozenset()
    """(room, session) of keys that are new, or open more than before."""


async def open_engine(path: Path, session: Session, clock: Callable[[], float]) -> "Engine":
    """Open or make the key file of a login; ``clock``: seconds. Raises LobbyError."""
    module = await imported("lobby.encryption.machine")
    return Engine(KeyStore(path, session.login.user_id, session.login.device_id), module.Machine, session, clock)


class Engine:
    """Keys of one login, made by ``open_engine``. ``upkeep`` at each contact with the homeserver; last ``close``."""

    def __init__(self, keys: KeyStore, machine: type["Machine"], session: Session, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._machine_class = machine
        self._machine = machine(keys)
        self._session = session
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._one_time_keys: int | None = None
        self._fallback_used = False
        self._known: set[str] = set()
        """People whose list of devices is right; after a start nobody's is known to be."""
        self._asked_at: dict[str, float] = {}
        """When somebody's homeserver, or a device's ("user device"), was last asked in vain."""
        self._sessions = RoomSessions()
        self._requests: dict[tuple[str, str], Json] = {}
        """Keys that other devices of this person ask for: (device, request id) → the request."""
        self._wanted: set[tuple[str, str]] = set()
        self._withheld: set[tuple[str, str]] = set()
        self.on_keys: Callable[[frozenset[tuple[str, str]]], None] = lambda keys: None
        """Called with (room, session) of keys that are new or open more than before, wherever they come from."""
        self.on_withheld: Callable[[frozenset[tuple[str, str]]], None] = lambda keys: None
        """Called with (room, session) of keys of which somebody's device has said that this one does not get them."""
        self.trusted_devices: Callable[[], Collection[str]] = tuple
        """Ids of this person's other devices that are verified: they are given keys, and theirs are taken."""
        self._forget_upload_of_an_earlier_login()

    def close(self) -> None:
        self._keys.close()

    # This device

    @property
    def user_id(self) -> str:
        return self._keys.user_id

    @property
    def device_id(self) -> str:
        return self._keys.device_id

    @property
    def identity_key(self) -> str:
        """Curve25519, unpadded base64."""
        return str(self._machine.account.identity_keys["curve25519"])

    @property
    def fingerprint_key(self) -> str:
        """Ed25519, unpadded base64."""
        return str(self._machine.account.identity_keys["ed25519"])

    @property
    def trouble(self) -> str:
        """A sentence for the person when a damaged file had to be put aside; else empty."""
        return self._keys.trouble

    def sign(self, object: Json) -> str:
        """This device's signature of an object, unpadded base64 (Matrix, "Signing JSON")."""
        plain = {key: value for key, value in object.items() if key not in ("signatures", "unsigned")}
        return str(self._machine.sign_json(plain))

    def device_keys(self) -> Json:
        """This device's keys, signed by itself, as they are uploaded."""
        keys: Json = {
            "user_id": self.user_id,
            "device_id": self.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                f"curve25519:{self.device_id}": self.identity_key,
                f"ed25519:{self.device_id}": self.fingerprint_key,
            },
        }
        return self._signed(keys)

    # What comes

    async def receive(self, news: KeyNews) -> Received:
        """Take in what one /sync says about keys; all of it is durable when this returns. Raises NotKept.

        Handing the same news in twice does no harm: an encrypted message is opened once, a key kept once. It waits for
        nothing that is under way with the homeserver.
        """
        with self._change() as machine:
            machine.trusted = self._trusted_keys()
            for message in news.messages:
                self._take(machine, message)
        self._known = set() if news.anew else self._known - news.changed - news.left
        self._fallback_used = news.fallback_used
        if news.one_time_keys is not None:
            self._one_time_keys = news.one_time_keys
        withheld, self._withheld = frozenset(self._withheld), set()
        if withheld:
            self.on_withheld(withheld)
        return Received(tuple(self._keys.inbox()), self._tell_keys())

    def undelivered(self) -> list[tuple[int, ToDevice]]:
        """Messages for others in Lobby that an earlier run took in and did not hand on."""
        return self._keys.inbox()

    def delivered(self, numbers: Iterable[int]) -> None:
        """These messages need not be kept any longer. Raises NotKept."""
        self._keys.take_from_inbox(numbers)

    def open(self, room_id: str, event: Json) -> Json:
        """A decrypted event in clear form. Raises Sealed."""
        return self._machine.open(room_id, event)

    def knows(self, room_id: str, session_id: str) -> bool:
        """Whether there is a key of that session."""
        return self._keys.room_key(room_id, session_id) is not None

    # What goes out

    async def seal(
        self, room_id: str, members: Iterable[str], kind: str, content: Json, rotation: Rotation = BY_DEFAULT
    ) -> Json:
        """The content of an m.room.encrypted event for these people; its key is with their devices when this returns.

        ``rotation``: how often the room wants new sessions.

        Raises Unreachable, ServerRefused, NotKept.
        """
        users = sorted({*members, self.user_id})
        async with self._one_at_a_time:
            await self._upload()
            await self._query(user_id for user_id in users if user_id not in self._known)
            missing = self._machine.without_session(users)
            got = await self._claim([device for device in missing if self._due(" ".join(device))])
            devices = self._machine.devices_of(users)
            renew = got or self._sessions.must_renew(room_id, devices, rotation, self._clock())
            if renew or self._machine.should_share_group_session(room_id):
                await self._share(room_id, users)
                self._sessions.renewed(room_id, devices, self._clock())
            if self._machine.should_share_group_session(room_id):
                raise Unreachable("Keys could not be kept while they were being shared. Lobby tries again.")
            self._sessions.used(room_id)
            sealed = self._machine.group_encrypt(room_id, {"type": kind, "content": content})
        if isinstance(content.get("m.relates_to"), dict):
            return {**sealed, "m.relates_to": content["m.relates_to"]}
        return dict(sealed)

    async def send_to_device(self, kind: str, messages: dict[str, dict[str, Json]], encrypted: bool = False) -> None:
        """Send to devices: user → device → content. A device id of ``*`` means all of them, when not ``encrypted``.

        Devices with which no session can be begun get nothing. Raises Unreachable, ServerRefused, NotKept.
        """
        if encrypted:
            async with self._one_at_a_time:
                await self._query(user_id for user_id in messages if user_id not in self._known)
                missing = self._machine.without_session(sorted(messages))
                await self._claim([device for device in missing if device[1] in messages[device[0]]])
                messages = self._sealed_for(kind, messages)
            kind = "m.room.encrypted"
        if any(messages.values()):
            await self._put_to_devices(kind, messages)

    # Others' devices

    async def devices_of(self, user_id: str, fresh: bool = False) -> dict[str, Json]:
        """Device id → device keys as their homeserver gave them, each signed by itself; of ours all but this one.

        ``fresh``: ask in any case. Raises Unreachable, ServerRefused, NotKept.
        """
        async with self._one_at_a_time:
            if fresh or user_id not in self._known:
                self._asked_at.pop(user_id, None)
                await self._query([user_id])
        return self.known_devices(user_id)

    def known_devices(self, user_id: str) -> dict[str, Json]:
        """The same as of the last answer: these are the keys with which messages to devices are encrypted."""
        return self._keys.devices(user_id)

    # Room keys

    def export_sessions(self, only: Collection[tuple[str, str]] | None = None) -> list[Json]:
        """Room keys in their exported form ("Key export format"): all, or those of ``only`` that are kept."""
        found = (self._keys.room_key(*name) for name in (self._keys.room_keys() if only is None else only))
        return [self._machine.exported(key) for key in found if key is not None]

    def room_keys(self) -> frozenset[tuple[str, str]]:
        """(room, session) of all room keys that are kept."""
        return frozenset(self._keys.room_keys())

    async def import_sessions(self, sessions: Iterable[Json]) -> frozenset[tuple[str, str]]:
        """Take keys in their exported form; what is none is left out. Returns those that are new or open more.

        ``on_keys`` is told of them, too. Raises NotKept.
        """
        with self._change() as machine:
            for exported in sessions:
                machine.take_exported(exported)
        return self._tell_keys()

    def want(self, keys: Iterable[tuple[str, str]]) -> None:
        """Ask this person's other devices for keys (room, session), once each, at the next upkeep."""
        self._wanted |= {key for key in keys if not self._keys.asked(*key) and not self.knows(*key)}

    # Upkeep

    async def upkeep(self) -> None:
        """What is due at the homeserver: uploads, own devices, broken sessions, keys that are asked for.

        Raises Unreachable, ServerRefused, NotKept; what was not done is done the next time.
        """
        async with self._one_at_a_time:
            await self._upload()
            if self.user_id not in self._known:
                await self._query([self.user_id])
            await self._mend_sessions()
            await self._answer_requests()
            await self._ask_for_keys()

    # Inside

    @contextlib.contextmanager
    def _change(self) -> Iterator["Machine"]:
        """All that the machine saves inside is durable together; when it cannot be, the machine is as it was before."""
        machine = self._machine
        try:
            with self._keys.transaction():
                yield machine
        except BaseException:
            self._machine = self._machine_class(self._keys)
            self._sessions.forget_all()
            raise

    def _tell_keys(self) -> frozenset[tuple[str, str]]:
        new = frozenset(self._machine.new_keys)
        self._machine.new_keys.clear()
        if new:
            self.on_keys(new)
        return new

    def _take(self, machine: "Machine", message: ToDevice) -> None:
        if message.type == "m.room.encrypted":
            machine.take(message)
        elif message.type == "m.room_key_request" and message.sender == self.user_id:
            name = (str(message.content.get("requesting_device_id")), str(message.content.get("request_id")))
            if message.content.get("action") == "request":
                self._requests[name] = message.content
            else:
                self._requests.pop(name, None)
        elif message.type == "m.room_key.withheld":
            self._take_withheld(message)
        elif message.type.startswith(HANDED_ON):
            self._keys.put_into_inbox(message)

    def _take_withheld(self, message: ToDevice) -> None:
        withheld = read_withheld(message.content)
        if withheld is not None:
            self._keys.keep_withheld(withheld, message.sender)
            self._withheld.add((withheld.room_id, withheld.session_id))

    def _trusted_keys(self) -> frozenset[str]:
        devices = self._keys.devices(self.user_id)
        trusted = [devices[device_id] for device_id in self.trusted_devices() if device_id in devices]
        return frozenset(str(keys["keys"][f"curve25519:{keys['device_id']}"]) for keys in trusted)

    def _signed(self, object: Json) -> Json:
        return {**object, "signatures": {self.user_id: {f"ed25519:{self.device_id}": self.sign(object)}}}

    def _forget_upload_of_an_earlier_login(self) -> None:
        """A homeserver forgets a device's keys with its login, also when the next login is given the same device id."""
        token = self._session.login.token_mark
        if self._keys.note("login") != token:
            with self._change() as machine:
                machine.account.shared = False
                machine.save_account()
                self._keys.keep_note("login", token)

    async def _upload(self) -> None:
        """Device keys, one-time keys and a fallback key; what is uploaded is kept before it goes out."""
        account = self._machine.account
        few = self._one_time_keys is not None and self._one_time_keys < FEW_KEYS
        if account.shared and not few and not self._fallback_used:
            return
        body: Json = {} if account.shared else {"device_keys": self.device_keys()}
        with self._change() as machine:
            # vodozemac's own account: nio's knows no fallback keys (nor do vodozemac's type stubs).
            plain: Any = machine.account._account
            wanted = 2 * FEW_KEYS - (self._one_time_keys or 0) if few or not account.shared else 0
            if wanted > len(plain.one_time_keys):
                plain.generate_one_time_keys(wanted - len(plain.one_time_keys))
            if (self._fallback_used or not account.shared) and not plain.fallback_key:
                plain.generate_fallback_key()
            machine.save_account()
        body["one_time_keys"] = self._key_objects(plain.one_time_keys, {})
        body["fallback_keys"] = self._key_objects(plain.fallback_key, {"fallback": True})
        try:
            answer = await self._session.request("POST", "/keys/upload", body)
        except ServerRefused as error:
            if error.status != 400:
                raise
            # It has others under these names, of a key file that was lost: the next ones get names of their own.
            self._mark_as_published(account.shared)
            raise Unreachable("The homeserver has other keys under these names. Lobby tries again.") from error
        self._mark_as_published()
        counts = answer.get("one_time_key_counts")
        count = counts.get("signed_curve25519") if isinstance(counts, dict) else None
        self._one_time_keys = count if isinstance(count, int) else None
        self._fallback_used = False

    def _mark_as_published(self, shared: bool = True) -> None:
        with self._change() as machine:
            machine.account.shared = shared
            machine.account.mark_keys_as_published()
            machine.save_account()

    def _key_objects(self, keys: dict[str, Any], marks: Json) -> Json:
        return {
            f"signed_curve25519:{name}": self._signed({"key": key.to_base64(), **marks}) for name, key in keys.items()
        }

    async def _query(self, user_ids: Iterable[str]) -> None:
        asked = [user_id for user_id in user_ids if self._due(user_id)]
        if not asked:
            return
        # Whose devices change from here on is not known any more, whatever the answer says.
        self._known |= set(asked)
        try:
            body = {"device_keys": {user_id: [] for user_id in asked}, "timeout": SERVERS_TIME}
            answer = await self._session.request("POST", "/keys/query", body)
        except BaseException:
            self._known -= set(asked)
            raise
        found = answer.get("device_keys")
        found = found if isinstance(found, dict) else {}
        told = {user: found[user] for user in asked if isinstance(found.get(user), dict)}
        with self._change() as machine:
            machine.take_devices(told)
        for user_id in set(asked) - set(told):
            self._known.discard(user_id)
            self._asked_at[user_id] = self._clock()

    async def _claim(self, devices: list[tuple[str, str]]) -> bool:
        """Begin sessions with devices; returns whether any could be."""
        if not devices:
            return False
        by_user = groupby(sorted(devices), key=lambda device: device[0])
        wanted = {user_id: {device_id: "signed_curve25519" for _, device_id in those} for user_id, those in by_user}
        body = {"one_time_keys": wanted, "timeout": SERVERS_TIME}
        answer = await self._session.request("POST", "/keys/claim", body)
        given = answer.get("one_time_keys")
        begun = False
        with self._change() as machine:
            for user_id, device_id in devices:
                of_user = given.get(user_id) if isinstance(given, dict) else None
                claimed = of_user.get(device_id) if isinstance(of_user, dict) else None
                if machine.begin_session(user_id, device_id, claimed):
                    begun = True
                else:
                    self._asked_at[f"{user_id} {device_id}"] = self._clock()
        return begun

    def _due(self, whom: str) -> bool:
        """Whether to ask (again) about somebody or a device."""
        return self._clock() - self._asked_at.get(whom, -ASK_AGAIN) >= ASK_AGAIN

    async def _share(self, room_id: str, users: list[str]) -> None:
        """Make a new session for a room, and give its key to all devices of these people."""
        self._sessions.forget(room_id)
        self._machine.outbound_group_sessions.pop(room_id, None)
        with self._change() as machine:
            chunks = list(machine.share_group_session_parallel(room_id, users, ignore_unverified_devices=True))
        for _, body in chunks:
            await self._put_to_devices("m.room.encrypted", body["messages"])
        machine.outbound_group_sessions[room_id].mark_as_shared()  # type: ignore[no-untyped-call]
        self._tell_keys()

    def _sealed_for(self, kind: str, messages: dict[str, dict[str, Json]]) -> dict[str, dict[str, Json]]:
        sealed: dict[str, dict[str, Json]] = {}
        with self._change() as machine:
            for user_id, by_device in messages.items():
                made = {
                    device_id: machine.seal_for(user_id, device_id, kind, by_device[device_id])
                    for device_id in by_device
                }
                sealed[user_id] = {device_id: content for device_id, content in made.items() if content is not None}
        return sealed

    async def _put_to_devices(self, kind: str, messages: dict[str, dict[str, Json]]) -> None:
        path = f"/sendToDevice/{path_part(kind)}/{secrets.token_urlsafe(16)}"
        await self._session.request("PUT", path, {"messages": messages})

    async def _mend_sessions(self) -> None:
        """With devices whose messages we cannot open: begin a new session, and tell them by a first message in it."""
        wedged = [(device.user_id, device.device_id) for device in self._machine.wedged_devices]
        await self._claim([device for device in wedged if self._due(" ".join(device))])
        for message in list(self._machine.outgoing_to_device_messages):
            await self._put_to_devices(message.type, {message.recipient: {message.recipient_device: message.content}})
            self._machine.outgoing_to_device_messages.remove(message)

    async def _answer_requests(self) -> None:
        """Give keys to those verified devices of this person that have asked for them."""
        for name in list(self._requests):
            if (request := self._requests.pop(name, None)) is not None:
                try:
                    await self._answer(name[0], request.get("body"))
                except Unreachable:
                    self._requests.setdefault(name, request)
                    raise

    async def _answer(self, device_id: str, body: object) -> None:
        named = (str(body.get("room_id")), str(body.get("session_id"))) if isinstance(body, dict) else ("", "")
        key = self._keys.room_key(*named)
        if key is None or device_id not in self.trusted_devices():
            return
        exported = self._machine.exported(key)
        exported["sender_claimed_ed25519_key"] = exported.pop("sender_claimed_keys")["ed25519"]
        exported["session_id"] = key.session_id
        missing = self._machine.without_session([self.user_id])
        await self._claim([device for device in missing if device[1] == device_id])
        sealed = self._sealed_for("m.forwarded_room_key", {self.user_id: {device_id: exported}})
        await self._put_to_devices("m.room.encrypted", sealed)

    async def _ask_for_keys(self) -> None:
        if not self._keys.devices(self.user_id):
            self._wanted.clear()
        if self._wanted:
            # Before they go out: the answer may be here before the homeserver's receipt.
            self._keys.keep_asked(self._wanted)
        while self._wanted:
            room_id, session_id = key = self._wanted.pop()
            body = {"algorithm": "m.megolm.v1.aes-sha2", "room_id": room_id, "session_id": session_id}
            content = {
                "action": "request",
                "body": {**body, "sender_key": ""},
                "request_id": session_id[:40] + secrets.token_urlsafe(4),
                "requesting_device_id": self.device_id,
            }
            try:
                await self._put_to_devices("m.room_key_request", {self.user_id: {"*": content}})
            except Unreachable:
                self._wanted.add(key)
                raise
