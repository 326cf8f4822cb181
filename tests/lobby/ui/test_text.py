"""Words of a message: addresses become links, nothing else becomes markup, emoji alone are large."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.text import linked, only_emoji

A_LINK = re.compile(r'<a href="([^"<>]*)" target="_blank" rel="noopener noreferrer">([^<>]*)</a>')


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://example.org/a?b=1&c=2.", "https://example.org/a?b=1&c=2"),
        ("(http://example.org/x)", "http://example.org/x"),
        ("https://en.example.org/wiki/Lobby_(room), yes", "https://en.example.org/wiki/Lobby_(room)"),
        ('"HTTPS://EXAMPLE.ORG"', "HTTPS://EXAMPLE.ORG"),
    ],
)
def test_addresses_become_links(text: str, address: str) -> None:
    found = A_LINK.search(linked(text))
    assert found is not None
    assert html.unescape(found[1]) == html.unescape(found[2]) == address


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "https://", "http://...", "ftp://example.org"]
)
def test_nothing_else_does(text: str) -> None:
    assert "<a" not in linked(text)


@pytest.mark.contract("X01")
@given(
    st.lists(
        st.sampled_from(["https://", "a", "<b>", '"', "'", "&amp;", ")", " ", "\n", "<script>", "x.org", "\ud800"])
    )
)
def test_every_word_is_shown_as_it_was_written(parts: list[str]) -> None:
    text = "".join(parts)
    without_links = A_LINK.sub(lambda found: found[2], str(linked(text)))
    assert not re.search("[<>\"']", without_links)
    assert html.unescape(without_links) == text


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert html.unescape(A_LINK.sub(lambda found: found[2], str(linked(text)))) == html.unescape(html.escape(text))
    assert only_emoji(text) in (True, False)


@pytest.mark.parametrize(
    ("text", "large"),
    [
        ("😍", True),
        ("🏕️🔥", True),
        ("👩‍👩‍👧", True),
        ("👍🏽", True),
        ("❤️ ❤️ ❤️", True),
        ("😍😍😍😍", False),
        ("ok 😍", False),
        ("12", False),
        ("", False),
    ],
)
def test_emoji_alone_are_large(text: str, large: bool) -> None:
    assert only_emoji(text) is large
