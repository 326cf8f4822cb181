"""The keys of one login at work in Lobby: opened when first needed, fed by each step of the sync, asked by the outbox.

What cannot be opened is kept sealed; when its key comes, from wherever, it is opened in its place.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path

from lobby.core.batch import Json, read_members
from lobby.core.event import opened
from lobby.core.key_news import KeyNews, ToDevice
from lobby.core.room_sessions import BY_DEFAULT
from lobby.core.timeline import KeptEvent
from lobby.core.verification_messages import is_event
from lobby.encryption.engine import Engine, open_engine
from lobby.errors import LobbyError, NotKept, Sealed, Unreachable
from lobby.matrix.session import Session, path_part
from lobby.store import Store

ASKED_AGAIN = 3
"""How often the members of a room are asked for when news comes in between; then the answer is taken as it is."""

log = logging.getLogger("lobby")

Key = tuple[str, str]
"""Room id and session id of a room key."""


class LoginKeys:
    """Keys of one login. ``on_opened`` hears of messages that could not be read before, or why they cannot be."""

    def __init__(
        self,
        path: Path,
        session: Session,
        store: Store,
        clock: Callable[[], float],
        on_open: Callable[[Engine], Awaitable[None]],
        on_opened: Callable[[list[KeptEvent]], None],
    ) -> None:
        self._path = path
        self._session = session
        self._store = store
        self._clock = clock
        self._on_open = on_open
        self._on_opened = on_opened
        self._engine: Engine | None = None
        self._opening = asyncio.Lock()
        self._missing: set[Key] = set()
        self._verifying: list[tuple[str, Json]] = []
        self._handing_on = asyncio.Lock()
        self.on_message: Callable[[ToDevice], Awaitable[None]] = _nobody_hears
        """Awaited with messages from other devices, in order; one that is not taken because the homeserver cannot be
        reached (Unreachable) comes again."""
        self.on_verification: Callable[[str, Json], Awaitable[None]] = _nobody_listens
        """Awaited with (room, event in clear) for events of a verification in a room, in order."""
        self.on_devices: Callable[[frozenset[str]], None] = lambda user_ids: None
        """Called with persons whose devices or identities are not what they were."""
        self.on_keys: Callable[[frozenset[Key]], None] = lambda keys: None
        """Called with keys that are new or open more than before."""
        self.ask: Callable[[str, str], Awaitable[object]] = _nobody_knows
        """Awaited with (room, session) of keys that are missing."""

    async def engine(self) -> Engine:
        """The engine, opened at the first call. Raises LobbyError when the key file cannot be used."""
        async with self._opening:
            if self._engine is None:
                engine = await open_engine(self._path, self._session, self._clock)
                engine.on_keys = self._keys_came
                engine.on_withheld = self._open_kept
                self._engine = engine
                try:
                    await self._on_open(engine)
                except BaseException:
                    # Broken off, or refused: whoever asks next begins anew, so that nothing stays half set up.
                    self.close()
                    raise
                # What an earlier run got the key for, and did not come to open.
                self._open_kept([key for key in self._store.sealed_keys() if engine.knows(*key)])
            return self._engine

    @property
    def trouble(self) -> str:
        """A sentence for the person when the key file was damaged; else empty."""
        return self._engine.trouble if self._engine is not None else ""

    def close(self) -> None:
        """Close the key file."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    # For the sync and for history

    async def receive(self, news: KeyNews) -> None:
        """Take in what a /sync says about keys; durable when this returns. Raises LobbyError: nothing was taken in."""
        engine = await self.engine()
        await engine.receive(news)
        # With one's own devices and identity, what is known of everybody else is looked at again.
        changed = news.changed | {engine.user_id} if news.anew else news.changed
        if changed:
            self.on_devices(changed)

    def open(self, room_id: str, event: Json) -> Json:
        """An encrypted event in clear (``batch.Opener``). Raises Sealed."""
        if self._engine is None:
            raise Sealed(str(event["content"].get("session_id")), "the keys are not open yet")
        try:
            clear = self._engine.open(room_id, event)
        except Sealed as error:
            if error.session_id:
                self._missing.add((room_id, error.session_id))
            raise
        if is_event(clear):
            self._verifying.append((room_id, clear))
        return clear

    def hear(self, events: Iterable[tuple[str, Json]]) -> None:
        """Events (room, event) of verifications that came unencrypted; handed on with the others."""
        self._verifying += events

    async def settle(self) -> None:
        """After each contact with the homeserver: hand on what came, and ask for what is missing. Raises LobbyError."""
        engine = await self.engine()
        await self.hand_on()
        missing, self._missing = self._missing, set()
        engine.want(missing)
        await engine.upkeep()
        for room_id, session_id in missing:
            if not engine.knows(room_id, session_id):
                await self.ask(room_id, session_id)

    async def hand_on(self) -> None:
        """Hand on what came of verifications and secrets; when this returns they have been heard. Raises LobbyError."""
        engine = await self.engine()
        async with self._handing_on:
            await self._hand_on(engine)

    # For the outbox

    async def seal(self, room_id: str, kind: str, content: Json) -> Json:
        """The content of an m.room.encrypted event for all who may read it. Raises LobbyError."""
        engine = await self.engine()
        readers = await self._readers(room_id)
        room = self._store.room(room_id)
        return await engine.seal(room_id, readers, kind, content, room.rotation if room is not None else BY_DEFAULT)

    async def _readers(self, room_id: str) -> list[str]:
        """User ids of the members; of the invited, too, where history is shown to them."""
        room = self._store.room(room_id)
        if room is not None and not room.all_members:
            await self._learn_members(room_id)
        standing = ("join",) if room is not None and room.visibility == "joined" else ("join", "invite")
        return [member.user_id for member in self._store.members(room_id) if member.membership in standing]

    async def _learn_members(self, room_id: str) -> None:
        for _ in range(ASKED_AGAIN):
            before = self._store.token()
            query = {"not_membership": "leave"}
            answer = await self._session.request("GET", f"/rooms/{path_part(room_id)}/members", query=query)
            if self._store.token() == before:
                break
        self._store.keep_all_members(room_id, read_members(answer))

    # Inside

    async def _hand_on(self, engine: Engine) -> None:
        for number, message in engine.undelivered():
            try:
                await self.on_message(message)
            except Unreachable:
                raise
            except LobbyError as error:
                log.warning("A message from a device of %s was not answered: %s", message.sender, error)
            engine.delivered([number])
        events, self._verifying = self._verifying, []
        for room_id, event in events:
            try:
                await self.on_verification(room_id, event)
            except LobbyError as error:
                log.warning("A verification in a room did not go on: %s", error)

    def _keys_came(self, keys: frozenset[Key]) -> None:
        self._open_kept(keys)
        self.on_keys(keys)

    def _open_kept(self, keys: Collection[Key]) -> None:
        """Open what is kept and waits for these keys; or say why they do not come."""
        for room_id, session_id in keys:
            waiting = self._store.sealed(room_id, session_id)
            events = [opened(event, room_id, self.open) for event in waiting]
            done = [event for event, sealed in zip(events, waiting, strict=True) if event != sealed]
            if not done:
                continue
            try:
                self._store.keep_opened(room_id, done)
            except NotKept as error:
                log.warning("A message can be read now, and will be at the next start: %s", error)
                continue
            self._on_opened([kept for event in done if (kept := self._store.event(event.event_id)) is not None])


async def _nobody_hears(message: ToDevice) -> None:
    """No other part of Lobby has asked for messages between devices."""


async def _nobody_listens(room_id: str, event: Json) -> None:
    """No other part of Lobby has asked for verifications in rooms."""


async def _nobody_knows(room_id: str, session_id: str) -> None:
    """There is no key backup to ask."""
