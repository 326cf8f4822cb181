"""What the strip advises about encryption, and what stands around a pane."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.views import Backup, ChatSummary, EncryptionState, Standing, VerificationPhase
from lobby.ui.scenes import Advice, Scenes, advice
from tests.lobby.ui.memory_messenger import ME, MemoryMessenger

STATE = EncryptionState("DEVICE", "finger print", Standing.VERIFIED, Backup.IN_USE, 0, 0)
PLAIN = ChatSummary("!p:x", "Plain", False, "", None, False, None, 0, ())
ENCRYPTED = dataclasses.replace(PLAIN, room_id="!e:x", encrypted=True)


def state(standing: Standing, backup: Backup) -> EncryptionState:
    return dataclasses.replace(STATE, standing=standing, backup=backup)


@pytest.mark.parametrize(
    ("standing", "backup", "wanted"),
    [
        (Standing.UNKNOWN, Backup.NONE, None),
        (Standing.NO_RECOVERY, Backup.NONE, Advice.SET_UP),
        (Standing.VERIFIED, Backup.NONE, Advice.SET_UP),
        (Standing.VERIFIED, Backup.LOCKED, None),
        (Standing.VERIFIED, Backup.IN_USE, None),
        (Standing.UNVERIFIED, Backup.NONE, Advice.VERIFY),
        (Standing.UNVERIFIED, Backup.LOCKED, Advice.VERIFY),
    ],
)
def test_each_standing_has_its_advice(standing: Standing, backup: Backup, wanted: Advice | None) -> None:
    assert advice(state(standing, backup), [PLAIN, ENCRYPTED], put_off=False) is wanted


def test_who_writes_nothing_encrypted_is_not_bothered_with_recovery() -> None:
    assert advice(state(Standing.NO_RECOVERY, Backup.NONE), [PLAIN], put_off=False) is None
    assert advice(None, [ENCRYPTED], put_off=False) is None


@given(st.sampled_from(Standing), st.sampled_from(Backup), st.booleans(), st.booleans())
def test_what_was_put_off_is_not_said_and_an_unverified_device_always_is(
    standing: Standing, backup: Backup, encrypted: bool, put_off: bool
) -> None:
    said = advice(state(standing, backup), [ENCRYPTED] if encrypted else [PLAIN], put_off)
    assert (said is Advice.VERIFY) == (standing is Standing.UNVERIFIED)
    if put_off or not encrypted:
        assert said is not Advice.SET_UP


def test_putting_off_holds_for_one_person_until_the_next_start() -> None:
    messenger = MemoryMessenger(lambda: 1e9)
    messenger.put_chat("!e:x", "Right", encrypted=True)
    messenger.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    scenes = Scenes(lambda: 1e9)
    for put_off, wanted in (("@other:x", Advice.SET_UP), (ME, None)):
        scenes.put_off(put_off)
        scene = scenes.scene(messenger, "token", "/account/2")
        assert scene is not None and scene.advice is wanted and (scene.base, scene.csrf) == ("/account/2", "token")
    again = Scenes(lambda: 1e9).scene(messenger, "token")
    assert again is not None and again.advice is Advice.SET_UP


def test_verifications_that_have_ended_are_not_under_way() -> None:
    messenger = MemoryMessenger(lambda: 1e9)
    for phase in VerificationPhase:
        messenger.keys.offer(id=phase.value)
        messenger.keys.move(phase.value, phase)
    scene = Scenes(lambda: 1e9).scene(messenger, "token")
    assert scene is not None
    ended = {VerificationPhase.DONE, VerificationPhase.CANCELLED}
    assert {one.phase for one in scene.under_way} == set(VerificationPhase) - ended


def test_nobody_logged_in_is_no_scene() -> None:
    assert Scenes(lambda: 1e9).scene(MemoryMessenger(lambda: 1e9, logged_in=False), "token") is None
