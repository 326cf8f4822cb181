"""nio's Olm machine, as Lobby uses it: sessions between devices, room keys, and what they open and close. No network.

nio is slow to import, so this file is imported only by ``engine``, in a thread. What is different from nio's own use:
a room key that is worse than the one that is kept never takes its place, a message between devices that is not about
room keys is handed on, and a message in a room opens only for the person whose device gave us its key.
"""

import base64
import json
import logging
import sys
from datetime import timedelta
from typing import Any

import vodozemac
from nio.crypto.olm_machine import Olm
from nio.crypto.sessions import derive_pickle_key
from nio.responses import KeysClaimResponse

from lobby.core.key_news import Json, ToDevice, is_id
from lobby.core.withheld import words
from lobby.encryption.key_store import KeyStore, RoomKey, plain_keys
from lobby.errors import KeyWithheld, Sealed

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"

PICKLE_KEY = derive_pickle_key("")

NO_KEY = "its key has not come"

log = logging.getLogger("lobby")


class Machine(Olm):
    """The keys of one device. Whoever calls what changes them does so inside ``KeyStore.transaction``."""

    def __init__(self, keys: KeyStore) -> None:
        self.new_keys: set[tuple[str, str]] = set()
        """(room, session) of the room keys that came, or became better, since somebody last took these."""
        self.trusted: frozenset[str] = frozenset()
        """Curve25519 keys of this person's other devices that are verified."""
        self._keys = keys
        # nio names a store class of its own; ``KeyStore`` has the methods that the machine calls.
        super().__init__(keys.user_id, keys.device_id, keys)  # type: ignore[arg-type]

    def create_outbound_group_session(self, room_id: str) -> None:
        """When a session has to be a new one is decided elsewhere (``core.room_sessions``), and not by nio's clock."""
        super().create_outbound_group_session(room_id)
        session = self.outbound_group_sessions[room_id]
        session.max_age, session.max_messages = timedelta.max, sys.maxsize

    # Messages between devices

    def take(self, message: ToDevice) -> None:
        """Open one encrypted message. Raises nothing for what a stranger may have written into it."""
        sender_key = message.content.get("sender_key")
        sealed = _mapping(_mapping(message.content.get("ciphertext")).get(self.account.identity_keys["curve25519"]))
        body, kind = sealed.get("body"), sealed.get("type")
        if message.content.get("algorithm") != OLM or not isinstance(body, str) or not isinstance(sender_key, str):
            return
        if not self._keys.hear(body):
            return
        try:
            if kind == 0:
                self.decrypt(message.sender, sender_key, vodozemac.PreKeyMessage.from_base64(body))
            else:
                self.decrypt(message.sender, sender_key, vodozemac.AnyOlmMessage.normal(_bytes(body)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("A message between devices, from %s, could not be opened: %s", message.sender, error)

    def _handle_olm_event(self, sender: str, sender_key: str, payload: dict[Any, Any]) -> None:
        device = self.device_store.device_from_sender_key(sender, sender_key)
        fingerprint = str(payload["keys"].get("ed25519", ""))
        if device is not None and device.ed25519 != fingerprint:
            log.warning("A device of %s says that it has another key than it has; its message is dropped.", sender)
            return
        kind, content = payload["type"], payload["content"]
        if kind == "m.room_key":
            self._take_room_key(sender, sender_key, fingerprint, content)
        elif kind == "m.forwarded_room_key":
            self._take_forwarded_key(sender, sender_key, content)
        elif kind != "m.dummy":
            named = device.id if device is not None else ""
            self._keys.put_into_inbox(ToDevice(kind, sender, content, named, True, sender_key))

    def _take_room_key(self, sender: str, sender_key: str, fingerprint: str, content: Json) -> None:
        room_id, session_id = content.get("room_id"), content.get("session_id")
        if content.get("algorithm") != MEGOLM or not is_id(room_id) or not is_id(session_id) or not fingerprint:
            return
        session = vodozemac.InboundGroupSession(vodozemac.SessionKey(str(content.get("session_key"))))
        if session.session_id == session_id:
            self.keep(room_id, session, sender_key, fingerprint, (), sender)

    def _take_forwarded_key(self, sender: str, sender_key: str, content: Json) -> None:
        """A key from another device of this person: one that is verified, and that was asked for it."""
        room_id, session_id = content.get("room_id"), content.get("session_id")
        if sender == self.user_id and sender_key in self.trusted and self._keys.asked(str(room_id), str(session_id)):
            key = {**content, "sender_claimed_keys": {"ed25519": content.get("sender_claimed_ed25519_key")}}
            self.take_exported(key, (sender_key,))

    # Room keys

    def create_group_session(
        self, sender_key: str, sender_fp_key: str, room_id: str, session_id: str, session_key: str
    ) -> None:
        """Keep what opens our own messages (nio calls this for each session that it makes)."""
        session = vodozemac.InboundGroupSession(vodozemac.SessionKey(session_key))
        self.keep(room_id, session, sender_key, sender_fp_key, (), self.user_id)

    def take_exported(self, exported: Json, via: tuple[str, ...] = ()) -> bool:
        """Take a key in its exported form (Matrix client-server API, "Key export format"). Returns whether it is one.

        ``via``: devices it came through beside those that it names itself.
        """
        room_id, session_id, sender_key = (exported.get(name) for name in ("room_id", "session_id", "sender_key"))
        fingerprint = _mapping(exported.get("sender_claimed_keys")).get("ed25519")
        chain = exported.get("forwarding_curve25519_key_chain")
        if exported.get("algorithm") != MEGOLM or not is_id(room_id) or not is_id(session_id) or not is_id(sender_key):
            return False
        try:
            key = vodozemac.ExportedSessionKey(str(exported.get("session_key")))
            session = vodozemac.InboundGroupSession.import_session(key)
        except ValueError:
            return False
        if session.session_id != session_id:
            return False
        known = tuple(one for one in chain if is_id(one))[:20] if isinstance(chain, list) else ()
        self.keep(room_id, session, sender_key, fingerprint if is_id(fingerprint) else "", (*known, *via), "")
        return True

    def keep(
        self,
        room_id: str,
        session: vodozemac.InboundGroupSession,
        sender_key: str,
        fingerprint: str,
        chain: tuple[str, ...],
        sender: str,
    ) -> None:
        """Keep a room key, unless the kept one of that name opens as much or belongs to another device."""
        new = RoomKey(
            room_id, session.session_id, sender_key, fingerprint, chain, sender, session.first_known_index,
            session.pickle(PICKLE_KEY),
        )  # fmt: skip
        old = self._keys.room_key(room_id, session.session_id)
        if old is not None:
            later = max(old.first, new.first)
            if old.sender_key != sender_key or _exported(_unpickled(old), later) != _exported(session, later):
                log.warning("Another key under the name of a kept one was refused (room %s).", room_id)
                return
            if new.first >= old.first:
                return
        self._keys.keep_room_key(new)
        self.new_keys.add((room_id, new.session_id))

    def exported(self, key: RoomKey) -> Json:
        """A kept key in its exported form."""
        return {
            "algorithm": MEGOLM,
            "room_id": key.room_id,
            "session_id": key.session_id,
            "session_key": _exported(_unpickled(key), key.first),
            "sender_key": key.sender_key,
            "sender_claimed_keys": {"ed25519": key.fingerprint},
            "forwarding_curve25519_key_chain": list(key.chain),
        }

    # Messages in rooms

    def open(self, room_id: str, event: Json) -> Json:
        """An encrypted event of a room in clear. Raises Sealed."""
        content = _mapping(event.get("content"))
        session_id = content.get("session_id") if is_id(content.get("session_id")) else ""
        if content.get("algorithm") != MEGOLM or not session_id:
            raise Sealed("", "it is encrypted in a way that Lobby does not know")
        key = self._keys.room_key(room_id, str(session_id))
        if key is None:
            raise self._no_key(room_id, str(session_id), event)
        if key.sender and key.sender != event.get("sender"):
            raise Sealed("", "it is not from the one whose key it is encrypted with")
        try:
            message = vodozemac.MegolmMessage.from_base64(str(content.get("ciphertext")))
            if message.message_index() < key.first:
                # It opens only what was said later; one that opens this, too, may come yet.
                raise self._no_key(room_id, str(session_id), event)
            opened = _unpickled(key).decrypt(message)
            clear = json.loads(opened.plaintext)
        except (ValueError, RecursionError) as error:
            raise Sealed("", f"it cannot be decrypted ({error})") from error
        if not self._first_time(str(session_id), opened.message_index, event):
            raise Sealed("", "it is a repetition of another message")
        return _clear_event(room_id, event, clear)

    def _no_key(self, room_id: str, session_id: str, event: Json) -> Sealed:
        """Only the word of the one who wrote the message counts: anybody can say that a key is withheld."""
        code = self._keys.withheld(room_id, session_id, str(event.get("sender")))
        return Sealed(session_id, NO_KEY) if code is None else KeyWithheld(session_id, words(code))

    def _first_time(self, session_id: str, index: int, event: Json) -> bool:
        """Whether a message is not another one's ciphertext sent once more; known for as long as Lobby runs."""
        this = (event.get("event_id"), event.get("origin_server_ts"))
        return bool(self.message_index_store.setdefault((session_id, index), this) == this)

    # Devices and sessions with them

    def take_devices(self, by_user: dict[str, Json]) -> None:
        """These are all devices of those people; whatever is not signed by itself is left out."""
        for user_id, devices in by_user.items():
            self._take_devices(user_id, devices)
        self.device_store = self._keys.load_device_keys()

    def _take_devices(self, user_id: str, devices: Json) -> None:
        known = self._keys.devices(user_id)
        good: dict[str, Json] = {}
        for device_id, keys in devices.items():
            if user_id == self.user_id and device_id == self.device_id:
                continue
            if not is_id(device_id) or not self._is_device(user_id, device_id, keys):
                log.warning("Device %r of %s has no valid keys.", device_id, user_id)
            elif device_id in known and plain_keys(known[device_id])["ed25519"] != plain_keys(keys)["ed25519"]:
                log.warning("The key of device %s of %s has changed; it gets no messages.", device_id, user_id)
                good[device_id] = known[device_id]
            else:
                good[device_id] = keys
        self._keys.keep_devices(user_id, good)

    def _is_device(self, user_id: str, device_id: str, keys: object) -> bool:
        if not isinstance(keys, dict) or (keys.get("user_id"), keys.get("device_id")) != (user_id, device_id):
            return False
        try:
            plain = plain_keys(keys)
            vodozemac.Curve25519PublicKey.from_base64(plain["curve25519"])
            good = self.verify_json(dict(keys), plain["ed25519"], user_id, device_id)  # type: ignore[no-untyped-call]
            return bool(good)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False

    def devices_of(self, user_ids: list[str]) -> frozenset[tuple[str, str]]:
        """(user, device) of all their devices but this one."""
        return frozenset((user_id, device_id) for user_id in user_ids for device_id in self.device_store[user_id])

    def without_session(self, user_ids: list[str]) -> list[tuple[str, str]]:
        """(user, device) of those of their devices to which nothing can be sent yet."""
        devices = [self.device_store[user_id][device_id] for user_id, device_id in self.devices_of(user_ids)]
        return sorted((one.user_id, one.id) for one in devices if self.session_store.get(one.curve25519) is None)

    def begin_session(self, user_id: str, device_id: str, claimed: object) -> bool:
        """Begin a session with a device, with a key that it has left at its homeserver."""
        if not isinstance(claimed, dict) or not claimed:
            return False
        try:
            answer = KeysClaimResponse({user_id: {device_id: claimed}}, {})
            self.handle_response(answer)  # type: ignore[no-untyped-call]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("Device %s of %s has left no valid key: %s", device_id, user_id, error)
            return False
        device = self.device_store[user_id].get(device_id)
        return device is not None and self.session_store.get(device.curve25519) is not None

    def seal_for(self, user_id: str, device_id: str, kind: str, content: Json) -> Json | None:
        """A message to one device, encrypted; None: there is no session with it."""
        device = self.device_store[user_id].get(device_id)
        session = self.session_store.get(device.curve25519) if device is not None else None
        if session is None:
            return None
        sealed: Json = self._olm_encrypt(session, device, kind, content)  # type: ignore[no-untyped-call]
        return sealed


def _clear_event(room_id: str, event: Json, clear: object) -> Json:
    """The event as it would be unencrypted. Raises Sealed when what was encrypted is no event of that room."""
    inner = _mapping(clear)
    kind, content = inner.get("type"), inner.get("content")
    if inner.get("room_id") != room_id or not isinstance(kind, str) or not isinstance(content, dict):
        raise Sealed("", "it was not written for this chat")
    relation = _mapping(event.get("content")).get("m.relates_to")
    if isinstance(relation, dict):
        # Matrix client-server API, "m.relates_to" in encrypted events: the readable one counts.
        content = {**content, "m.relates_to": relation}
    return {**event, "type": kind, "content": content}


def _unpickled(key: RoomKey) -> vodozemac.InboundGroupSession:
    return vodozemac.InboundGroupSession.from_pickle(key.session, PICKLE_KEY)


def _exported(session: vodozemac.InboundGroupSession, index: int) -> str:
    exported = session.export_at(index)
    return exported.to_base64() if exported is not None else ""


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}
