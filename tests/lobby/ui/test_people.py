"""Matrix ids as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.people import LONGEST, USER_ID, PersonUnclear, read_people, server_of


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("@right:example.org", ("@right:example.org",)),
        ("right", ("@right:home.example",)),
        ("  @Right ", ("@right:home.example",)),
        ("right:example.org:8448", ("@right:example.org:8448",)),
        ("@a:x.org, @b:x.org;c\n@a:x.org", ("@a:x.org", "@b:x.org", "@c:home.example")),
        ("https://matrix.to/#/@ann:example.org?via=x", ("@ann:example.org",)),
        ("https://matrix.to/#/%40ann%3Aexample.org", ("@ann:example.org",)),
        ("matrix:u/ann:example.org?action=chat", ("@ann:example.org",)),
        ("", ()),
    ],
)
def test_reading(text: str, people: tuple[str, ...]) -> None:
    assert read_people(text, "home.example") == people


@pytest.mark.parametrize(
    "text", ["@", "@:x.org", "@a:", "#room:x.org", "ann@example.org", "https://example.org/ann", "a" * 300]
)
def test_what_is_no_id_is_named_in_the_refusal(text: str) -> None:
    with pytest.raises(PersonUnclear, match="is not a Matrix id"):
        read_people(text, "home.example")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        people = read_people(text, "home.example")
    except PersonUnclear as refusal:
        assert "Write it like" in str(refusal)
    else:
        assert len(set(people)) == len(people)
        assert all(USER_ID.fullmatch(person) and len(person.encode("utf-8", "replace")) <= LONGEST for person in people)


def test_the_server_of_an_id() -> None:
    assert server_of("@a:example.org:8448") == "example.org:8448"
    assert server_of("a") == ""
