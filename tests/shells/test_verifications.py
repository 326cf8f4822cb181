"""Verification between Lobbies on a real homeserver: several devices, lost networks, restarts, floods."""

import time
from functools import partial

import pytest

from demo.network import Condition
from lobby.core.verification_messages import LASTS
from lobby.core.views import Backup, Standing, Verification, VerificationPhase
from lobby.encryption.verifications import MOST
from lobby.errors import LobbyError
from tests.devices import Account, account, looked, say, state
from tests.homeserver import PASSWORD, homeserver
from tests.people import Person, World, asked, introduce, world

__all__ = ["account", "homeserver", "world"]

Phase = VerificationPhase


def phases(person: Person) -> dict[str, VerificationPhase]:
    return {one.id: one.phase for one in person.lobby.encryption.verifications()}


async def reaches(person: Person, id: str, phase: VerificationPhase) -> Verification:
    await person.until(lambda: phases(person).get(id) is phase)
    return next(one for one in person.lobby.encryption.verifications() if one.id == id)


async def agree(one: Person, other: Person, id: str) -> None:
    """Both compare, both say that it is the same, both are done."""
    seen = [await reaches(person, id, Phase.COMPARING) for person in (one, other)]
    assert seen[0].emoji == seen[1].emoji
    for person in (one, other):
        await person.lobby.encryption.confirm_verification(id)
    for person in (one, other):
        await reaches(person, id, Phase.DONE)


async def with_recovery_keys(world: World) -> tuple[Person, Person]:
    """Left and Right, who have a chat and can be verified."""
    left, right = world.left, world.right
    await introduce(left, right)
    for person in (left, right):
        await person.until(partial(looked, person))
        await person.lobby.encryption.create_recovery()
    return left, right


async def test_the_first_device_that_answers_has_it_and_the_others_are_told(account: Account) -> None:
    first = await account.lobby()
    await first.lobby.encryption.create_recovery()
    second, third = await account.lobby(), await account.lobby()
    id = await third.lobby.encryption.verify(account.user_id)
    for person in (first, second):
        offer = await reaches(person, id, Phase.OFFERED)
        assert offer.own
    await first.lobby.encryption.accept_verification(id)
    ended = await reaches(second, id, Phase.CANCELLED)
    assert "another device" in ended.reason
    await agree(first, third, id)
    await third.until(lambda: (state(third).standing, state(third).backup) == (Standing.VERIFIED, Backup.IN_USE))
    assert state(second).standing is Standing.UNVERIFIED
    with pytest.raises(LobbyError, match="is over"):
        await second.lobby.encryption.accept_verification("unknown")


async def test_another_person_is_answered_by_one_of_my_devices(world: World, account: Account) -> None:
    right = world.right
    first = await account.lobby()
    key = await first.lobby.encryption.create_recovery()
    second = await account.lobby()
    await right.log_in()
    right.lobby.foreground()
    await right.until(lambda: looked(right))
    await right.lobby.encryption.create_recovery()
    room_id = await right.lobby.start_chat(account.user_id)
    await first.until(first.lobby.invitations)
    await first.lobby.accept(room_id)
    await right.until(lambda: (chat := right.lobby.chat(room_id)) and chat.members)
    id = await right.lobby.encryption.verify(account.user_id)
    for person in (first, second):
        offer = await reaches(person, id, Phase.OFFERED)
        assert (offer.own, offer.user_id, offer.name) == (False, right.user_id, "Right")
    await first.lobby.encryption.accept_verification(id)
    ended = await reaches(second, id, Phase.CANCELLED)
    assert "another device" in ended.reason
    await agree(first, right, id)
    assert state(right).verified_people == {account.user_id}
    assert state(right).people_with_unverified_device == {account.user_id}, "the second is not verified yet"

    # What one device of mine has verified, another one of mine knows.
    assert state(second).verified_people == frozenset()
    await second.lobby.encryption.recover(key)
    await second.until(lambda: state(second).verified_people == {right.user_id})

    # A device that knows only the password is told of, until its owner verifies it.
    await right.until(lambda: not state(right).people_with_unverified_device)
    third = await account.lobby()
    await right.until(lambda: state(right).people_with_unverified_device == {account.user_id})
    assert state(right).verified_people == {account.user_id}

    # Who was verified begins anew: the other is warned, can write, and verifies again.
    await third.lobby.encryption.begin_anew(PASSWORD)
    await right.until(lambda: state(right).changed_people == {account.user_id})
    assert state(right).verified_people == frozenset()
    await say(right, room_id, "Is it you?")
    await third.until(lambda: "Is it you?" in third.texts(room_id))
    again = await right.lobby.encryption.verify(account.user_id)
    await reaches(third, again, Phase.OFFERED)
    await third.lobby.encryption.accept_verification(again)
    await agree(third, right, again)
    assert state(right).verified_people == {account.user_id} and not state(right).changed_people


async def test_who_saw_other_emoji_can_be_asked_again(world: World) -> None:
    left, right = await with_recovery_keys(world)
    id = await left.lobby.encryption.verify(right.user_id)
    await reaches(right, id, Phase.OFFERED)
    await right.lobby.encryption.accept_verification(id)
    for person in (left, right):
        await reaches(person, id, Phase.COMPARING)
    await right.lobby.encryption.cancel_verification(id, mismatch=True)
    for person in (left, right):
        await reaches(person, id, Phase.CANCELLED)
    again = await left.lobby.encryption.verify(right.user_id)
    await reaches(right, again, Phase.OFFERED)
    await right.lobby.encryption.accept_verification(again)
    await agree(left, right, again)
    for person, other in ((left, right), (right, left)):
        assert state(person).verified_people == {other.user_id}


async def test_one_who_declines_ends_it_everywhere(account: Account) -> None:
    first = await account.lobby()
    await first.lobby.encryption.create_recovery()
    second, third = await account.lobby(), await account.lobby()
    id = await third.lobby.encryption.verify(account.user_id)
    for person in (first, second):
        await reaches(person, id, Phase.OFFERED)
    await second.lobby.encryption.cancel_verification(id)
    for person in (first, third):
        ended = await reaches(person, id, Phase.CANCELLED)
        assert "The other side cancelled" in ended.reason


async def test_a_network_that_is_lost_in_between_is_waited_for(world: World) -> None:
    left, right = await with_recovery_keys(world)
    id = await right.lobby.encryption.verify(left.user_id)
    await reaches(left, id, Phase.OFFERED)
    world.network.set(Condition.OFF)
    with pytest.raises(LobbyError, match="cannot be reached"):
        await left.lobby.encryption.accept_verification(id)
    world.network.set(Condition.GOOD)
    await left.lobby.encryption.accept_verification(id)
    for person in (left, right):
        await reaches(person, id, Phase.COMPARING)
    world.network.set(Condition.OFF)
    for person in (left, right):
        await person.lobby.encryption.confirm_verification(id)
    assert phases(left)[id] is phases(right)[id] is Phase.CONFIRMED
    world.network.set(Condition.GOOD)
    for person in (left, right):
        await reaches(person, id, Phase.DONE)


async def test_who_was_restarted_is_not_waited_for_and_can_be_asked_again(account: Account) -> None:
    first = await account.lobby()
    await first.lobby.encryption.create_recovery()
    second = await account.lobby()
    lost = await second.lobby.encryption.verify(account.user_id)
    await reaches(first, lost, Phase.OFFERED)
    await second.lobby.stop()
    again = await account.again(second.home.folder)
    again.lobby.foreground()
    await again.until(lambda: looked(again))
    assert phases(again) == {}
    id = await again.lobby.encryption.verify(account.user_id)
    await reaches(first, id, Phase.OFFERED)
    assert phases(first)[lost] is Phase.CANCELLED
    await first.lobby.encryption.accept_verification(id)
    await agree(first, again, id)
    await again.until(lambda: state(again).standing is Standing.VERIFIED)


async def asks(person: Person, of: Person, device_id: str, at: float) -> None:
    """A request as any program that holds the account's token may send it."""
    content = {"from_device": device_id, "methods": ["m.sas.v1"], "timestamp": int(at * 1000)}
    messages = {person.user_id: {state(of).device_id: {**content, "transaction_id": f"by {device_id}"}}}
    path = f"/sendToDevice/m.key.verification.request/{device_id}"
    await asked(person, path, body={"messages": messages}, method="PUT")


async def test_a_flood_of_offers_is_taken_up_to_a_bound(account: Account) -> None:
    first = await account.lobby()
    second = await account.lobby()
    for number in range(MOST + 5):
        await asks(second, first, f"DEVICE{number}", time.time())
    await first.until(lambda: len(phases(first)) == MOST)
    await asks(second, first, "DEVICE0", time.time())
    await asks(second, first, "OLD", time.time() - LASTS)
    await second.lobby.encryption.look()
    assert set(phases(first)) == {f"by DEVICE{number}" for number in range(MOST)}


async def test_an_offer_that_nobody_took_ends_ten_minutes_after_it_was_made(account: Account) -> None:
    first = await account.lobby()
    second = await account.lobby()
    await asks(second, first, "SLOW", time.time() - LASTS + 2.0)
    await reaches(first, "by SLOW", Phase.OFFERED)
    ended = await reaches(first, "by SLOW", Phase.CANCELLED)
    assert "ten minutes" in ended.reason
