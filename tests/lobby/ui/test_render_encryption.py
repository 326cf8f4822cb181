"""The pages of encryption: what each standing shows and offers, and that no name and no error becomes markup."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobby.core.views import (
    Account,
    Backup,
    Bubble,
    ChatSummary,
    Connection,
    EncryptionState,
    OtherDevice,
    Standing,
    Verification,
    VerificationPhase,
)
from lobby.messenger import SignOnNeeded
from lobby.ui.render import Asked, Conversation
from lobby.ui.scenes import Advice, Scene
from tests.lobby.ui.test_render import EVIL, RENDERER, elements

ACCOUNT = Account("@left:x", "Left", "http://x", Connection.ONLINE)
CHAT = ChatSummary("!r:x", "Right", False, "", None, False, None, 0, ("Right",), True, "@right:x")
OTHERS = (OtherDevice("PHONE", "Element", True), OtherDevice("WEB", "Browser", False))
STATE = EncryptionState("DEVICE", "abcd efgh", Standing.VERIFIED, Backup.IN_USE, 0, 0)
EMOJI = tuple((sign, name) for sign, name in zip("🐶🎩🌽🚲", ["Dog", "Hat", "Corn", "Bicycle"], strict=True))


def scene(state: EncryptionState | None = STATE, **changes: object) -> Scene:
    around = Scene(ACCOUNT, [CHAT], [], 1e9, "token", encryption=state)
    return dataclasses.replace(around, **changes)  # type: ignore[arg-type]


def standing(standing: Standing, backup: Backup, **changes: object) -> Scene:
    return scene(dataclasses.replace(STATE, standing=standing, backup=backup, **changes))  # type: ignore[arg-type]


def verification(phase: VerificationPhase, own: bool = True, name: str = "Element", reason: str = "") -> Verification:
    emoji = EMOJI if phase in (VerificationPhase.COMPARING, VerificationPhase.CONFIRMED) else ()
    return Verification("$id/1", "@left:x", name, own, phase, emoji, reason)


def every_page(name: str) -> list[str]:
    """All pages of encryption, with that name or text in every place that others can fill."""
    state = EncryptionState(
        name, name, Standing.UNVERIFIED, Backup.LOCKED, 1, 1, (OtherDevice(name, name, False),), name
    )
    chat = dataclasses.replace(CHAT, room_id=name, name=name, partner=name)
    account = Account(name, name, name, Connection.ONLINE)
    around = scene(state, account=account, chats=[chat], advice=Advice.VERIFY)
    pages = [
        RENDERER.encryption(around, name, name),
        RENDERER.recovery_password(around, Asked("create"), name),
        RENDERER.recovery_sign_on(around, Asked("begin-anew"), SignOnNeeded("", f"https://x/{name}", name), name),
        RENDERER.recovery_key(around, f"abcd {name}"),
        RENDERER.security(around, chat),
    ]
    for phase in VerificationPhase:
        one = dataclasses.replace(verification(phase, name=name, reason=name), id=name, user_id=name)
        pages.append(RENDERER.verification(around, one, name))
        pages.append(RENDERER.strip(dataclasses.replace(around, verifications=[one])))
    return pages


@pytest.mark.contract("X01")
@settings(max_examples=30)
@given(st.one_of(st.text(min_size=1), st.just(EVIL), st.just("{{ 7 * 7 }}"), st.just("--><img src=x onerror=x>")))
def test_no_name_and_no_error_becomes_markup(name: str) -> None:
    for page, known in zip(every_page(name), every_page("Right"), strict=True):
        found, expected = elements(page), elements(known)
        assert found.tags <= expected.tags
        assert found.attributes <= expected.attributes
        assert "style" not in found.attributes and not [one for one in found.attributes if one.startswith("on")]


@pytest.mark.parametrize(
    ("where", "said", "offered"),
    [
        (
            standing(Standing.NO_RECOVERY, Backup.NONE, not_backed_up=12),
            "12 keys are on this computer only",
            {"create"},
        ),
        (standing(Standing.VERIFIED, Backup.NONE), "This computer is verified", {"create"}),
        (standing(Standing.VERIFIED, Backup.LOCKED), "neither reads nor feeds it", {"recover", "begin-anew"}),
        (standing(Standing.VERIFIED, Backup.IN_USE), "All of them are there", {"create"}),
        (standing(Standing.VERIFIED, Backup.IN_USE, not_backed_up=1), "One key waits to get there", {"create"}),
        (standing(Standing.VERIFIED, Backup.IN_USE, others=OTHERS), "Your other devices", {"create", "verify"}),
        (standing(Standing.UNVERIFIED, Backup.LOCKED), "You are logged in nowhere else", {"recover", "begin-anew"}),
        (
            standing(Standing.UNVERIFIED, Backup.LOCKED, others=OTHERS),
            "seven emoji",
            {"recover", "verify", "begin-anew"},
        ),
        (standing(Standing.UNKNOWN, Backup.NONE), "has not said yet", {"look"}),
        (
            standing(Standing.VERIFIED, Backup.IN_USE, sealed=1),
            "One message cannot be read here yet: its key has not",
            {"create"},
        ),
        (
            standing(Standing.VERIFIED, Backup.IN_USE, sealed=3),
            "3 messages cannot be read here yet: their keys",
            {"create"},
        ),
        (
            standing(Standing.VERIFIED, Backup.IN_USE, trouble="The backup did not answer."),
            "did not answer",
            {"create"},
        ),
    ],
)
def test_each_standing_says_how_things_are_and_offers_what_helps(where: Scene, said: str, offered: set[str]) -> None:
    page = RENDERER.encryption_state(where)
    assert said in page
    assert set(re.findall(r'action="/encryption/([a-z-]+)"', page)) == offered | {"save", "load"}
    assert "abcd efgh" in page and "DEVICE" in page


def test_only_a_device_whose_word_counts_calls_others_verified() -> None:
    verified = RENDERER.encryption_state(standing(Standing.VERIFIED, Backup.IN_USE, others=OTHERS))
    assert verified.count("/encryption/verify") == 1 and 'value="WEB"' in verified
    not_yet = RENDERER.encryption_state(standing(Standing.UNVERIFIED, Backup.LOCKED, others=OTHERS))
    assert not_yet.count("/encryption/verify") == 3, "each of them, and all at once"


def test_keys_that_are_not_open_yet_are_said_to_be_on_their_way() -> None:
    page = RENDERER.encryption_state(scene(None))
    assert "Opening the keys" in page and "<form" not in page


@pytest.mark.parametrize(
    ("phase", "acts"),
    [
        (VerificationPhase.ASKED, ["cancel"]),
        (VerificationPhase.OFFERED, ["accept", "cancel"]),
        (VerificationPhase.BEGINNING, ["cancel"]),
        (VerificationPhase.COMPARING, ["confirm", "mismatch", "cancel"]),
        (VerificationPhase.CONFIRMED, ["cancel"]),
        (VerificationPhase.DONE, []),
        (VerificationPhase.CANCELLED, []),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_each_phase_offers_what_can_be_done_in_it(phase: VerificationPhase, acts: list[str], own: bool) -> None:
    page = RENDERER.verification_state(scene(base="/account/2"), verification(phase, own, reason="They went away."))
    assert re.findall(r'action="/account/2/verification/%24id%2F1/([a-z]+)"', page) == acts
    names = re.findall(r"<small>([A-Za-z]+)</small>", page)
    shown = phase in (VerificationPhase.COMPARING, VerificationPhase.CONFIRMED)
    assert names == ([name for _, name in EMOJI] if shown else [])
    assert ("They went away." in page) == (phase is VerificationPhase.CANCELLED)


def test_the_strip_asks_on_every_page_and_leads_back_to_what_is_under_way() -> None:
    offered = RENDERER.strip(scene(verifications=[verification(VerificationPhase.OFFERED)]))
    assert "<b" in offered and "wants to verify this computer" in offered and "/accept" in offered
    person = RENDERER.strip(scene(verifications=[verification(VerificationPhase.OFFERED, own=False, name="Right")]))
    assert "wants to verify you" in person
    going = RENDERER.strip(scene(verifications=[verification(VerificationPhase.COMPARING)]))
    assert 'href="/verification/%24id%2F1"' in going
    assert not RENDERER.strip(scene(verifications=[verification(VerificationPhase.DONE)])).strip()


def test_the_page_of_one_verification_asks_about_others_only() -> None:
    one = verification(VerificationPhase.OFFERED)
    other = dataclasses.replace(one, id="another", name="Another")
    page = RENDERER.verification(scene(verifications=[one, other]), one)
    for strip in (page.partition('id="strip"')[2].partition('id="lost"')[0],
                  RENDERER.strip(scene(verifications=[one, other]), one.id)):  # fmt: skip
        assert strip.count("strip asking") == 1
        assert "Another" in strip


def test_the_strip_advises_only_while_the_homeserver_is_there() -> None:
    assert "Verify it" in RENDERER.strip(scene(advice=Advice.VERIFY))
    assert "Set up recovery" in RENDERER.strip(scene(advice=Advice.SET_UP))
    offline = dataclasses.replace(ACCOUNT, connection=Connection.OFFLINE)
    assert "Verify it" not in RENDERER.strip(scene(advice=Advice.VERIFY, account=offline)), "one thing at a time"


@pytest.mark.parametrize(("encrypted", "words"), [(True, ">Encrypted<"), (False, ">Not encrypted<")])
def test_list_and_head_say_whether_a_chat_is_encrypted(encrypted: bool, words: str) -> None:
    chat = dataclasses.replace(CHAT, encrypted=encrypted)
    around = scene(chats=[chat])
    assert words in RENDERER.chats(around, "")
    head = RENDERER.head(around, chat)
    assert 'href="/chat/%21r%3Ax/security"' in head
    assert ("· Not encrypted" in head) == (not encrypted)


def test_a_person_can_be_verified_in_their_own_encrypted_chat_only() -> None:
    assert 'name="user" value="@right:x"' in RENDERER.security(scene(), CHAT)
    group = dataclasses.replace(CHAT, partner="", group=True)
    assert "/encryption/verify" not in RENDERER.security(scene(), group)
    assert "/encryption/verify" not in RENDERER.security(scene(), dataclasses.replace(CHAT, encrypted=False))
    unverified = RENDERER.security(standing(Standing.UNVERIFIED, Backup.LOCKED), CHAT)
    assert "/encryption/verify" not in unverified and 'href="/encryption"' in unverified


def test_head_and_security_say_who_is_verified_and_who_is_another_since() -> None:
    partner = frozenset({"@right:x"})
    around = standing(Standing.VERIFIED, Backup.IN_USE, verified_people=partner)
    assert "Verified" in RENDERER.head(around, CHAT) and "icon-shield-check" in RENDERER.head(around, CHAT)
    page = RENDERER.security(around, CHAT)
    assert "Right is verified" in page and "Verify Right again" in page
    changed = standing(Standing.VERIFIED, Backup.IN_USE, changed_people=partner)
    head = RENDERER.head(changed, CHAT)
    assert "New identity since you verified Right" in head and 'href="/chat/%21r%3Ax/security"' in head
    assert "Verified" not in head
    page = RENDERER.security(changed, CHAT)
    assert "Right has a new identity" in page and "You can go on writing" in page and "Verify Right again" in page
    apart = standing(Standing.VERIFIED, Backup.IN_USE, verified_people=partner, people_with_unverified_device=partner)
    head = RENDERER.head(apart, CHAT)
    assert "Verified, but one of their devices is not: it may be somebody else's." in head
    assert "icon-alert" in head and "icon-shield-check" not in head and 'href="/chat/%21r%3Ax/security"' in head
    page = RENDERER.security(apart, CHAT)
    assert "Right is verified, but one of their devices is not" in page and "Ask Right in another way" in page
    assert "icon-shield-check" not in page and "You compared emoji" not in page
    neither = standing(Standing.VERIFIED, Backup.IN_USE)
    assert "Verified" not in RENDERER.head(neither, CHAT) and "not verified" in RENDERER.security(neither, CHAT)
    group = dataclasses.replace(CHAT, group=True, partner="")
    assert "Verified" not in RENDERER.head(around, group)


def test_a_message_without_its_key_looks_as_if_it_waits() -> None:
    waiting = Bubble("k", "!r:x", "@right:x", "Right", False, "Its key has not come.", 1e9, None, "", False, True)
    opened = dataclasses.replace(waiting, sealed=False, text="hello")
    shown = [RENDERER.bubbles(Conversation(CHAT, [one], None, 50), scene()) for one in (waiting, opened)]
    assert "sealed" in shown[0] and "icon-lock" in shown[0] and "icon-alert" not in shown[0]
    assert "sealed" not in shown[1] and all('data-key="k"' in one for one in shown)


@pytest.mark.parametrize(
    ("backup", "waiting", "words"),
    [
        (Backup.NONE, 5, "Set up recovery"),
        (Backup.LOCKED, 5, "Open the key backup"),
        (Backup.IN_USE, 1, "One message key has"),
        (Backup.IN_USE, 0, None),
    ],
)
def test_a_log_out_warns_of_keys_that_are_nowhere_else(backup: Backup, waiting: int, words: str | None) -> None:
    page = RENDERER.logout(standing(Standing.VERIFIED, backup, not_backed_up=waiting), 0)
    assert (words in page) if words else "refused" not in page
    plain = dataclasses.replace(CHAT, encrypted=False)
    nothing = dataclasses.replace(standing(Standing.VERIFIED, backup, not_backed_up=waiting), chats=[plain])
    assert "refused" not in RENDERER.logout(nothing, 0)


def test_a_log_out_before_the_homeserver_was_asked_claims_nothing_of_the_backup() -> None:
    page = RENDERER.logout(standing(Standing.UNKNOWN, Backup.NONE), 0)
    assert "could not be asked yet" in page and "Set up recovery" not in page.partition("<form")[2]


def test_a_new_chat_says_that_it_is_encrypted_and_a_group_leaves_the_choice() -> None:
    page = RENDERER.new(scene(), {})
    assert "Chats between two are encrypted" in page
    assert re.search(r'name="encrypted" value="yes" checked', page)
    assert not re.search(r'name="encrypted" value="yes" checked', RENDERER.new(scene(), {"encrypted": ""}))
