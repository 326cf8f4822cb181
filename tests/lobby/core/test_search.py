"""A search asks the index for words, whatever was typed."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.search import TYPED_MOST, question


@pytest.fixture(scope="module")
def index() -> sqlite3.Connection:
    """A full-text index with a few messages."""
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2')")
    texts = ["Grüße aus Zürich", "the 7:40 train", "NOT OR AND near", 'don\'t "quote" me', "a_b c*d"]
    index.executemany("INSERT INTO words VALUES (?)", [(text,) for text in texts])
    return index


def found(index: sqlite3.Connection, typed: str) -> list[str]:
    return [row[0] for row in index.execute("SELECT text FROM words WHERE words MATCH ?", (question(typed),))]


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("zur", "Grüße aus Zürich"),
        ("ZÜRICH gru", "Grüße aus Zürich"),
        ("7:40", "the 7:40 train"),
        ("NOT", "NOT OR AND near"),
        ("near OR", "NOT OR AND near"),
        ('"quote', 'don\'t "quote" me'),
        ("DON'T", 'don\'t "quote" me'),
        ("c*d -", "a_b c*d"),
    ],
)
def test_words_are_found_by_how_they_begin_and_nothing_is_an_operator(
    index: sqlite3.Connection, typed: str, text: str
) -> None:
    assert found(index, typed) == [text]


def test_all_words_have_to_be_there(index: sqlite3.Connection) -> None:
    assert found(index, "zürich train") == []


@pytest.mark.parametrize("typed", ["", "  ", '"', "*", "- ( )", "\0"])
def test_what_holds_no_word_asks_nothing(typed: str) -> None:
    assert question(typed) == ""


@given(st.text(max_size=2 * TYPED_MOST))
def test_whatever_is_typed_is_a_question_or_none(typed: str) -> None:
    with sqlite3.connect(":memory:") as index:
        index.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
        if asked := question(typed):
            index.execute("SELECT 1 FROM words WHERE words MATCH ?", (asked,)).fetchall()
    index.close()
