"""What the person is told of one account while no page shows it: messages and what was not sent, requests to verify,
a login that ended."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from itertools import groupby
from typing import Protocol

from lobby.arrival import Arrivals
from lobby.core.alerts import SIGNED_OUT, UNSENT, Alert, Pushed, read_push, signed_out_alert, unsent_alert
from lobby.core.offers import Offers
from lobby.core.telling import Show, Withdraw
from lobby.core.timeline import Draft, KeptEvent
from lobby.errands import Errands
from lobby.errors import LobbyError, NotKept, TokenRefused
from lobby.matrix_messenger import MatrixMessenger
from lobby.store import Store
from lobby.teller import Teller

PUSH_TIME = 13.0
"""Seconds to fetch what a push is about. What is known may wait for others (``telling.LONGEST``, twice); the desk
waits 25 s, of which the last 5 are for tidying up (contract P02), and then shows the fallback itself."""

OFFERS = "offers"
"""The store's note of the alerts about requests to verify that are shown."""

log = logging.getLogger("lobby")


class AlertDesk(Protocol):
    """The desk as the alerts of one account need it. What it refuses is raised as LobbyError."""

    @property
    def connected(self) -> bool:
        """Whether there is a desk."""

    @property
    def foreground(self) -> bool:
        """Whether the person sees a page of Lobby."""

    async def notify(self, alert: Alert, quiet: bool = False) -> None:
        """Show it, in place of an earlier one with its id; ``quiet``: nobody's attention is called to it."""

    async def withdraw(self, alert_id: str) -> None:
        """Show it no more; not an error when it is not shown."""

    def awake(self, name: str) -> contextlib.AbstractAsyncContextManager[None]:
        """Not put to sleep inside this ``async with``, for as long as the desk allows."""


class AccountAlerts:
    """The alerts of one account, shown, reworded and withdrawn; ``waiting``: the id of what the desk shows by itself.

    Hears from the messenger what was read, opened and not sent, and who was signed out.
    """

    def __init__(
        self,
        desk: AlertDesk,
        messenger: MatrixMessenger,
        store: Store,
        clock: Callable[[], float],
        waiting: str,
    ) -> None:
        self._desk = desk
        self._messenger = messenger
        self._store = store
        self._waiting = waiting
        self._arrivals = Arrivals(messenger)
        self._teller = Teller(
            store, messenger.chat, self._arrivals.more, clock, self._show, self._shrink, self._withdraw
        )
        self._offers = Offers(json.loads(store.note(OFFERS) or "[]"))
        self._learning: set[str] = set()
        """Events of which a push is being answered."""
        self._looked_at = False
        self._telling_of_sign_out = False
        self._errands = Errands(LobbyError, level=logging.WARNING)
        self._told: set[str] = set()
        self._withdrawn: set[str] = set()
        messenger.on_read = self._read
        messenger.on_opened = self._reworded
        messenger.on_unsent = self._unsent

    def connected(self) -> None:
        """There is a desk from now on; it may still show what was withdrawn before."""
        for alert_id in self._withdrawn:
            self._errands.start(self._desk.withdraw(alert_id))
        self.verifications_changed()

    async def stop(self) -> None:
        """Lobby ends; what is shown stays."""
        self._teller.stop()
        await self._errands.drop()

    def looking(self, looked_at: bool) -> None:
        """Whether a visible page shows this account."""
        if looked_at and not self._looked_at:
            # The page says all of this better; some of it an earlier run has told, or the desk by itself.
            unsent = (UNSENT + room_id for room_id in self._messenger.reading.unsent_rooms())
            for alert_id in (self._waiting, SIGNED_OUT, *unsent):
                self._withdraw(alert_id)
        self._looked_at = looked_at
        self.verifications_changed()

    async def answer(self, push_id: str, payload: bytes) -> Alert | None:
        """Fetch what a push is about; None: there is nothing to show (contract P02).

        Raises LobbyError or TimeoutError: it could not be fetched, and what the desk shows by itself has to do.
        """
        pushed = read_push(payload)
        if pushed is None:
            return None
        try:
            alert = await self._teller.answer(push_id, self._learn(pushed))
        except TokenRefused:
            # That Lobby was signed out says more than the desk's own alert would.
            await self._tell_of_sign_out()
            return None
        if alert is not None:
            self._told.add(alert.id)
        return alert

    def account_changed(self) -> None:
        """Who is logged in, or how the login stands, may have changed."""
        if self._messenger.is_signed_out and self._desk.connected:
            self._errands.start(self._tell_of_sign_out())

    def verifications_changed(self) -> None:
        """A request to verify may have come, been answered, here or elsewhere, or ended."""
        verifications = self._messenger.encryption.verifications()
        effects = self._offers.look(verifications, self._looked_at, self._learning)
        for effect in effects:
            match effect:
                case Show(alert):
                    self._show(alert)
                case Withdraw(alert_id):
                    self._withdraw(alert_id)
        if effects:
            self._keep_offers()

    # Inside

    async def _learn(self, pushed: Pushed) -> Alert | None:
        self._learning.add(pushed.event_id)
        try:
            async with asyncio.timeout(PUSH_TIME) as time:
                alert = await self._arrivals.alert_for(pushed, self._desk.foreground)
            # Requests may have come beside it, and nothing holds Lobby once the push has been answered.
            await self._hear_verifications(time.when())
            if alert is None:
                verifications = self._messenger.encryption.verifications()
                alert = self._offers.answer(pushed.event_id, verifications, self._looked_at)
                self._keep_offers()
            return alert
        finally:
            self._learning.discard(pushed.event_id)
            self.verifications_changed()

    async def _hear_verifications(self, deadline: float | None) -> None:
        """Until what came of them has been heard: their messages, and what ends them, cause pushes like any other."""
        try:
            async with asyncio.timeout_at(deadline):
                if self._messenger.keys is not None:
                    await self._messenger.keys.hand_on()
        except (LobbyError, TimeoutError) as error:
            log.info("A request to verify, if there is one, is told of later: %s", error)

    def _keep_offers(self) -> None:
        """The next run withdraws what this one has told of: it will know nothing of these requests."""
        note = json.dumps(self._offers.told) if self._offers.told else ""
        if note != self._store.note(OFFERS):
            try:
                self._store.keep_note(OFFERS, note)
            except NotKept as error:
                log.warning("Which requests to verify are shown is not kept: %s", error)

    @property
    def _seen(self) -> bool:
        return self._desk.foreground and self._looked_at

    def _reworded(self, events: list[KeptEvent]) -> None:
        for alert in self._arrivals.reworded(events):
            self._teller.reworded(alert, self._seen)

    def _read(self, room_id: str) -> None:
        self._teller.read(room_id, self._desk.foreground)
        if room_id in self._told or room_id not in self._withdrawn:
            self._withdraw(room_id)

    async def _unsent(self, drafts: list[Draft]) -> None:
        """Tell of what could not be sent, unless the person sees it on the page."""
        if self._seen:
            return
        by_room = sorted(drafts, key=lambda draft: draft.item.room_id)
        for room_id, of_room in groupby(by_room, key=lambda draft: draft.item.room_id):
            chat = self._messenger.chat(room_id)
            alert = unsent_alert(room_id, chat.name if chat else "a chat", list(of_room))
            self._told.add(alert.id)
            try:
                await self._desk.notify(alert)
            except LobbyError as error:
                log.warning("The person could not be told of unsent messages: %s", error)

    async def _tell_of_sign_out(self) -> None:
        """Once for each login, and only to somebody who does not see it on the page."""
        account = self._messenger.account()
        if account is None or not self._messenger.is_signed_out or self._telling_of_sign_out:
            return
        mark = self._messenger.login_mark
        if self._store.note(SIGNED_OUT) == mark or self._seen:
            return
        self._telling_of_sign_out = True
        try:
            async with self._desk.awake("tell that Lobby was signed out"):
                self._told.add(SIGNED_OUT)
                await self._desk.notify(signed_out_alert(account.user_id))
                self._store.keep_note(SIGNED_OUT, mark)
        except LobbyError as error:
            log.warning("The person is told at the next occasion that Lobby was signed out: %s", error)
        finally:
            self._telling_of_sign_out = False

    def _show(self, alert: Alert) -> None:
        """Something new, and no push that waits for it."""
        self._told.add(alert.id)
        if self._desk.connected:
            self._errands.start(self._desk.notify(alert))

    def _shrink(self, alert: Alert) -> None:
        """Less than is shown."""
        if self._desk.connected:
            self._errands.start(self._desk.notify(alert, quiet=True))

    def _withdraw(self, alert_id: str) -> None:
        self._told.discard(alert_id)
        self._withdrawn.add(alert_id)
        if self._desk.connected:
            self._errands.start(self._desk.withdraw(alert_id))
