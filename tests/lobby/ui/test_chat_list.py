"""What of a chat list has changed: enough to make one list the other, and no more than that takes."""

from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.chat_list import Changes, changes

LISTS = st.lists(st.sampled_from("abcdefgh"), unique=True).flatmap(
    lambda rooms: st.lists(st.sampled_from("xyz"), min_size=len(rooms), max_size=len(rooms)).map(
        lambda rows: dict(zip(rooms, rows, strict=True))
    )
)


def followed(shown: dict[str, str], told: Changes, now: dict[str, str]) -> dict[str, str]:
    """The list that is shown after these changes, as a page makes them."""
    order = [room_id for room_id in shown if room_id not in told.gone]
    rows = dict(shown)
    for room_id, above in told.placed:
        if room_id in order:
            order.remove(room_id)
        order.insert(order.index(above) + 1 if above else 0, room_id)
        rows[room_id] = now[room_id]
    return {room_id: rows[room_id] for room_id in order}


@given(LISTS, LISTS)
def test_the_changes_make_one_list_the_other(shown: dict[str, str], now: dict[str, str]) -> None:
    after = followed(shown, changes(shown, now), now)
    assert [*after.items()] == [*now.items()]


@given(LISTS)
def test_the_same_list_has_no_changes(shown: dict[str, str]) -> None:
    assert changes(shown, shown) == Changes()


@given(LISTS.filter(lambda shown: len(shown) > 1), st.data())
def test_a_chat_that_moved_is_one_change(shown: dict[str, str], data: st.DataObject) -> None:
    rooms = [*shown]
    moved = rooms.pop(data.draw(st.integers(0, len(rooms) - 1)))
    rooms.insert(data.draw(st.integers(0, len(rooms))), moved)
    told = changes(shown, {room_id: shown[room_id] for room_id in rooms})
    assert told.gone == () and len(told.placed) <= 1


def test_a_chat_with_news_comes_to_the_top_and_a_chat_that_was_left_goes() -> None:
    told = changes({"a": "1", "b": "1", "c": "1"}, {"c": "2", "a": "1"})
    assert told == Changes(gone=("b",), placed=(("c", ""),))
