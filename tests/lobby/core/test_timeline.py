"""How a conversation looks: names, bubbles, the last line, the order of the list."""

from hypothesis import given
from hypothesis import strategies as st

from lobby.core import timeline
from lobby.core.event import Kind
from lobby.core.outbox import Item, Phase
from lobby.core.timeline import Draft, KeptEvent, KeptRoom
from lobby.core.views import ChatSummary, Mark

ME = "@me:x"
NAMES = {"@you:x": "You Name", ME: "Me"}


def event(
    key: str = "$1", sender: str = "@you:x", kind: Kind = Kind.MESSAGE, text: str = "hi", about: str = ""
) -> KeptEvent:
    return KeptEvent(key, key, "!a", 1, sender, 10.0, kind, text, about)


def draft(txn: str = "t1", phase: Phase = Phase.QUEUED, reason: str = "") -> Draft:
    return Draft(Item(txn, "!a", 1, phase, reason=reason), "mine", 20.0)


def test_what_others_wrote_has_a_name_and_no_mark() -> None:
    [bubble] = timeline.bubbles([event()], [], ME, NAMES)
    assert (bubble.sender_name, bubble.mine, bubble.mark, bubble.notice) == ("You Name", False, None, False)


def test_own_messages_are_sending_sent_or_unsent() -> None:
    drafts = [draft("t2", Phase.WAITING), draft("t3", Phase.UNSENT, "no time")]
    shown = timeline.bubbles([event("t1", sender=ME)], drafts, ME, NAMES)
    assert [(bubble.key, bubble.mark, bubble.reason) for bubble in shown] == [
        ("t1", Mark.SENT, ""),
        ("t2", Mark.SENDING, ""),
        ("t3", Mark.UNSENT, "no time"),
    ]


def test_a_message_that_has_become_an_event_is_shown_once() -> None:
    shown = timeline.bubbles([event("t1", sender=ME)], [draft("t1")], ME, NAMES)
    assert [bubble.mark for bubble in shown] == [Mark.SENT]


def test_lines_about_the_chat_speak_of_the_person_as_you() -> None:
    lines = [
        event("$1", "@you:x", Kind.NOTICE, "joined", about="@you:x"),
        event("$2", "@you:x", Kind.NOTICE, "was invited", about=ME),
        event("$3", ME, Kind.NOTICE, "was removed", about="@other:x"),
    ]
    shown = timeline.bubbles(lines, [], ME, NAMES)
    assert [bubble.text for bubble in shown] == ["You Name joined", "You were invited", "other was removed"]
    assert all(bubble.notice and not bubble.mine and bubble.mark is None for bubble in shown)


def test_hidden_events_are_not_shown() -> None:
    assert timeline.bubbles([event(kind=Kind.HIDDEN)], [], ME, NAMES) == []


def test_a_chat_is_called_by_its_name_else_by_who_is_in_it() -> None:
    assert timeline.room_name(KeptRoom("!a", name=" Team "), NAMES, ["@you:x"]) == "Team"
    assert timeline.room_name(KeptRoom("!a"), NAMES, ["@you:x"]) == "You Name"
    assert timeline.room_name(KeptRoom("!a"), NAMES, ["@you:x", "@b:x", "@c:x", "@d:x"]) == "You Name, b, c and 1 more"
    assert timeline.room_name(KeptRoom("!a", heroes=("@h:x",), joined=5), NAMES, []) == "h and 3 more"
    assert timeline.room_name(KeptRoom("!a"), NAMES, []) == "Empty chat"


def test_a_group_has_a_name_or_many_members_and_a_direct_chat_is_none() -> None:
    assert timeline.is_group(KeptRoom("!a", name="Team"), ["@you:x"])
    assert timeline.is_group(KeptRoom("!a"), ["@you:x", "@b:x"])
    assert not timeline.is_group(KeptRoom("!a"), ["@you:x"])
    assert not timeline.is_group(KeptRoom("!a", name="Us", direct=True), ["@you:x"])


def test_the_last_line_of_a_chat_carries_its_mark() -> None:
    [last] = timeline.bubbles([], [draft(phase=Phase.UNSENT, reason="no")], ME, NAMES)
    made = timeline.summary(KeptRoom("!a"), ["@you:x"], ["@you:x"], NAMES, last, 2)
    names = ("You Name",)
    assert made == ChatSummary("!a", "You Name", False, "mine", 20.0, True, Mark.UNSENT, 2, names, partner="@you:x")


def test_the_newest_chat_is_first_and_silent_ones_are_last() -> None:
    chats = [ChatSummary(name, name, False, "", at, False, None, 0, ()) for name, at in
             [("b", None), ("old", 1.0), ("a", None), ("new", 2.0)]]  # fmt: skip
    assert [chat.name for chat in timeline.newest_first(chats)] == ["new", "old", "a", "b"]


@given(st.text(), st.text())
def test_nobody_is_without_a_name(user_id: str, name: str) -> None:
    assert timeline.person_name("@" + user_id, {"@" + user_id: name})
