"""A recovery key that is being made when Lobby dies: the second try completes the first, and there is one identity.

The front stops one request after the other for good, before or after the homeserver has heard of it; Lobby goes no
further, its files are as SIGKILL would leave them there, and the next Lobby starts from these files.
"""

import asyncio
import contextlib
from collections.abc import Coroutine

import pytest

from lobby.core.views import Backup, Standing
from tests.devices import Account, account, diary, fed, looked, recovery, state
from tests.front import Front
from tests.homeserver import PASSWORD, homeserver
from tests.people import Person

__all__ = ["account", "homeserver"]

KILLS = [
    (1, False),
    (1, True),
    (2, False),
    (3, True),
    (4, False),
    (4, True),
    (5, False),
    (7, True),
    (10, False),
    (10, True),
]
KILLS.append((11, True))
"""(step, whether the homeserver did it). The steps are the requests that change something: 1 the identity, 2 and 3 its
signatures, 4 the backup, 5 the key's description, 6 to 9 secrets, 10 which key it is, 11 the first keys for the backup;
left out are those between which nothing is written here."""

SEEN_FROM_4_TO_10 = "nobody was shown it"


def changes_something(method: str, path: str) -> bool:
    """Whether it is one of the steps of making a recovery key."""
    of_recovery = ("/keys/device_signing", "/keys/signatures", "/room_keys/version", "/room_keys/keys")
    return method != "GET" and (path.startswith(of_recovery) or "/account_data/m." in path)


async def master_of(person: Person) -> str:
    """The public master key that the homeserver shows."""
    found = await recovery(person).people.identity_of(person.user_id)
    return found.master if found is not None else ""


async def interrupted(
    account: Account, front: Front, person: Person, doing: Coroutine[None, None, str], witness: Person
) -> tuple[str, Person]:
    """Dies where ``front`` stops: the master key that the homeserver shows ``witness`` then, and the next run."""
    making = asyncio.create_task(doing)
    await front.reached.wait()
    published = await master_of(witness)
    making.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await making
    await person.__aexit__()
    front.let_pass()
    again = await account.again(person.home.folder, front.url)
    again.lobby.foreground()
    await again.until(lambda: looked(again))
    return published, again


@pytest.mark.parametrize(("step", "after"), KILLS)
async def test_the_second_try_completes_the_first(account: Account, step: int, after: bool) -> None:
    async with Front(account.homeserver.url) as front:
        first = await account.lobby(front.url)
        room_id = await diary(first, "said before")
        front.stop_at(step, after, changes_something)
        published, again = await interrupted(account, front, first, first.lobby.encryption.create_recovery(), first)
        assert (SEEN_FROM_4_TO_10 in state(again).trouble) is (4 <= step <= 10)
        key = await again.lobby.encryption.create_recovery()
        assert (state(again).standing, state(again).backup) == (Standing.VERIFIED, Backup.IN_USE)
        assert published in ("", await master_of(again))
        assert state(again).trouble == ""
        await fed(again)

        second = await account.lobby()
        await second.lobby.encryption.recover(key)
        assert (state(second).standing, state(second).backup) == (Standing.VERIFIED, Backup.IN_USE)
        await second.until(lambda: second.texts(room_id) == ["said before"])


ANEW = [(1, False), (1, True), (4, True), (10, False)]
"""As above; the first one has to be asked twice, as the homeserver wants the password for it."""


@pytest.mark.parametrize(("step", "after"), ANEW)
async def test_the_second_try_to_begin_anew_completes_the_first(account: Account, step: int, after: bool) -> None:
    """Nothing is lost before the homeserver has taken the new identity, and there is never a third one."""
    async with Front(account.homeserver.url) as front:
        old = await account.lobby()
        await old.lobby.encryption.create_recovery()
        before = await master_of(old)
        first = await account.lobby(front.url)
        front.stop_at(step + 1, after, changes_something)
        published, again = await interrupted(account, front, first, first.lobby.encryption.begin_anew(PASSWORD), old)
        await again.lobby.encryption.look()
        begun = (step, after) != (1, False)
        assert (published != before) is begun
        assert ("nobody was shown it" in state(again).trouble) is begun
        key = await again.lobby.encryption.begin_anew("" if begun else PASSWORD)
        assert (state(again).standing, state(again).backup) == (Standing.VERIFIED, Backup.IN_USE)
        assert state(again).trouble == ""
        now = await master_of(again)
        assert now != before and published in (before, now)

        second = await account.lobby()
        await second.lobby.encryption.recover(key)
        assert (state(second).standing, state(second).backup) == (Standing.VERIFIED, Backup.IN_USE)
