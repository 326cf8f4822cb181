"""Between the push connection and the core: names translated, bodies decrypted with the subscription's keys (P11)."""

import logging
from collections.abc import Callable

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.pushes import push_session
from frontdesk.agent.core.pushes.subscriptions import Subscribed
from frontdesk.agent.shell.push_connection import PushConnection
from frontdesk.errors import WireError
from frontdesk.wire import webpush

log = logging.getLogger("frontdesk.desk")


class PushLink:
    """The desk's one line to its push service. ``keys(channel)``: what a push of that channel is decrypted with."""

    def __init__(
        self,
        url: str,
        uaid: str,
        post: Callable[[ev.Event], None],
        keys: Callable[[str], Subscribed | None],
    ) -> None:
        self.state = "connecting"
        """As ``DeskStatus.push_state`` says it."""
        self._post = post
        self._keys = keys
        self.connection = PushConnection(url, uaid or None, self._told)

    def _told(self, event: push_session.PushEvent) -> None:
        match event:
            case push_session.Connected(uaid=uaid, changed=changed):
                self.state = "connected"
                self._post(ev.PushLinkUp(uaid, changed))
            case push_session.Disconnected(why=why, retry_in=retry_in):
                if self.state != "waiting":
                    log.info("No connection to the push service: %s. It is tried again and again.", why)
                self.state = "waiting"
                self._post(ev.PushLinkDown(why, retry_in))
            case push_session.Registered(channel_id=channel, endpoint=endpoint):
                self._post(ev.ChannelRegistered(channel, endpoint))
            case push_session.RegisterFailed(channel_id=channel, why=why):
                self._post(ev.ChannelRefused(channel, why))
            case push_session.Arrived(channel_id=channel, version=version, data=data, ttl=ttl):
                self._post(ev.PushArrived(channel, version, self._decrypted(channel, data), ttl))

    def _decrypted(self, channel: str, body: bytes) -> bytes | None:
        entry = self._keys(channel)
        if entry is None or not body:
            return b"" if not body else None
        try:
            return webpush.decrypt(body, webpush.ReceiverKeys(entry.private_key, entry.p256dh, entry.auth))
        except WireError:
            return None
