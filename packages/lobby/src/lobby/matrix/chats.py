"""Making, joining and leaving chats at the homeserver; every refusal is a ChatRefused with a text for the person."""

import re
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from lobby.core.batch import Json, Member
from lobby.errors import ChatRefused, ServerRefused, Unreachable
from lobby.matrix.session import Session, path_part
from lobby.store import Store

Answer = TypeVar("Answer")

USER_ID = re.compile(r"@[^\s:@]+:[^\s/?#]+")
"""A Matrix user id, loosely: homeservers know better (Matrix specification, "User identifiers")."""

USER_ID_MOST = 255


def full_user_id(typed: str, me: str) -> str:
    """What a person typed as a Matrix id: ``right`` and ``@right`` are somebody on the person's own homeserver.

    Raises ChatRefused when it cannot be one.
    """
    name = typed.strip()
    if ":" not in name and name:
        name = f"@{name.removeprefix('@')}:{me.partition(':')[2]}"
    if not USER_ID.fullmatch(name) or len(name) > USER_ID_MOST:
        raise ChatRefused(f"“{typed.strip()}” is no Matrix id. One looks like @name:example.org. Nothing was changed.")
    if name == me:
        raise ChatRefused("That is you. Give the address of somebody else. Nothing was changed.")
    return name


ENCRYPTED = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


async def start_direct(session: Session, store: Store, user_id: str) -> str:
    """A new encrypted direct chat, flagged as one for all of the person's devices (m.direct). Returns its room id."""
    await _insist_on_existence(session, user_id)
    body = {"preset": "trusted_private_chat", "is_direct": True, "invite": [user_id], "initial_state": [ENCRYPTED]}
    room_id = await _or_refused(session.create_room(body))
    _keep_new(store, room_id, "", [user_id], direct=True, encrypted=True)
    await flag_direct(session, room_id, user_id)
    return room_id


async def start_group(
    session: Session, store: Store, name: str, user_ids: Sequence[str], encrypted: bool = True
) -> str:
    """A new private group; the others are invited. Returns its room id."""
    called = name.strip()[:200]
    if not called:
        raise ChatRefused("A group needs a name. Nothing was changed.")
    for user_id in user_ids:
        await _insist_on_existence(session, user_id)
    body: Json = {"preset": "private_chat", "name": called, "invite": list(user_ids)}
    if encrypted:
        body["initial_state"] = [ENCRYPTED]
    room_id = await _or_refused(session.create_room(body))
    _keep_new(store, room_id, called, user_ids, direct=False, encrypted=encrypted)
    return room_id


async def join(session: Session, store: Store, room_id: str) -> None:
    """Accept an invitation."""
    invitation = store.invitation(room_id)
    if invitation is None:
        raise ChatRefused("This invitation is no longer open.")
    await _or_refused(session.join(room_id))
    direct = bool(invitation["direct"])
    store.add_room(room_id, invitation["name"], direct, bool(invitation["encrypted"]))
    store.add_members(room_id, [Member(invitation["inviter"], "join", invitation["inviter_name"])])
    if direct:
        await flag_direct(session, room_id, invitation["inviter"])


async def leave(session: Session, store: Store, room_id: str) -> None:
    """Decline an invitation, or leave a chat."""
    await _or_refused(session.leave(room_id))
    store.drop_room(room_id)


async def flag_direct(session: Session, room_id: str, user_id: str) -> None:
    """Add a room to the person's direct chats (account data m.direct); the chat works without, too."""
    try:
        direct = await session.account_data("m.direct")
        rooms = direct.get(user_id)
        known = [room for room in rooms if isinstance(room, str)] if isinstance(rooms, list) else []
        if room_id not in known:
            await session.set_account_data("m.direct", {**direct, user_id: [*known, room_id]})
    except (Unreachable, ServerRefused):
        # The flag is for other clients and for a new login; here the store knows that the chat is direct.
        return


async def _insist_on_existence(session: Session, user_id: str) -> None:
    """Homeservers let one invite somebody who does not exist: the person would wait for ever."""
    try:
        await session.request("GET", f"/profile/{path_part(user_id)}")
    except ServerRefused as error:
        # Some homeservers show profiles to nobody (403): then the invitation itself has to tell.
        if error.status == 404:
            raise ChatRefused(f"There is nobody called {user_id}. Check the address; nothing was changed.") from error
    except Unreachable as error:
        raise ChatRefused(f"{error} Nothing was changed; try again later.") from error


async def _or_refused(request: Awaitable[Answer]) -> Answer:
    try:
        return await request
    except Unreachable as error:
        raise ChatRefused(f"{error} Nothing was changed; try again later.") from error
    except ServerRefused as error:
        raise ChatRefused(f"{error} Nothing was changed.") from error


def _keep_new(store: Store, room_id: str, name: str, user_ids: Sequence[str], direct: bool, encrypted: bool) -> None:
    store.add_room(room_id, name, direct, encrypted)
    store.add_members(room_id, [Member(user_id, "invite") for user_id in user_ids])
