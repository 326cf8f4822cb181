"""Matrix ids as people type them, one or several. Pure."""

import re

USER_ID = re.compile(r"@[^\s:@]+:[^\s:@/]+(:[0-9]{1,5})?")
"""``@name:server`` (Matrix specification, appendix "User Identifiers"), loosely: the homeserver has the last word."""

LONGEST = 255
"""Bytes in a Matrix id."""

_LINK = re.compile(r"(?:https://matrix\.to/#/|matrix:u/)", re.IGNORECASE)


class PersonUnclear(ValueError):
    """Somebody was named in a way that cannot be a Matrix id; the text is a sentence for the person."""


def read_people(text: str, server: str) -> tuple[str, ...]:
    """The ids in ``text``, separated by spaces, commas, semicolons or lines; each once, in order.

    A bare name belongs to ``server``; a matrix.to link is taken as the id in it. Raises PersonUnclear.
    """
    found: dict[str, None] = {}
    for word in re.split(r"[\s,;]+", text):
        if word:
            found[_read(word, server)] = None
    return tuple(found)


def server_of(user_id: str) -> str:
    """The server part of a Matrix id; empty where there is none."""
    return user_id.partition(":")[2]


def _read(word: str, server: str) -> str:
    link = _LINK.match(word)
    name = word[link.end() :].split("?", 1)[0].replace("%40", "@").replace("%3A", ":") if link else word
    if not name.startswith("@"):
        name = "@" + name
    if ":" not in name:
        name = f"{name.lower()}:{server}"
    # Rooms (``#``, ``!``) are no people, though a user name of old could begin so.
    if word[0] in "#!" or not USER_ID.fullmatch(name) or len(name.encode("utf-8", "replace")) > LONGEST:
        raise PersonUnclear(f'"{word}" is not a Matrix id. Write it like @name:{server or "example.org"}.')
    return name
