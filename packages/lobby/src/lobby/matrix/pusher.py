"""The pusher: how the homeserver is told where to push (Matrix client-server API, "Pushers")."""

import json
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from lobby.core.batch import Json
from lobby.matrix.login import device_name
from lobby.matrix.session import Session
from lobby.store import Store

APP_ID = "org.frontdesk.lobby"
NOTE = "pusher"


@dataclass(frozen=True)
class PushTarget:
    """Where a push goes: an RFC 8030 push resource and its RFC 8291 keys, as base64url."""

    endpoint: str
    p256dh: str
    auth: str


def pusher_of(target: PushTarget) -> Json:
    """What to tell the homeserver. The gateway lies at the origin of the endpoint; it gets ids, never content.

    The key of a pusher is the public key of the subscription: a gateway that rejects it names the very subscription.
    """
    parts = urlsplit(target.endpoint)
    return {
        "kind": "http",
        "app_id": APP_ID,
        "app_display_name": "Lobby",
        "device_display_name": device_name(),
        "pushkey": target.p256dh,
        "lang": "en",
        "append": False,
        "data": {
            # The path is fixed by the push gateway API; Synapse refuses any other.
            "url": f"{parts.scheme}://{parts.netloc}/_matrix/push/v1/notify",
            "format": "event_id_only",
            # Counts alone are no news: every read receipt would wake a sleeping Lobby.
            "events_only": True,
            "endpoint": target.endpoint,
            "p256dh": target.p256dh,
            "auth": target.auth,
        },
    }


def kept_target(store: Store) -> PushTarget | None:
    """The target the homeserver was last told; None: none."""
    note = store.note(NOTE)
    return PushTarget(**json.loads(note)) if note else None


def forget_target(store: Store) -> None:
    """The homeserver knows of no target any more. Raises NotKept."""
    store.keep_note(NOTE, "")


async def set_pusher(session: Session, store: Store, target: PushTarget) -> None:
    """Have pushes sent to ``target`` and nowhere else of ours. Raises what ``Session.request`` raises."""
    old = kept_target(store)
    await session.set_pusher(pusher_of(target))
    store.keep_note(NOTE, json.dumps(asdict(target)))
    if old is not None and old.p256dh != target.p256dh:
        await _remove(session, old)


async def remove_pusher(session: Session, store: Store) -> None:
    """No pushes any more. Raises what ``Session.request`` raises."""
    old = kept_target(store)
    if old is not None:
        await _remove(session, old)
        forget_target(store)


async def _remove(session: Session, target: PushTarget) -> None:
    await session.set_pusher({"kind": None, "app_id": APP_ID, "pushkey": target.p256dh})
