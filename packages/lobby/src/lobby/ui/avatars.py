"""What stands for a person or a group where there is no picture: initials on a colour. Pure."""

import hashlib

COLOURS = 10
"""How many avatar colours ``page.css`` has (``hue-0`` … ``hue-9``)."""


def initials(name: str) -> str:
    """One or two signs: of the first and the last word, one for scripts without capitals, never empty."""
    words = [word for word in (part.strip("@#!+_-.,()[]\"'") for part in name.split(":", 1)[0].split()) if word]
    if not words:
        return "?"
    if len(words) == 1 or not words[0][0].isascii():
        return words[0][0].upper()[:1]
    return (words[0][0] + words[-1][0]).upper()[:2]


def colour(id: str) -> int:
    """The same colour for the same id (or name, where no id is known), on every machine: 0 to 9."""
    return hashlib.sha256(id.encode("utf-8", "replace")).digest()[0] % COLOURS
