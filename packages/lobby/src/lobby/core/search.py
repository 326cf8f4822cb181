"""What a person types to find messages, as a question to the search index. Pure."""

TYPED_MOST = 200
"""Characters of a search that are looked at."""


def question(typed: str) -> str:
    """The full-text expression (SQLite FTS5) for messages with all of these words, or words that begin like them.

    Empty: there is nothing to look for. Whatever was typed is text; none of it is an operator.
    """
    words = [word for word in typed[:TYPED_MOST].replace("\0", " ").split() if any(map(str.isalnum, word))]
    return " ".join('"{}"*'.format(word.replace('"', " ")) for word in words)
