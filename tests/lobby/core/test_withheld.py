"""Why a key does not come: read from what anybody may send, put into words for the person."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.batch import Json
from lobby.core.event import CANNOT_READ, Happened, Kind, opened
from lobby.core.withheld import OTHER, WORDS, Withheld, read_withheld, words
from lobby.errors import KeyWithheld

SAID = {"room_id": "!a:x", "session_id": "s", "algorithm": "m.megolm.v1.aes-sha2", "sender_key": "k"}


@pytest.mark.parametrize("code", WORDS)
def test_each_code_is_read_and_has_words(code: str) -> None:
    assert read_withheld({**SAID, "code": code, "reason": "Because."}) == Withheld("!a:x", "s", code)
    assert words(code) == WORDS[code] != OTHER


@pytest.mark.parametrize("code", [None, 3, "m.made_up", ["m.unverified"]])
def test_a_code_that_nobody_knows_has_words_too(code: object) -> None:
    assert read_withheld({**SAID, "code": code}) == Withheld("!a:x", "s", "")
    assert words("") == OTHER


def test_what_names_no_session_is_about_none() -> None:
    assert read_withheld({"code": "m.no_olm", "sender_key": "k"}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional={"room_id": JSON, "session_id": JSON, "code": JSON}))
def test_nothing_raises(content: dict[str, Any]) -> None:
    withheld = read_withheld(content)
    assert withheld is None or (withheld.room_id and withheld.session_id and words(withheld.code))


def test_a_message_says_why_and_goes_on_waiting() -> None:
    def keep(room_id: str, event: Json) -> Json:
        raise KeyWithheld("s", words("m.blacklisted"))

    sealed = Happened("$1", "@you:x", 1.0, Kind.SEALED, CANNOT_READ, sealed={"content": {"session_id": "s"}})
    shown = opened(sealed, "!a:x", keep)
    assert shown.text == f"This message cannot be read: {WORDS['m.blacklisted']}." and shown.sealed is sealed.sealed
    edit = Happened("$2", "@you:x", 1.0, Kind.HIDDEN, sealed={"content": {"session_id": "s"}})
    assert opened(edit, "!a:x", keep) == edit
