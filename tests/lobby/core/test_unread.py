"""What is unread: others' messages after the last one read, on any device."""

from hypothesis import given
from hypothesis import strategies as st

from lobby.core.event import Kind
from lobby.core.timeline import KeptEvent, KeptRoom
from lobby.core.unread import counts, read_up_to, unread, worth_showing

ME = "@me:x"


def event(place: int, sender: str = "@you:x", kind: Kind = Kind.MESSAGE) -> KeptEvent:
    return KeptEvent(f"${place}", f"${place}", "!a", place, sender, 0.0, kind, "hi")


def test_only_messages_of_others_count() -> None:
    assert counts(event(1), ME)
    assert not counts(event(1, sender=ME), ME)
    assert not counts(event(1, kind=Kind.NOTICE), ME)


def test_own_count_is_used_unless_what_was_read_lies_before_all_that_is_kept() -> None:
    room = KeptRoom("!a", server_unread=40, read_place=5, before="p")
    assert unread(room, known=3, oldest_place=1) == 3
    assert unread(room, known=3, oldest_place=9) == 40
    assert unread(KeptRoom("!a", server_unread=40, read_place=0, before=""), known=3, oldest_place=1) == 3


def test_receipts_and_own_messages_move_the_marker_and_never_back() -> None:
    events = [event(1), event(2), event(3, sender=ME), event(4)]
    assert read_up_to(events, ME, [], 0) == 3
    assert read_up_to(events, ME, ["$4"], 0) == 4
    assert read_up_to(events, ME, ["$1"], 3) == 3
    assert read_up_to([], ME, ["$9"], 2) == 2


@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from([ME, "@you:x"])), max_size=10), st.integers(0, 60))
def test_what_is_read_is_not_worth_showing(written: list[tuple[int, str]], read: int) -> None:
    events = [event(place, sender) for place, sender in written]
    marker = read_up_to(events, ME, [], read)
    assert marker >= read
    for one in events:
        assert worth_showing(one, ME, marker) == (one.sender != ME and one.place > marker)
